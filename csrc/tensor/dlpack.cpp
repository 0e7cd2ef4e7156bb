#include "tensor/dlpack.h"

#include "ops/copy.h"
#include "tensor/devices.h"

namespace weft {

namespace {

// ---- layouts of the specification, version 1.0 ----

enum : int32_t { kCpu = 1, kCuda = 2, kCudaHost = 3, kCudaManaged = 13 };
enum : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBFloat = 4, kBool = 6 };
constexpr uint64_t kReadOnly = 1, kCopied = 2;

struct DLType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: contiguous
  uint64_t byte_offset;
};
struct Managed {  // before versions
  DLTensor tensor;
  void* context;
  void (*deleter)(Managed*);
};
struct Versioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(Versioned*);
  uint64_t flags;
  DLTensor tensor;
};

template <class M>
constexpr const char* fresh_name = nullptr;
template <>
constexpr const char* fresh_name<Managed> = "dltensor";
template <>
constexpr const char* fresh_name<Versioned> = "dltensor_versioned";
template <class M>
constexpr const char* used_name = nullptr;
template <>
constexpr const char* used_name<Managed> = "used_dltensor";
template <>
constexpr const char* used_name<Versioned> = "used_dltensor_versioned";

// ---- out ----

DLType type_of(DType d) {
  const uint8_t code = d == DType::Bool       ? kBool
                       : d == DType::UInt8    ? kUInt
                       : d == DType::BFloat16 ? kBFloat
                       : is_floating(d)       ? kFloat
                                              : kInt;
  return {code, (uint8_t)(8 * size_of(d)), 1};
}

template <class M>
struct Export {  // what a capsule points to, and what keeps the memory
  M managed;
  Tensor tensor;
};

template <class M>
py::capsule capsule_of(const Tensor& x, uint64_t flags) {
  auto* e = new Export<M>{{}, x.detach()};
  TensorImpl* impl = e->tensor.get();
  impl->storage->exposed = true;
  e->managed.tensor = {e->tensor.data(),    dlpack_device(x),      x.dim(), type_of(x.dtype()),
                       impl->shape.begin(), impl->strides.begin(), 0};
  e->managed.context = e;
  e->managed.deleter = [](M* m) { delete static_cast<Export<M>*>(m->context); };
  if constexpr (std::is_same_v<M, Versioned>) {
    e->managed.major = 1;
    e->managed.minor = 0;
    e->managed.flags = flags;
  }
  return py::reinterpret_steal<py::capsule>(PyCapsule_New(&e->managed, fresh_name<M>, [](PyObject* capsule) {
    if (!PyCapsule_IsValid(capsule, fresh_name<M>)) return;  // somebody took it over
    M* m = static_cast<M*>(PyCapsule_GetPointer(capsule, fresh_name<M>));
    if (m->deleter) m->deleter(m);
  }));
}

// ---- in ----

DType dtype_of_dlpack(DLType t) {
  for (int i = 0; i < kDTypes; ++i) {
    DLType have = type_of((DType)i);
    if (have.code == t.code && have.bits == t.bits && t.lanes == 1) return (DType)i;
  }
  fail(ErrorKind::Type, cat("[from_dlpack] dtype of code ", (int)t.code, ", ", (int)t.bits, " bits and ", t.lanes,
                            " lanes has no counterpart in weft"));
}

Device device_of_dlpack(DLDevice d) {
  if (d.type == kCpu || d.type == kCudaHost) return {};
  WEFT_CHECK(d.type == kCuda || d.type == kCudaManaged, Value, "[from_dlpack] expected memory of the CPU or of CUDA, ",
             "got device type ", d.type);
  return {DeviceKind::CUDA, (int8_t)d.index};
}

template <class M>
void drop(void* owner) {
  if (!Py_IsInitialized()) return;  // at exit the memory goes with the process
  py::gil_scoped_acquire gil;
  M* m = static_cast<M*>(owner);
  if (m->deleter) m->deleter(m);
}

