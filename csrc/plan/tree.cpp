#include "plan/tree.h"

#include "plan/guards.h"

namespace weft {

namespace {

bool is_named_tuple(PyObject* o) {
  return PyTuple_Check(o) && !PyTuple_CheckExact(o) && PyObject_HasAttrString(o, "_fields");
}

// A subclass, a Parameter above all, is an object like others: the step has to see this very one.
bool is_value(PyObject* o) { return Py_TYPE(o) == tensor_type(); }

}  // namespace

Tree::Tree(py::handle o, TensorList& tensors) {
  if (is_value(o.ptr())) {
    kind_ = Kind::Tensor;
    tensors.push_back(tensor_of(o.ptr()));
  } else if (PyTuple_CheckExact(o.ptr()) || is_named_tuple(o.ptr()) || PyList_CheckExact(o.ptr())) {
    kind_ = PyList_CheckExact(o.ptr()) ? Kind::List : Kind::Tuple;
    if (kind_ == Kind::Tuple && !PyTuple_CheckExact(o.ptr())) object_ = py::type::of(o);
    for (py::handle item : o) children_.emplace_back(item, tensors);
  } else if (PyDict_CheckExact(o.ptr())) {
    kind_ = Kind::Dict;
    py::list keys;
    for (auto [key, value] : py::reinterpret_borrow<py::dict>(o)) {
      keys.append(key);
      children_.emplace_back(value, tensors);
    }
    object_ = py::tuple(keys);
  } else {
    object_ = py::reinterpret_borrow<py::object>(o);
  }
}

bool Tree::matches(PyObject* o, TensorList& tensors) const {
  switch (kind_) {
    case Kind::Tensor:
      if (!is_value(o)) return false;
      tensors.push_back(tensor_of(o));
      return true;
    case Kind::Tuple: {
      if (object_ ? Py_TYPE(o) != (PyTypeObject*)object_.ptr() : !PyTuple_CheckExact(o)) return false;
      if (PyTuple_GET_SIZE(o) != (Py_ssize_t)children_.size()) return false;
      for (size_t i = 0; i < children_.size(); ++i)
        if (!children_[i].matches(PyTuple_GET_ITEM(o, (Py_ssize_t)i), tensors)) return false;
      return true;
    }
    case Kind::List:
      if (!PyList_CheckExact(o) || PyList_GET_SIZE(o) != (Py_ssize_t)children_.size()) return false;
      for (size_t i = 0; i < children_.size(); ++i)
        if (!children_[i].matches(PyList_GET_ITEM(o, (Py_ssize_t)i), tensors)) return false;
      return true;
    case Kind::Dict: {
      if (!PyDict_CheckExact(o) || PyDict_GET_SIZE(o) != (Py_ssize_t)children_.size()) return false;
      PyObject *key, *value;
      Py_ssize_t at = 0;
      for (size_t i = 0; PyDict_Next(o, &at, &key, &value); ++i)
        if (!same_constant(key, PyTuple_GET_ITEM(object_.ptr(), (Py_ssize_t)i)) ||
            !children_[i].matches(value, tensors))
          return false;
      return true;
    }
    case Kind::Object: return same_constant(o, object_.ptr());
  }
  return false;
}

py::object Tree::build(const TensorList& tensors, size_t& next) const {
  switch (kind_) {
    case Kind::Tensor: return py::cast(tensors[next++]);
    case Kind::Object: return object_;
    case Kind::Dict: {
      py::dict d;
      for (size_t i = 0; i < children_.size(); ++i)
        d[py::reinterpret_borrow<py::tuple>(object_)[i]] = children_[i].build(tensors, next);
      return d;
    }
    default: break;
  }
  py::object made = py::reinterpret_steal<py::object>(kind_ == Kind::List ? PyList_New((Py_ssize_t)children_.size())
                                                                          : PyTuple_New((Py_ssize_t)children_.size()));
  for (size_t i = 0; i < children_.size(); ++i) {
    PyObject* item = children_[i].build(tensors, next).release().ptr();
    if (kind_ == Kind::List)
      PyList_SET_ITEM(made.ptr(), (Py_ssize_t)i, item);
    else
      PyTuple_SET_ITEM(made.ptr(), (Py_ssize_t)i, item);
  }
  return object_ ? object_(*made) : made;
}

}  // namespace weft
