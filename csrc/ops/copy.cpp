#include "ops/copy.h"

#include <cmath>

#include "base/half.h"
#include "kernels/copy.h"
#include "ops/layout.h"
#include "ops/reduce.h"
#include "ops/sparse.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

// dst and src of one shape on one device, not overlapping.
void launch_copy(const Tensor& dst, const Tensor& src) {
  int64_t n = dst.numel();
  if (n == 0) return;
  Copy a;
  a.dst = dst.data();
  a.src = src.data();
  a.dst_dtype = dst.dtype();
  a.src_dtype = src.dtype();
  if (dst.is_contiguous() && src.is_contiguous()) {
    a.ndim = 1;
    a.shape[0] = n;
    a.dst_strides[0] = a.src_strides[0] = 1;
  } else {
    const Dims strides[] = {dst.strides(), src.strides()};
    int64_t* merged[] = {a.dst_strides, a.src_strides};
    a.ndim = merge_dims(dst.shape(), 2, strides, a.shape, merged);
  }
  launch("copy", dst.device(), kernels<CopyKernels>(dst.device()).copy, a, (double)n);
}

bool succeeded(bool ok, Device device) {
  const DeviceRuntime& runtime = device_runtime(device.kind);
  WEFT_CHECK(ok, Runtime, "[copy] ", to_string(device), ": ", runtime.error ? runtime.error() : "copy failed");
  return ok;
}

// Both contiguous, of one dtype, on different devices.
void move_bytes(const Tensor& dst, const Tensor& src) {
  size_t bytes = (size_t)(src.numel() * src.itemsize());
  if (bytes == 0) return;
  if (!dst.device().is_cpu() && !src.device().is_cpu()) {
    Tensor host = Tensor::empty(src.shape(), src.dtype());
    move_bytes(host, src);
    move_bytes(dst, host);
    return;
  }
  at_each_run({dst, src}, [bytes](const TensorList& t) {
    WithoutGil free(true);  // a copy to the host waits for all work before it
    const Device to = t[0].device(), from = t[1].device();
    void *there = t[0].data(), *here = t[1].data();
    if (from.is_cpu())
      succeeded(device_runtime(to.kind).copy_from_host(there, here, bytes, to.index), to);
    else
      succeeded(device_runtime(from.kind).copy_to_host(there, here, bytes, from.index), from);
  });
}

void copy_across(const Tensor& dst, const Tensor& src) {
  Tensor packed = src;
  if (src.dtype() != dst.dtype() || !src.is_contiguous()) {
    packed = Tensor::empty(src.shape(), dst.dtype(), src.device());
    launch_copy(packed, src);
  }
  if (dst.is_contiguous()) return move_bytes(dst, packed);
  Tensor landed = Tensor::empty(dst.shape(), dst.dtype(), dst.device());
  move_bytes(landed, packed);
  launch_copy(dst, landed);
}

uint64_t bits_of(double value, DType dtype) {
  uint64_t bits = 0;
  auto put = [&](auto v) { __builtin_memcpy(&bits, &v, sizeof v); };
  switch (dtype) {
    case DType::Bool: put(value != 0); break;
    case DType::Float16: put(to_float16((float)value)); break;
    case DType::BFloat16: put(to_bfloat16((float)value)); break;
    case DType::Float32: put((float)value); break;
    case DType::Float64: put(value); break;
    default: put(std::isfinite(value) && std::fabs(value) < 0x1p63 ? (int64_t)value : INT64_MIN);
  }
  return bits;
}

void launch_fill(const Tensor& x, uint64_t bits) {
  int64_t n = x.numel();
  if (n == 0) return;
  Fill a;
  a.dst = x.data();
  a.bits = bits;
  a.itemsize = (int32_t)x.itemsize();
  int64_t* merged[] = {a.strides};
  a.ndim = merge_dims(x.shape(), 1, &x.strides(), a.shape, merged);
  launch("fill", x.device(), kernels<CopyKernels>(x.device()).fill, a, (double)n);
}

// A fresh contiguous tensor with x's elements, on the tape. The gradient is converted back.
Tensor fresh(const char* name, const Tensor& x, DType dtype, Device device) {
  Tensor y = Tensor::empty(x.shape(), dtype, device);
  copy_into(y, x);
  if (is_floating(dtype) && needs_grad(x))
    record(name, {x}, {y},
           [dtype = x.dtype(), device = x.device()](Backward& b) { return b.grads(to(to(b.dy(), device), dtype)); });
  return y;
}

}  // namespace

