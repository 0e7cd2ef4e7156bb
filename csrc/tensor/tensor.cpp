#include "tensor/tensor.h"

#include "base/allocator.h"
#include "ops/copy.h"
#include "tensor/autograd.h"
#include "tensor/devices.h"

namespace weft {

namespace {
thread_local bool inference = false;
}  // namespace

bool inference_mode() { return inference; }
void set_inference_mode(bool on) { inference = on; }

namespace {

void* allocate_on(Device d, size_t bytes) {
  if (d.is_cpu()) return allocate_cpu(bytes);
  return use_device(d).allocate(bytes, d.index);
}

}  // namespace

Storage::Storage(size_t bytes, Device device) : bytes(bytes), device(device) {
  Recorder* recorder = anybody_records() ? current_recorder() : nullptr;
  if (Arena* own = recorder ? recorder->arena(device) : nullptr) {
    arena = Ref<Arena>(own);
    data = arena->allocate(bytes);
  } else {
    data = allocate_on(device, bytes);
  }
  WEFT_CHECK(data, Memory, "cannot allocate ", bytes, " bytes on ", to_string(device),
             device.is_cpu() ? "" : cat(": ", device_runtime(device.kind).error()));
  if (recorder) recorder->used(*this);
}

Storage::~Storage() {
  if (deleter) {
    deleter(owner);
  } else if (data) {
    if (arena)
      arena->release(data, bytes);
    else if (device.is_cpu())
      release_cpu(data, bytes);
    else
      device_runtime(device.kind).release(data, bytes, device.index);
  }
}

void refuse_sparse() {
  fail(ErrorKind::NotImplemented,
       "this operation expects dense tensors, got a sparse one: use to_dense(), or work on its indices() and values()");
}

TensorImpl::~TensorImpl() { dispose(std::move(grad_fn)); }

Tensor Tensor::empty(const Dims& shape, DType dtype, Device device) {
  Ref<TensorImpl> impl = make_ref<TensorImpl>();
  int64_t bytes;
  bool overflow = __builtin_mul_overflow(numel_of(shape), size_of(dtype), &bytes);
  WEFT_CHECK(!overflow, Overflow, "a tensor of shape ", to_string(shape), " and dtype ", name_of(dtype),
             " has more bytes than fit an address");
  impl->storage = make_ref<Storage>((size_t)bytes, device);
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

Tensor Tensor::table(const Dims& shape, DType dtype) {
  const bool recorded = anybody_records() && current_recorder();
  Unrecorded outlives_the_step;
  Tensor t = empty(shape, dtype);
  t.get()->storage->table = recorded;
  return t;
}

Tensor Tensor::full(const Dims& shape, double value, DType dtype, Device device) {
  Tensor t = empty(shape, dtype, device);
  fill_raw(t, value);
  return t;
}

Tensor Tensor::zeros(const Dims& shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }

Tensor Tensor::as_view(const Dims& shape, const Dims& strides, int64_t offset) const {
  if (is_sparse() && !(shape == this->shape() && strides == this->strides())) refuse_sparse();
  Ref<TensorImpl> impl = make_ref<TensorImpl>();
  impl->storage = impl_->storage;
  impl->offset = offset;
  impl->shape = shape;
  impl->strides = strides;
  impl->dtype = impl_->dtype;
  impl->view_base = impl_->view_base ? impl_->view_base : impl_;
  impl->view_version = version();
  return Tensor(std::move(impl));
}

Tensor Tensor::detach() const {
  Tensor t = as_view(shape(), strides(), impl_->offset);
  t.impl_->view_base.reset();
  return t;
}

void Tensor::set_requires_grad(bool on) const {
  WEFT_CHECK(on || is_leaf(), Runtime,
             "[requires_grad_] only leaf tensors can stop requiring a gradient; use detach() for others");
  WEFT_CHECK(!on || is_floating(dtype()), Runtime,
             "[requires_grad_] only tensors of floating dtype can require gradients, got ", name_of(dtype()));
  WEFT_CHECK(!on || !impl_->storage->inference || inference_mode(), Runtime,
             "[requires_grad_] a tensor made in inference mode cannot require gradients outside of it; use clone()");
  impl_->requires_grad = on;
}

TensorList borrowed(const TensorList& tensors) {
  TensorList list;
  for (const Tensor& t : tensors) {
    list.push_back(t.detach());
    Storage& s = *t.get()->storage;
    note_use(s);
    list.back().get()->storage = make_ref<Storage>(s.data, s.bytes, s.device, [](void*) {}, nullptr);
  }
  return list;
}

namespace {

// The one element of t, on the host.
void read_one(const Tensor& t, void* out) {
  WEFT_CHECK(t.numel() == 1, Runtime, "[item] a tensor with ", t.numel(),
             " elements cannot be converted to a number; shape ", to_string(t.shape()));
  if (anybody_records()) note_host_read("item()");
  Tensor host = to(t.detach(), Device{});
  __builtin_memcpy(out, host.data(), (size_t)host.itemsize());
}

}  // namespace

double Tensor::item() const {
  if (dtype() == DType::Float32) {
    float v;
    read_one(*this, &v);
    return v;
  }
  if (!is_floating(dtype())) return (double)item_int();
  double v;
  read_one(to(detach(), DType::Float64), &v);
  return v;
}

int64_t Tensor::item_int() const {
  int64_t v;
  read_one(to(detach(), DType::Int64), &v);
  return v;
}

}  // namespace weft
