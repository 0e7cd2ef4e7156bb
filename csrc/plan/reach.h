// What a function can reach in Python, and so may read while it is recorded.
#pragma once

#include <utility>
#include <vector>

#include "plan/guards.h"

namespace weft {

// The function, its arguments, what it closes over or takes from its module, and from there on containers, modules and
// other objects with attributes. Weft's own code is not looked into, nor are schedules: replays call them.
class Reach {
 public:
  Reach(const py::object& function, const py::args& args, const py::kwargs& kwargs);

  bool too_far() const { return too_far_; }  // more than anybody wants to compare at each call
  Guards& guards() { return guards_; }
  void watch_optimizers();  // once the step has run: it makes their state
  // (attributes, name) of what optimizers tell about a step in a tensor: each call puts it there.
  std::vector<std::pair<py::object, py::object>> slots() const;

 private:
  void look_at(int name, const py::object& o);
  void look_into_function(PyObject* function);
  void look_into_object(int name, const py::object& o);
  void add(int name, PyObject* o);

  Guards guards_;
  std::vector<std::pair<int, py::object>> todo_;
  std::vector<std::pair<py::object, py::object>> optimizers_;  // and the norm that it told before
  bool too_far_ = false;
};

}  // namespace weft