void copy_into(const Tensor& dst, const Tensor& src) {
  Tensor from = src;
  if (dst.shape() != src.shape()) {
    Dims shape = broadcast_shapes("copy_", dst.shape(), src.shape());
    WEFT_CHECK(shape == dst.shape(), Runtime, "[copy_] a source of shape ", to_string(src.shape()),
               " does not broadcast to the destination's shape ", to_string(dst.shape()));
    from = src.as_view(shape, broadcast_strides(src.shape(), src.strides(), shape), src.get()->offset);
  }
  if (dst.device() != src.device()) return copy_across(dst, from);
  if (overlaps(dst, from)) {
    Tensor aside = Tensor::empty(from.shape(), from.dtype(), from.device());
    launch_copy(aside, from);
    from = aside;
  }
  launch_copy(dst, from);
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : fresh("contiguous", x, x.dtype(), x.device()); }
Tensor clone(const Tensor& x) { return x.is_sparse() ? clone_sparse(x) : fresh("clone", x, x.dtype(), x.device()); }
Tensor to(const Tensor& x, DType dtype) { return x.dtype() == dtype ? x : fresh("to", x, dtype, x.device()); }
Tensor to(const Tensor& x, Device device) {
  if (x.device() == device) return x;
  if (!x.get()->storage->table) return fresh("to", x, x.dtype(), device);
  Unrecorded outlives_the_step;
  Tensor y = fresh("to", x, x.dtype(), device);
  y.get()->storage->table = true;
  return y;
}

Tensor& copy_(Tensor& dst, const Tensor& src) {
  InPlace change("copy_", dst);
  copy_into(dst, src);
  change.done();
  if (is_floating(dst.dtype()) && needs_grad(dst, src))
    record_inplace("copy_", dst, {dst, src},
                   [shape = src.shape(), dtype = src.dtype(), device = src.device()](Backward& b) {
                     Tensor dx = b.needs(0) ? Tensor::zeros(b.dy().shape(), b.dy().dtype(), b.dy().device()) : Tensor();
                     if (!b.needs(1)) return b.grads(dx, Tensor());
                     return b.grads(dx, to(to(sum_to(b.dy(), shape), device), dtype));
                   });
  return dst;
}

void fill_raw(const Tensor& x, double value) { launch_fill(x, bits_of(value, x.dtype())); }
void fill_raw_int(const Tensor& x, int64_t value) {
  bool whole = !is_floating(x.dtype()) && x.dtype() != DType::Bool;
  launch_fill(x, whole ? (uint64_t)value : bits_of(x.dtype() == DType::Bool ? value != 0 : (double)value, x.dtype()));
}

namespace {

void fill_in_place(const char* name, const Tensor& x, const Operand& value) {
  if (!value.is_number()) {
    WEFT_CHECK(value.tensor.dim() == 0, Runtime, "[fill_] expected a number or a 0-dimensional tensor, got shape ",
               to_string(value.tensor.shape()));
    Tensor dst = x;
    copy_(dst, value.tensor);
    return;
  }
  InPlace change(name, x);
  if (value.category == DType::Float32)
    fill_raw(x, value.number);
  else
    fill_raw_int(x, value.integer);
  change.done();
  if (needs_grad(x)) record_inplace(name, x, {x}, [](Backward&) { return TensorList(1); });
}

// x.to(dtype), x.to(device), x.to(device, dtype), x.to(other), and the same by keyword.
Tensor to_any(const Tensor& x, const py::args& args, std::optional<Device> device, std::optional<DType> dtype,
              bool copy, std::optional<MemoryFormat> format) {
  for (py::handle a : args) {
    if (is_tensor(a.ptr())) {
      dtype = tensor_of(a.ptr()).dtype();
      device = tensor_of(a.ptr()).device();
    } else if (auto d = PyLong_Check(a.ptr()) || PyUnicode_Check(a.ptr()) ? std::nullopt : dtype_from(a)) {
      dtype = d;
    } else if (PyBool_Check(a.ptr())) {  // non_blocking, by position
    } else if (!a.is_none()) {
      device = a.cast<Device>();
    }
  }
  DType t = dtype.value_or(x.dtype());
  Device d = device.value_or(x.device());
  const bool same = t == x.dtype() && d == x.device();
  Tensor y = !same ? fresh("to", x, t, d) : copy ? clone(x) : x;
  return format ? to_format("to", y, *format) : y;
}

template <DType dtype>
Tensor converted(const Tensor& x) {
  return to(x, dtype);
}

}  // namespace

