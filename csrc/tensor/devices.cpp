// How the CUDA module reaches the core (capsules of the tables that it fills), and CUDA arrays across the border to
// other libraries (__cuda_array_interface__, version 3; numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html).
#include "tensor/devices.h"
#include "kernels/table.h"

#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

DeviceRuntime& use_device(Device device) {
  DeviceRuntime& runtime = device_runtime(device.kind);
  if (!runtime.allocate) {
    py::gil_scoped_acquire gil;
    py::module_::import("weft.cuda").attr("_load")();
  }
  return runtime;
}

namespace {

// The size travels with the pointer, so that a module of another build is refused.
template <class T>
py::capsule table_capsule(T& table, const char* name) {
  py::capsule c(&table, name);
  PyCapsule_SetContext(c.ptr(), (void*)sizeof(T));
  return c;
}

struct TypeName {
  const char* name;
  DType dtype;
};
constexpr TypeName kTypeNames[] = {{"|b1", DType::Bool},    {"|u1", DType::UInt8},   {"|i1", DType::Int8},
                                   {"<i2", DType::Int16},   {"<i4", DType::Int32},   {"<i8", DType::Int64},
                                   {"<f2", DType::Float16}, {"<f4", DType::Float32}, {"<f8", DType::Float64}};

py::dict cuda_array_interface(const Tensor& x) {
  if (!x.device().is_cuda())
    throw py::attribute_error("__cuda_array_interface__: the tensor is on the CPU; move it with .to('cuda')");
  WEFT_CHECK(!(x.requires_grad() && grad_enabled()), Runtime,
             "[__cuda_array_interface__] the tensor requires a gradient, which another library cannot follow; use "
             "detach() first");
  const char* typestr = nullptr;
  for (const TypeName& t : kTypeNames)
    if (t.dtype == x.dtype()) typestr = t.name;
  WEFT_CHECK(typestr, Type, "[__cuda_array_interface__] has no name for ", name_of(x.dtype()),
             "; convert it, for example with .float()");
  py::tuple strides(x.dim());
  for (int i = 0; i < x.dim(); ++i) strides[i] = x.strides()[i] * x.itemsize();
  auto stream = reinterpret_cast<uintptr_t>(use_device(x.device()).stream(x.device().index));
  py::dict d;
  d["shape"] = x.shape();
  d["typestr"] = typestr;
  d["data"] = py::make_tuple(x.numel() ? reinterpret_cast<uintptr_t>(x.data()) : 0, !x.get()->storage->writable);
  d["version"] = 3;
  d["strides"] = x.is_contiguous() ? py::object(py::none()) : strides;
  d["stream"] = stream ? stream : 1;  // 1: the legacy default stream
  return d;
}

// A tensor over the memory that `interface` describes; `owner` is kept alive. The caller orders the streams.
Tensor from_cuda_array(const py::dict& interface, Device device, py::object owner) {
  constexpr const char* op = "from_cupy";
  auto typestr = interface["typestr"].cast<std::string>();
  std::optional<DType> dtype;
  for (const TypeName& t : kTypeNames)
    if (typestr == t.name) dtype = t.dtype;
  WEFT_CHECK(dtype, Type, "[", op, "] expected a dtype that weft has, got '", typestr, "'");
  WEFT_CHECK(!interface.contains("mask") || interface["mask"].is_none(), Type, "[", op, "] masks are not supported");
  auto shape = interface["shape"].cast<Dims>();
  int64_t item = size_of(*dtype), extent = numel_of(shape) > 0 ? 1 : 0;
  Dims strides = contiguous_strides(shape);
  if (interface.contains("strides") && !interface["strides"].is_none()) {
    auto bytes = interface["strides"].cast<Dims>();
    WEFT_CHECK(bytes.n == shape.n, Value, "[", op, "] expected ", shape.n, " strides, got ", bytes.n);
    for (int i = 0; i < shape.n; ++i) {
      WEFT_CHECK(bytes[i] >= 0 || shape[i] <= 1, Value, "[", op, "] expected strides >= 0, got ", to_string(bytes),
                 "; copy the array first");
      WEFT_CHECK(bytes[i] % item == 0, Value, "[", op, "] expected strides in whole elements, got ", to_string(bytes));
      strides[i] = shape[i] <= 1 ? strides[i] : bytes[i] / item;
    }
  }
  if (extent)
    for (int i = 0; i < shape.n; ++i) extent += (shape[i] - 1) * strides[i];
  auto data = interface["data"].cast<py::tuple>();
  auto address = data[0].is_none() ? 0 : data[0].cast<uintptr_t>();
  WEFT_CHECK(address || !extent, Value, "[", op, "] the array has elements but no memory");
  WEFT_CHECK(address % (uintptr_t)item == 0, Value, "[", op, "] the array's memory is not aligned to its elements");
  use_device(device);
  auto release = [](void* o) {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    Py_DECREF(static_cast<PyObject*>(o));
  };
  Ref<TensorImpl> impl = make_ref<TensorImpl>();
  impl->storage = make_ref<Storage>(reinterpret_cast<void*>(address), (size_t)(extent * item), device, release,
                                    owner.release().ptr());
  impl->storage->writable = !data[1].cast<bool>();
  impl->shape = shape;
  impl->strides = strides;
  impl->dtype = *dtype;
  return Tensor(std::move(impl));
}

}  // namespace

void bind_devices(py::module_& m) {
  m.def("_cuda_kernels", [] { return table_capsule(kernel_table((int)DeviceKind::CUDA), "weft.Kernels"); });
  m.def("_cuda_runtime", [] { return table_capsule(device_runtime(DeviceKind::CUDA), "weft.DeviceRuntime"); });
  m.def("_from_cuda_array", &from_cuda_array, py::arg("interface"), py::arg("device"), py::arg("owner"));
  py::object property = py::module_::import("builtins").attr("property");
  tensor_class().attr("__cuda_array_interface__") =
      property(py::cpp_function(&cuda_array_interface, py::is_method(tensor_class())));
}

}  // namespace weft
