// A function whose calls are recorded once for each kind of arguments, and replayed from then on.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plan/guards.h"
#include "plan/plan.h"
#include "plan/tape.h"
#include "plan/tree.h"

namespace weft {

class Compiled {
 public:
  // watch(function) -> (Guards of what it may rely on, later), where later() -> (reason or None, slots) is asked after
  // a recording, and a slot (dict, key) holds a tensor that each call puts there. warn(sentence).
  Compiled(py::object function, py::object watch, py::object warn, bool fullgraph, size_t most);

  py::object call(const py::args& args, const py::kwargs& kwargs);
  void reset();
  py::list plans() const;  // of those in use: [(arguments, Plan)], the last one used first

 private:
  struct Kind {
    Dims shape, strides;
    DType dtype;
    Device device;
    bool fits(const Tensor& t) const;
  };
  struct Entry {
    Surroundings surroundings;
    Tree arguments, keywords, results;
    std::vector<Kind> kinds;
    Guards guards;
    std::shared_ptr<Plan> plan;  // null: it cannot be replayed
    std::shared_ptr<CompiledTape> tape;  // where results are differentiated outside
    std::vector<size_t> taped;           // which results
    std::vector<std::pair<py::object, py::object>> slots;
    std::string described;
    void attach(const TensorList& results, const TensorList& arguments) const;
  };
  using EntryRef = std::shared_ptr<Entry>;

  static bool matches(const Entry& e, const Surroundings& now, PyObject* args, PyObject* kwargs, TensorList& tensors);
  py::object record(const py::args& args, const py::kwargs& kwargs, const Surroundings& now);
  static py::object replay(const EntryRef& e, const TensorList& tensors);
  void keep(EntryRef e);
  void give_up(Entry& e, std::string reason);

  py::object function_, watch_, warn_;
  bool fullgraph_;
  size_t most_;
  std::vector<EntryRef> entries_;  // the last one used first
};

}  // namespace weft
