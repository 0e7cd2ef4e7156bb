#include "tensor/numpy.h"

#include <pybind11/numpy.h>

#include "ops/copy.h"
#include "tensor/python.h"

namespace weft {

namespace {

void drop_array(void* owner) {
  if (!Py_IsInitialized()) return;  // at exit the memory goes with the process
  py::gil_scoped_acquire gil;
  Py_DECREF(static_cast<PyObject*>(owner));
}

// Sequences that hold tensors become sequences that hold arrays.
py::object without_tensors(py::object data) {
  if (is_tensor(data.ptr())) return numpy_from(tensor_of(data.ptr()), true);
  if (!PyList_Check(data.ptr()) && !PyTuple_Check(data.ptr())) return data;
  bool any = false;
  for (py::handle h : data) any = any || is_tensor(h.ptr()) || PyList_Check(h.ptr()) || PyTuple_Check(h.ptr());
  if (!any) return data;
  py::list out;
  for (py::handle h : data) out.append(without_tensors(py::reinterpret_borrow<py::object>(h)));
  return out;
}

Tensor view_of_array(const py::array& a, DType dtype) {
  WEFT_CHECK(a.ndim() <= kMaxDims, Value, "an array of ", a.ndim(), " dimensions is too much, the limit is ", kMaxDims);
  Ref<TensorImpl> impl = make_ref<TensorImpl>();
  int64_t span = 0;
  for (int i = 0; i < a.ndim(); ++i) {
    impl->shape.push_back(a.shape(i));
    impl->strides.push_back(a.strides(i) / a.itemsize());
    span += a.shape(i) > 0 ? (a.shape(i) - 1) * a.strides(i) : 0;
  }
  PyObject* owner = a.ptr();
  Py_INCREF(owner);
  impl->storage = Ref<Storage>(
      new Storage(const_cast<void*>(a.data()), (size_t)(span + a.itemsize()), Device{}, &drop_array, owner));
  impl->storage->writable = a.writeable();
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

}  // namespace

std::optional<DType> dtype_from_numpy(py::handle dtype) {
  char kind = dtype.attr("kind").cast<std::string>()[0];
  auto size = dtype.attr("itemsize").cast<int>();
  if (kind == 'b') return DType::Bool;
  if (kind == 'u' && size == 1) return DType::UInt8;
  if (kind == 'i') {
    if (size == 1) return DType::Int8;
    if (size == 2) return DType::Int16;
    if (size == 4) return DType::Int32;
    if (size == 8) return DType::Int64;
  }
  if (kind == 'f') {
    if (size == 2) return DType::Float16;
    if (size == 4) return DType::Float32;
    if (size == 8) return DType::Float64;
  }
  return std::nullopt;
}

py::object numpy_dtype(DType d) {
  WEFT_CHECK(d != DType::BFloat16, Type,
             "[numpy] NumPy has no bfloat16; convert with .float() first, or use numpy(force=True)");
  return py::dtype(name_of(d));
}

Tensor tensor_from_python(py::object data, std::optional<DType> dtype, DType float_dtype, bool copy) {
  if (py::hasattr(data, "__cuda_array_interface__")) {  // CuPy and its kin: stays on its GPU
    py::object found = py::module_::import("weft.cuda").attr("from_cupy")(data);
    const Tensor& t = tensor_of(found.ptr());
    Tensor y = dtype ? to(t, *dtype) : t;
    return copy && y.get()->storage == t.get()->storage ? clone(y) : y;
  }
  bool has_dtype = py::hasattr(data, "dtype");
  const bool number = PyFloat_CheckExact(data.ptr()) || PyLong_CheckExact(data.ptr()) || PyBool_Check(data.ptr());
  if (anybody_records() && !number) note_cannot_replay("a tensor is made of data of Python or NumPy");
  Unrecorded once;  // a number in a program stays what it is
  py::array a;
  try {
    a = py::array(py::module_::import("numpy").attr("asarray")(without_tensors(data)));
  } catch (py::error_already_set& e) {
    if (!e.matches(PyExc_ValueError) && !e.matches(PyExc_TypeError)) throw;
    fail(ErrorKind::Value, cat("[tensor] cannot make a tensor of the data: ", e.what()));
  }
  std::optional<DType> found = dtype_from_numpy(a.dtype());
  if (!found && a.dtype().kind() == 'u') {  // unsigned integers that Weft lacks
    WEFT_CHECK(dtype, Type, "[tensor] dtype ", std::string(py::str(a.dtype())),
               " has no counterpart; pass dtype= or convert the array first");
    a = py::array(a.attr("astype")("int64"));
    found = DType::Int64;
  }
  WEFT_CHECK(found, Type, "[tensor] cannot make a tensor of data with dtype ", std::string(py::str(a.dtype())),
             "; supported are bool, integers and floats");
  if (!has_dtype && is_floating(*found) && !dtype) dtype = float_dtype;

  bool usable = a.dtype().attr("isnative").cast<bool>();
  for (int i = 0; i < a.ndim(); ++i)
    usable = usable && (a.strides(i) >= 0 || a.shape(i) <= 1) && a.strides(i) % a.itemsize() == 0;
  usable = usable && reinterpret_cast<uintptr_t>(a.data()) % (size_t)a.itemsize() == 0;
  if (!usable) {
    a = py::array(py::module_::import("numpy")
                      .attr("ascontiguousarray")(a, a.dtype().attr("newbyteorder")("="))
                      .attr("reshape")(a.attr("shape")));
  }
  Tensor t = view_of_array(a, *found);
  Tensor y = dtype ? to(t, *dtype) : t;
  // Memory that NumPy made on the way is ours alone already.
  bool shared = y.get()->storage == t.get()->storage && (a.ptr() == data.ptr() || !a.owndata());
  return copy && shared ? clone(y) : y;
}

py::object numpy_from(const Tensor& x, bool force) {
  WEFT_CHECK(force || !x.requires_grad(), Runtime,
             "[numpy] the tensor requires grad and NumPy would not see changes of the tape; use detach().numpy()");
  WEFT_CHECK(force || x.device().is_cpu(), Type, "[numpy] the tensor is on ", to_string(x.device()),
             "; use cpu() first, or numpy(force=True)");
  if (anybody_records()) note_host_read("numpy()");
  Tensor t = to(x.detach(), Device{});
  if (force && t.dtype() == DType::BFloat16) t = to(t, DType::Float32);
  py::object dtype = numpy_dtype(t.dtype());
  std::vector<py::ssize_t> shape(t.shape().begin(), t.shape().end()), strides;
  for (int64_t s : t.strides()) strides.push_back(s * t.itemsize());
  t.get()->storage->exposed = true;
  auto* keep = new Ref<TensorImpl>(t.ref());
  py::capsule owner(keep, [](void* p) { delete static_cast<Ref<TensorImpl>*>(p); });
  py::array a(py::dtype::from_args(dtype), shape, strides, t.data(), owner);
  if (!t.get()->storage->writable) a.attr("setflags")(py::arg("write") = false);
  return a;
}

namespace {

const char* format_of(DType d) {
  switch (d) {
    case DType::Bool: return "?";
    case DType::UInt8: return "B";
    case DType::Int8: return "b";
    case DType::Int16: return "h";
    case DType::Int32: return "i";
    case DType::Int64: return sizeof(long) == 8 ? "l" : "q";
    case DType::Float16: return "e";
    case DType::Float32: return "f";
    case DType::Float64: return "d";
    default: return nullptr;
  }
}

struct BufferRoom {
  Tensor tensor;
  Py_ssize_t shape[kMaxDims], strides[kMaxDims];
};

// Why x cannot be given as `flags` ask; null if it can.
const char* buffer_refusal(const Tensor& x, int flags) {
  auto asks = [flags](int what) { return (flags & what) == what; };
  if (!x.device().is_cpu()) return "the tensor is not on the CPU; use cpu() first";
  if (x.requires_grad()) return "the tensor requires grad; use detach() first";
  if (!format_of(x.dtype())) return "Python has no bfloat16; convert with .float() first";
  if (asks(PyBUF_WRITABLE) && !x.get()->storage->writable) return "the memory is read-only";
  if ((asks(PyBUF_C_CONTIGUOUS) || !asks(PyBUF_STRIDES)) && !x.is_contiguous())
    return "the tensor is not contiguous; use contiguous() first";
  if (asks(PyBUF_F_CONTIGUOUS)) {
    Dims shape, strides;
    for (int d = x.dim() - 1; d >= 0; --d) shape.push_back(x.shape()[d]), strides.push_back(x.strides()[d]);
    if (!is_contiguous(shape, strides)) return "the tensor is not contiguous by columns";
  }
  return nullptr;
}

}  // namespace

int fill_buffer(const Tensor& x, PyObject* self, Py_buffer* view, int flags) {
  view->obj = nullptr;
  if (const char* why = buffer_refusal(x, flags)) {
    PyErr_Format(PyExc_BufferError, "[buffer] %s", why);
    return -1;
  }
  if (anybody_records()) note_host_read("the buffer protocol");
  auto* room = new BufferRoom{x.detach(), {}, {}};
  for (int d = 0; d < x.dim(); ++d) {
    room->shape[d] = x.shape()[d];
    room->strides[d] = x.strides()[d] * x.itemsize();
  }
  x.get()->storage->exposed = true;
  view->buf = room->tensor.data();
  view->obj = Py_NewRef(self);
  view->len = x.numel() * x.itemsize();
  view->itemsize = x.itemsize();
  view->readonly = !x.get()->storage->writable;
  view->ndim = x.dim();
  view->format = flags & PyBUF_FORMAT ? const_cast<char*>(format_of(x.dtype())) : nullptr;
  view->shape = flags & PyBUF_ND ? room->shape : nullptr;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? room->strides : nullptr;
  view->suboffsets = nullptr;
  view->internal = room;
  return 0;
}

void release_buffer(Py_buffer* view) { delete static_cast<BufferRoom*>(view->internal); }

}  // namespace weft