template <class M>
Tensor taken(M* m) {
  const DLTensor& t = m->tensor;
  WEFT_CHECK(t.ndim >= 0 && t.ndim <= kMaxDims, Value, "[from_dlpack] a tensor of ", t.ndim,
             " dimensions is too much, the limit is ", kMaxDims);
  Ref<TensorImpl> impl = make_ref<TensorImpl>();
  impl->dtype = dtype_of_dlpack(t.dtype);
  Device device = device_of_dlpack(t.device);
  for (int i = 0; i < t.ndim; ++i) impl->shape.push_back(t.shape[i]);
  impl->strides = contiguous_strides(impl->shape);
  int64_t extent = numel_of(impl->shape) > 0;
  for (int i = 0; i < t.ndim; ++i) {
    if (t.strides && t.shape[i] > 1) impl->strides[i] = t.strides[i];
    WEFT_CHECK(impl->strides[i] >= 0, Value, "[from_dlpack] expected strides >= 0, got ", to_string(impl->strides),
               "; copy the array first");
    if (extent) extent += (t.shape[i] - 1) * impl->strides[i];
  }
  char* data = static_cast<char*>(t.data) + t.byte_offset;
  WEFT_CHECK(!extent || reinterpret_cast<uintptr_t>(data) % (uintptr_t)size_of(impl->dtype) == 0, Value,
             "[from_dlpack] the memory is not aligned to its elements");
  if (!device.is_cpu()) use_device(device);
  impl->storage = make_ref<Storage>(data, (size_t)(extent * size_of(impl->dtype)), device, &drop<M>, (void*)m);
  return Tensor(std::move(impl));
}

template <class M>
Tensor take(py::handle capsule) {
  M* m = static_cast<M*>(PyCapsule_GetPointer(capsule.ptr(), fresh_name<M>));
  if constexpr (std::is_same_v<M, Versioned>)
    WEFT_CHECK(m->major == 1, Value, "[from_dlpack] expected version 1 of DLPack, got ", m->major, ".", m->minor);
  Tensor x = taken(m);
  PyCapsule_SetName(capsule.ptr(), used_name<M>);
  return x;
}

// ---- negotiation ----

[[noreturn]] void refuse(const std::string& message) {
  PyErr_SetString(PyExc_BufferError, message.c_str());
  throw py::error_already_set();
}

// The consumer's stream waits for ours: by waiting here, unless they are the same.
void order_streams(const Tensor& x, const py::object& stream) {
  if (x.device().is_cpu()) {
    WEFT_CHECK(stream.is_none() || stream.cast<int64_t>() == -1, Value,
               "[__dlpack__] a tensor on the CPU takes no stream, got ", std::string(py::repr(stream)));
    return;
  }
  const int64_t wanted = stream.is_none() ? 1 : stream.cast<int64_t>();
  WEFT_CHECK(wanted != 0, Value, "[__dlpack__] stream 0 is ambiguous; pass 1 or 2");
  if (wanted == -1) return;
  DeviceRuntime& runtime = use_device(x.device());
  const auto ours = reinterpret_cast<intptr_t>(runtime.stream(x.device().index));
  if ((ours ? ours : 1) != wanted)
    WEFT_CHECK(runtime.synchronize(x.device().index), Runtime, "[__dlpack__] ", runtime.error());
}

py::capsule dlpack(const Tensor& self, py::object stream, std::optional<std::pair<int, int>> max_version,
                   std::optional<std::pair<int, int>> dl_device, std::optional<bool> copy) {
  if (self.requires_grad())
    refuse("[__dlpack__] the tensor requires a gradient, which another library cannot follow; use detach() first");
  Tensor x = self;
  if (dl_device) {
    Device target = device_of_dlpack({dl_device->first, dl_device->second});
    if (target != x.device() && copy == false)
      refuse(cat("[__dlpack__] cannot go from ", to_string(x.device()), " to ", to_string(target), " without a copy"));
    x = to(x, target);
  }
  if (copy == true && x.get()->storage == self.get()->storage) x = clone(x);
  order_streams(x, x.device() == self.device() ? stream : py::none());
  return dlpack_export(x, max_version && max_version->first >= 1, x.get()->storage != self.get()->storage);
}

py::capsule ask(const py::object& source, py::dict wishes) {
  wishes["max_version"] = py::make_tuple(1, 0);
  try {
    return source.attr("__dlpack__")(**wishes);
  } catch (py::error_already_set& e) {
    if (!e.matches(PyExc_TypeError)) throw;  // else it knows no versions yet
  }
  py::dict old;
  if (wishes.contains("stream")) old["stream"] = wishes["stream"];
  return source.attr("__dlpack__")(**old);
}

