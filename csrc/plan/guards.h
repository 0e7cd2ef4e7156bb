// What a recorded step took from Python, and that still has to be so when it is replayed.
#pragma once

#include <string>
#include <vector>

#include "plan/names.h"
#include "tensor/python.h"

namespace weft {

class Guards {
 public:
  // A dict or a list whose entries must stay the same objects, or equal numbers and strings. With `numbers_change`,
  // numbers may become other numbers that are zero, or not, as they were: the step reads them each time.
  void watch(py::object container, int name, bool numbers_change = false);
  void watch_variable(py::object place, py::object key, int name);  // a cell (key None), or dict[key]
  void watch_tensor(py::object tensor);                             // its memory, and whether it requires a gradient

  Names names;

  template <class F>
  void visit(F f) const {  // every Python object, for the garbage collector
    for (const Container& c : containers_) f(c.object);
    for (const Entry& e : entries_) {
      f(e.key);
      f(e.value);
    }
    for (const Variable& v : variables_) {
      f(v.place);
      f(v.key);
      f(v.value);
    }
    names.visit(f);
  }
  bool hold();                 // cheap: about as many comparisons of pointers as there are entries
  std::string what_changed();  // "model.training", or nothing

 private:
  struct Container {
    py::object object;
    int name;
    bool is_dict, numbers_change;
    size_t first, count;  // of entries_
  };
  struct Entry {
    py::object key, value;  // key: null in a list
  };
  struct Variable {
    py::object place, key, value;
    int name;
    PyObject* now() const;  // borrowed
  };
  struct Memory {
    Ref<TensorImpl> tensor;
    Ref<Storage> storage;
    void* data;
    int64_t offset;
    bool requires_grad;
  };
  std::string other_key(const Container& c) const;
  std::vector<Container> containers_;
  std::vector<Entry> entries_;  // of all containers
  std::vector<Variable> variables_;
  std::vector<Memory> tensors_;
};

// Where numbers and modes that operations look at stand on this thread.
struct Surroundings {
  bool grad, inference, autocast[2];
  DType lower[2], default_dtype;
  const void* kernels;
  int threads;  // room for each is among the arguments of some launches
  bool operator==(const Surroundings&) const = default;
  static Surroundings now();
};

// Equal as far as a program can tell without side effects: the same object, or equal numbers, strings, or tuples of
// them.
bool same_constant(PyObject* a, PyObject* b);

}  // namespace weft
