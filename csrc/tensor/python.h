// Tensors, shapes, dtypes and devices across the border to Python. Tensor has its own Python type (python.cpp), leaner
// than pybind11's, because an operation on a small tensor should cost well under a microsecond.
#pragma once

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>

#include "tensor/autograd.h"
#include "tensor/operand.h"
#include "tensor/tensor.h"

namespace weft {

namespace py = pybind11;

bool is_tensor(PyObject* o);           // Tensor or a subclass such as Parameter
const Tensor& tensor_of(PyObject* o);  // o must be one
PyObject* wrap(const Tensor& t);       // new reference; the same object for the same tensor; None if undefined
PyObject* wrap_as(PyTypeObject* type, const Tensor& t);  // a new object of a subclass, over t's own impl
PyTypeObject* tensor_type();
py::object shape_object(const Tensor& t);  // weft.Size

py::object dtype_object(DType t);  // weft.float32 …
std::optional<DType> dtype_from(
    py::handle o);  // weft dtype, NumPy dtype or scalar type, Python float/int/bool; else nullopt

std::optional<Device> device_from(py::handle o);  // ValueError for a string that names no device
py::object device_object(Device d);

bool load_operand(PyObject* o, Operand* out);  // false when it is neither

// Adds a method to the Tensor type: bind_method("sum", &f, py::arg("dim") = …, "doc").
py::handle tensor_class();
template <class F, class... Extra>
void def_method(const char* name, F&& f, const Extra&... extra) {
  py::handle cls = tensor_class();
  cls.attr(name) = py::cpp_function(std::forward<F>(f), py::name(name), py::is_method(cls),
                                    py::sibling(py::getattr(cls, name, py::none())), extra...);
}
// f(2, 3) and f((2, 3)): the sizes. TypeError for anything but ints.
Dims sizes_from(const py::args& args);

// The same operation as weft.name and Tensor.name; the first parameter is the tensor.
template <class F, class... Extra>
void def_both(py::module_& m, const char* name, F f, const Extra&... extra) {
  m.def(name, f, py::arg("input"), extra...);
  def_method(name, f, extra...);
}

// A named tuple's type, as weft.max(x, 0) returns one.
py::object named_tuple(const char* name, std::initializer_list<const char*> fields);

// For operations already bound: NumPy's names `axis` and `keepdims`, as PyTorch takes them too; and weft.name(...,
// out=t), where t is a tensor, or a tuple of them, of the result's shape and of a dtype that can hold it.
void def_out_and_axis(py::module_& m, std::initializer_list<const char*> names);

}  // namespace weft

namespace pybind11::detail {

template <>
struct type_caster<weft::Tensor> {
  PYBIND11_TYPE_CASTER(weft::Tensor, const_name("Tensor"));
  bool load(handle src, bool) {
    if (weft::is_tensor(src.ptr())) {
      value = weft::tensor_of(src.ptr());
      return true;
    }
    return false;
  }
  static handle cast(const weft::Tensor& t, return_value_policy, handle) { return weft::wrap(t); }
};

// A sequence of ints (tuple, list, weft.Size); a lone int is a list of one.
template <>
struct type_caster<weft::Dims> {
  PYBIND11_TYPE_CASTER(weft::Dims, const_name("Sequence[int] | int"));
  bool load(handle src, bool);
  static handle cast(const weft::Dims& d, return_value_policy, handle) {
    tuple t(d.n);
    for (int i = 0; i < d.n; ++i) t[i] = pybind11::int_(d[i]);
    return t.release();
  }
};

template <>
struct type_caster<weft::DType> {
  PYBIND11_TYPE_CASTER(weft::DType, const_name("dtype"));
  bool load(handle src, bool) {
    auto d = weft::dtype_from(src);
    if (d) value = *d;
    return (bool)d;
  }
  static handle cast(weft::DType d, return_value_policy, handle) { return weft::dtype_object(d).release(); }
};

template <>
struct type_caster<weft::Device> {  // "cpu", "cuda", "cuda:1", weft.device, or an int (a GPU's index)
  PYBIND11_TYPE_CASTER(weft::Device, const_name("device"));
  bool load(handle src, bool) {
    auto d = weft::device_from(src);
    if (d) value = *d;
    return (bool)d;
  }
  static handle cast(const weft::Device& d, return_value_policy, handle) { return weft::device_object(d).release(); }
};

template <>
struct type_caster<weft::Operand> {
  PYBIND11_TYPE_CASTER(weft::Operand, const_name("Tensor | float | int | bool"));
  bool load(handle src, bool) { return weft::load_operand(src.ptr(), &value); }
};

}  // namespace pybind11::detail