Tensor from_dlpack(const py::object& source, std::optional<Device> device, std::optional<bool> copy) {
  bool copied = false;
  if (PyCapsule_CheckExact(source.ptr())) {
    Tensor x = dlpack_import(source, &copied);
    Tensor y = device ? to(x, *device) : x;
    return copy == true && !copied && y.get()->storage == x.get()->storage ? clone(y) : y;
  }
  WEFT_CHECK(py::hasattr(source, "__dlpack__") && py::hasattr(source, "__dlpack_device__"), Type,
             "[from_dlpack] expected an object with __dlpack__ and __dlpack_device__, got ",
             Py_TYPE(source.ptr())->tp_name);
  auto [type, index] = source.attr("__dlpack_device__")().cast<std::pair<int, int>>();
  const Device from = device_of_dlpack({type, index});
  py::dict wishes;
  if (from.is_cuda()) {
    const auto ours = reinterpret_cast<intptr_t>(use_device(from).stream(from.index));
    wishes["stream"] = ours ? ours : 1;
  }
  if (copy) wishes["copy"] = *copy;
  if (device && *device != from)
    wishes["dl_device"] =
        device->is_cpu() ? py::make_tuple((int)kCpu, 0) : py::make_tuple((int)kCuda, (int)device->index);
  Tensor x = dlpack_import(ask(source, wishes), &copied);
  if (device && x.device() != *device) {
    if (copy == false)
      refuse(
          cat("[from_dlpack] cannot go from ", to_string(x.device()), " to ", to_string(*device), " without a copy"));
    return to(x, *device);
  }
  return copy == true && !copied ? clone(x) : x;
}

}  // namespace

DLDevice dlpack_device(const Tensor& x) {
  return {x.device().is_cpu() ? kCpu : kCuda, x.device().is_cpu() ? 0 : x.device().index};
}

py::capsule dlpack_export(const Tensor& x, bool versioned, bool copied) {
  const bool writable = x.get()->storage->writable;
  if (!versioned && !writable)
    refuse("[__dlpack__] the memory is read-only, which only DLPack 1.0 can say; ask with max_version=(1, 0)");
  if (anybody_records()) note_host_read("__dlpack__");
  if (!versioned) return capsule_of<Managed>(x, 0);
  return capsule_of<Versioned>(x, (writable ? 0 : kReadOnly) | (copied ? kCopied : 0));
}

Tensor dlpack_import(py::handle capsule, bool* copied) {
  if (PyCapsule_IsValid(capsule.ptr(), fresh_name<Versioned>)) {
    const uint64_t flags = static_cast<Versioned*>(PyCapsule_GetPointer(capsule.ptr(), fresh_name<Versioned>))->flags;
    Tensor x = take<Versioned>(capsule);
    x.get()->storage->writable = !(flags & kReadOnly);
    if (copied) *copied = flags & kCopied;
    return x;
  }
  WEFT_CHECK(PyCapsule_IsValid(capsule.ptr(), fresh_name<Managed>), Value,
             "[from_dlpack] expected a capsule named dltensor or dltensor_versioned, not used up before, got ",
             std::string(py::repr(capsule)));
  return take<Managed>(capsule);
}

void bind_dlpack(py::module_& m) {
  def_method("__dlpack__", &dlpack, py::kw_only(), py::arg("stream") = py::none(), py::arg("max_version") = py::none(),
             py::arg("dl_device") = py::none(), py::arg("copy") = py::none(),
             "A DLPack capsule over the same memory. BufferError if the tensor requires grad.");
  def_method("__dlpack_device__", [](const Tensor& x) {
    DLDevice d = dlpack_device(x);
    return py::make_tuple(d.type, d.index);
  });
  m.def("from_dlpack", &from_dlpack, py::arg("ext_tensor"), py::kw_only(), py::arg("device") = py::none(),
        py::arg("copy") = py::none(),
        "A tensor over the memory of another library's array (anything with __dlpack__), or of a DLPack capsule.\n"
        "copy: True always copies, False never does (BufferError where it would have to).");
  m.def(
      "to_dlpack", [](const Tensor& x) { return dlpack(x, py::none(), std::nullopt, std::nullopt, std::nullopt); },
      py::arg("tensor"), "A DLPack capsule of the form before versions. Newer libraries call __dlpack__ themselves.");
}

}  // namespace weft
