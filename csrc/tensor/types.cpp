// dtypes, devices, sizes and operands as Python values.

#include "tensor/numpy.h"
#include "tensor/python.h"

namespace weft {

namespace {

struct DTypeObject {
  DType value;
};
struct DeviceObject {
  Device value;
};

bool is_python_type(py::handle o, PyTypeObject* t) { return o.ptr() == reinterpret_cast<PyObject*>(t); }

}  // namespace

std::optional<DType> dtype_from(py::handle o) {
  if (py::isinstance<DTypeObject>(o)) return o.cast<DTypeObject&>().value;
  if (is_python_type(o, &PyFloat_Type)) return DType::Float32;
  if (is_python_type(o, &PyLong_Type)) return DType::Int64;
  if (is_python_type(o, &PyBool_Type)) return DType::Bool;
  if (PyUnicode_Check(o.ptr())) return std::nullopt;
  if (PyType_Check(o.ptr()) && PyObject_HasAttrString(o.ptr(), "dtype"))  // numpy.float32
    return dtype_from_numpy(py::module_::import("numpy").attr("dtype")(o));
  if (PyObject_HasAttrString(o.ptr(), "newbyteorder") && PyObject_HasAttrString(o.ptr(), "kind"))
    return dtype_from_numpy(o);
  return std::nullopt;
}

Dims sizes_from(const py::args& args) {
  bool one_sequence = args.size() == 1 && !PyIndex_Check(args[0].ptr());
  py::object sizes = one_sequence ? py::object(args[0]) : py::object(args);
  py::detail::make_caster<Dims> dims;
  WEFT_CHECK(dims.load(sizes, false), Type, "sizes must be ints, got ", std::string(py::repr(sizes)));
  return py::detail::cast_op<Dims>(dims);
}

bool load_operand(PyObject* o, Operand* out) {
  if (is_tensor(o)) {
    out->tensor = tensor_of(o);
    return true;
  }
  if (PyFloat_Check(o)) {
    out->number = PyFloat_AS_DOUBLE(o);
    out->integer = 0;
    out->category = DType::Float32;
    return true;
  }
  if (PyBool_Check(o) || PyLong_Check(o)) {
    int overflow = 0;
    out->integer = PyLong_AsLongLongAndOverflow(o, &overflow);
    WEFT_CHECK(!overflow, Overflow, "a Python int that does not fit 64 bits cannot meet a tensor");
    out->number = (double)out->integer;
    out->category = PyBool_Check(o) ? DType::Bool : DType::Int64;
    return true;
  }
  if (!PyObject_HasAttrString(o, "__array_interface__")) return false;
  // NumPy: a scalar counts as a Python number, an array as a tensor.
  py::object value = py::reinterpret_borrow<py::object>(o);
  if (!PyObject_HasAttrString(o, "__setitem__")) {
    py::object number = value.attr("item")();
    return (PyFloat_Check(number.ptr()) || PyLong_Check(number.ptr())) && load_operand(number.ptr(), out);
  }
  out->tensor = tensor_from_python(value, std::nullopt, DType::Float32, false);
  return true;
}

void bind_dtypes(py::module_& m, py::object** objects) {
  py::class_<DTypeObject>(m, "dtype", "An element type: weft.float32 and its like.")
      .def_property_readonly(
          "itemsize", [](const DTypeObject& d) { return size_of(d.value); }, "Bytes per element.")
      .def_property_readonly("is_floating_point", [](const DTypeObject& d) { return is_floating(d.value); })
      .def_property_readonly("is_complex", [](const DTypeObject&) { return false; })
      .def_property_readonly("is_signed",
                             [](const DTypeObject& d) { return d.value != DType::Bool && d.value != DType::UInt8; })
      .def_property_readonly("name", [](const DTypeObject& d) { return name_of(d.value); })
      .def("__repr__", [](const DTypeObject& d) { return std::string("weft.") + name_of(d.value); })
      .def("__hash__", [](const DTypeObject& d) { return (int)d.value + 1; })
      .def("__eq__",
           [](const DTypeObject& d, py::handle o) {
             return py::isinstance<DTypeObject>(o) && o.cast<DTypeObject&>().value == d.value;
           })
      .def("__reduce__", [](const DTypeObject& d) { return std::string(name_of(d.value)); })  // a global's name
      .def(
          "_numpy", [](const DTypeObject& d) { return numpy_dtype(d.value); },
          "The NumPy dtype; TypeError for bfloat16.");
  for (int i = 0; i < kDTypes; ++i) {
    objects[i] = new py::object(py::cast(DTypeObject{(DType)i}));
    m.attr(name_of((DType)i)) = *objects[i];
  }
  const std::pair<const char*, DType> aliases[] = {{"half", DType::Float16},   {"float", DType::Float32},
                                                   {"double", DType::Float64}, {"short", DType::Int16},
                                                   {"int", DType::Int32},      {"long", DType::Int64}};
  for (auto [alias, d] : aliases) m.attr(alias) = *objects[(int)d];
  m.def("promote_types", &promote, py::arg("type1"), py::arg("type2"), "The dtype that holds both.");

  py::class_<DeviceObject>(m, "device", "Where memory is: weft.device('cpu'), weft.device('cuda:0').")
      .def(py::init([](Device d) { return DeviceObject{d}; }), py::arg("device"))
      .def_property_readonly("type", [](const DeviceObject& d) { return d.value.is_cpu() ? "cpu" : "cuda"; })
      .def_property_readonly("index",
                             [](const DeviceObject& d) -> py::object {
                               return d.value.is_cpu() ? py::object(py::none())
                                                       : py::object(py::int_((int)d.value.index));
                             })
      .def("__eq__",
           [](const DeviceObject& a, py::handle b) {
             return py::isinstance<DeviceObject>(b) && a.value == b.cast<DeviceObject&>().value;
           })
      .def("__hash__", [](const DeviceObject& d) { return (int)d.value.kind * 256 + d.value.index; })
      .def("__str__", [](const DeviceObject& d) { return to_string(d.value); })
      .def("__repr__",
           [](const DeviceObject& d) {
             return d.value.is_cpu() ? std::string("device(type='cpu')")
                                     : cat("device(type='cuda', index=", (int)d.value.index, ")");
           })
      .def("__reduce__", [](const DeviceObject& d) {
        return py::make_tuple(py::module_::import("weft").attr("device"), py::make_tuple(to_string(d.value)));
      });
}

std::optional<Device> device_from(py::handle o) {
  if (py::isinstance<DeviceObject>(o)) return o.cast<DeviceObject&>().value;
  if (PyUnicode_Check(o.ptr())) return parse_device(o.cast<std::string>());
  if (PyLong_Check(o.ptr()) && !PyBool_Check(o.ptr())) return parse_device(cat("cuda:", o.cast<int>()));
  return std::nullopt;
}
py::object device_object(Device d) { return py::cast(DeviceObject{d}); }

}  // namespace weft

namespace pybind11::detail {

bool type_caster<weft::Dims>::load(handle src, bool) {
  value = {};
  auto push = [this](PyObject* o) {
    int64_t i = PyLong_AsLongLong(o);
    if (i == -1 && PyErr_Occurred()) throw error_already_set();
    value.push_back(i);
  };
  if (PyIndex_Check(src.ptr()) && !PySequence_Check(src.ptr())) {
    push(reinterpret_steal<object>(PyNumber_Index(src.ptr())).ptr());
    return true;
  }
  if (!PyTuple_Check(src.ptr()) && !PyList_Check(src.ptr())) return false;
  for (handle item : src) {
    if (!PyIndex_Check(item.ptr())) return false;
    object index = reinterpret_steal<object>(PyNumber_Index(item.ptr()));
    if (!index) throw error_already_set();
    push(index.ptr());
  }
  return true;
}

}  // namespace pybind11::detail