void bind_copy(py::module_& m) {
  m.def("clone", &clone, py::arg("input"), "A copy with memory of its own; the gradient passes through.");
  def_method("clone", &clone, "A copy with memory of its own; the gradient passes through.");
  py::enum_<MemoryFormat>(m, "memory_format", "How the elements of a tensor lie in memory.")
      .value("contiguous_format", MemoryFormat::Contiguous, "Row-major.")
      .value("preserve_format", MemoryFormat::Preserve, "As they are.")
      .value("channels_last", MemoryFormat::ChannelsLast, "[N, C, H, W] with the channels of a pixel side by side.")
      .value("channels_last_3d", MemoryFormat::ChannelsLast3d, "The same for [N, C, D, H, W].")
      .export_values();
  def_method(
      "contiguous", [](const Tensor& x, MemoryFormat f) { return to_format("contiguous", x, f); },
      py::arg("memory_format") = MemoryFormat::Contiguous,
      "The tensor itself if its memory is in that order (row-major by default), else a copy that is.");
  def_method(
      "is_contiguous", [](const Tensor& x, MemoryFormat f) { return has_format("is_contiguous", x, f); },
      py::arg("memory_format") = MemoryFormat::Contiguous,
      "True if the elements lie in that order (row-major by default) without gaps.");
  def_method(
      "to", &to_any, py::kw_only(), py::arg("device") = py::none(), py::arg("dtype") = py::none(),
      py::arg("copy") = false, py::arg("memory_format") = py::none(),
      "The tensor with another dtype and on another device: to(dtype), to(device), to(device, dtype), to(other), and "
      "in\n"
      "another memory format: to(memory_format=weft.channels_last). The tensor itself if nothing changes and copy is\n"
      "False.");
  def_method("type", &to_any, py::kw_only(), py::arg("device") = py::none(), py::arg("dtype") = py::none(),
             py::arg("copy") = false, py::arg("memory_format") = py::none(), "The tensor with another dtype.");
  def_method(
      "type_as", [](const Tensor& x, const Tensor& other) { return to(to(x, other.device()), other.dtype()); },
      py::arg("other"), "The tensor with the dtype and on the device of another.");
  def_method("bool", &converted<DType::Bool>);
  def_method("byte", &converted<DType::UInt8>);
  def_method("char", &converted<DType::Int8>);
  def_method("short", &converted<DType::Int16>);
  def_method("int", &converted<DType::Int32>);
  def_method("long", &converted<DType::Int64>);
  def_method("half", &converted<DType::Float16>);
  def_method("bfloat16", &converted<DType::BFloat16>);
  def_method("float", &converted<DType::Float32>);
  def_method("double", &converted<DType::Float64>);
  def_method("cpu", [](const Tensor& x) { return to(x, Device{}); });
  def_method(
      "cuda",
      [](const Tensor& x, std::optional<int> device) {
        return to(x, Device{DeviceKind::CUDA, (int8_t)device.value_or(0)});
      },
      py::arg("device") = py::none());
  def_method(
      "copy_",
      [](Tensor self, const Tensor& src, bool) {
        copy_(self, src);
        return self;
      },
      py::arg("src"), py::arg("non_blocking") = false,
      "Copies src into this tensor: broadcast, converted, from any device. In place.");
  def_method(
      "fill_",
      [](const Tensor& self, const Operand& value) {
        fill_in_place("fill_", self, value);
        return self;
      },
      py::arg("value"), "Sets every element to a number or to a 0-dimensional tensor. In place.");
  def_method(
      "zero_",
      [](const Tensor& self) {
        fill_in_place("zero_", self, Operand{{}, 0, 0, DType::Int64});
        return self;
      },
      "Sets every element to zero. In place.");
}

}  // namespace weft
