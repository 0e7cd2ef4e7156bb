// Arguments and results of a step as Python has them: tensors in tuples, lists and dicts among other objects.
#pragma once

#include <vector>

#include "tensor/python.h"

namespace weft {

class Tree {
 public:
  Tree() = default;
  // Notes what `o` is made of; its tensors are appended to `tensors`, but for those that are kept as objects.
  explicit Tree(py::handle o, TensorList& tensors);

  template <class F>
  void visit(F f) const {
    f(object_);
    for (const Tree& child : children_) child.visit(f);
  }
  // Whether `o` is made of the same; appends its tensors. Their kinds are not compared.
  bool matches(PyObject* o, TensorList& tensors) const;
  // The same with these tensors instead, the first one at `next`.
  py::object build(const TensorList& tensors, size_t& next) const;

 private:
  enum class Kind { Tensor, Tuple, List, Dict, Object } kind_ = Kind::Object;
  py::object object_;  // of Dict: the tuple of its keys; of Tuple: its type, where it is a named one
  std::vector<Tree> children_;
};

}  // namespace weft
