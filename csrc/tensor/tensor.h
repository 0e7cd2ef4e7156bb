// Tensor: a view (shape, strides, offset) of a shared buffer, and its place on the tape.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/device.h"
#include "base/dtype.h"
#include "base/error.h"
#include "base/ref.h"
#include "base/shape.h"
#include "tensor/recorder.h"

struct _object;  // PyObject, without Python.h

namespace weft {

struct Node;
class Tensor;

// Inference mode of this thread: nothing is recorded, and memory made now is never to be saved for a backward pass.
bool inference_mode();
void set_inference_mode(bool on);

// A block of memory on one device. The version counts in-place changes; all views share it.
struct Storage : RefCounted {
  void* data = nullptr;
  size_t bytes = 0;
  Device device;
  std::atomic<uint32_t> version{0};
  void (*deleter)(void* owner) = nullptr;  // foreign memory (a NumPy array); null: from our allocator
  void* owner = nullptr;
  bool writable = true;
  bool inference = inference_mode();
  bool table = false;        // filled once by the host, the same for every replay of a recorded step
  bool exposed = false;      // others have its address (NumPy, DLPack) and may write to it without a new version
  Ref<Arena> arena;          // of the recorded step that this is memory of
  Ref<RefCounted> attached;  // copies made of one version (ops/packed.h)
  Ref<RefCounted> sparse;    // instead of memory: some rows of a table (ops/sparse.h)

  Storage(size_t bytes, Device device);  // MemoryError naming size and device
  Storage(void* data, size_t bytes, Device device, void (*deleter)(void*), void* owner)
      : data(data), bytes(bytes), device(device), deleter(deleter), owner(owner) {}
  ~Storage() override;
};

[[noreturn]] void refuse_sparse();

struct TensorHook;

struct TensorImpl : RefCounted {
  Ref<Storage> storage;
  int64_t offset = 0;   // in elements
  Dims shape, strides;  // strides in elements
  DType dtype = DType::Float32;
  bool requires_grad = false;
  bool retains_grad = false;
  int output_nr = 0;  // which output of grad_fn this is
  Ref<Node> grad_fn;  // null for leaves
  Ref<TensorImpl> grad;
  Ref<TensorImpl> view_base;                       // the tensor this is a view of, through any number of steps
  uint32_t view_version = 0;                       // storage version at which grad_fn of a view was valid
  std::shared_ptr<std::vector<TensorHook>> hooks;  // leaves; others keep theirs on grad_fn
  _object* python = nullptr;                       // the living Python object of this tensor, not owned

  ~TensorImpl() override;
};

class Tensor {
 public:
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  // Creation. Memory of `empty` is uninitialised.
  static Tensor empty(const Dims& shape, DType dtype, Device device = {});
  static Tensor table(const Dims& shape, DType dtype);  // for the host to fill, at once; a recorded step fills it once
  static Tensor empty_like(const Tensor& t) { return empty(t.shape(), t.dtype(), t.device()); }  // contiguous
  static Tensor zeros(const Dims& shape, DType dtype, Device device = {});
  static Tensor full(const Dims& shape, double value, DType dtype, Device device = {});

  bool defined() const { return (bool)impl_; }
  TensorImpl* get() const { return impl_.get(); }
  const Ref<TensorImpl>& ref() const { return impl_; }

  const Dims& shape() const { return impl_->shape; }
  const Dims& strides() const { return impl_->strides; }
  int dim() const { return impl_->shape.n; }
  int64_t size(int64_t d) const { return impl_->shape[wrap_dim("size", d, dim())]; }
  int64_t numel() const {
    int64_t n = 1;
    for (int64_t s : impl_->shape) n *= s;
    return n;
  }
  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->storage->device; }
  int64_t itemsize() const { return size_of(impl_->dtype); }
  bool is_contiguous() const { return weft::is_contiguous(impl_->shape, impl_->strides); }
  void* data() const {
    if (anybody_records()) note_use(*impl_->storage);
    if (is_sparse()) refuse_sparse();
    return (char*)impl_->storage->data + impl_->offset * itemsize();
  }
  template <class T>
  T* ptr() const {
    return static_cast<T*>(data());
  }
  uint32_t version() const { return impl_->storage->version.load(std::memory_order_relaxed); }
  void bump_version() const { impl_->storage->version.fetch_add(1, std::memory_order_relaxed); }

  bool is_sparse() const { return (bool)impl_->storage->sparse; }
  bool requires_grad() const { return impl_->requires_grad; }
  bool is_leaf() const { return !impl_->grad_fn; }
  void set_requires_grad(bool on) const;  // leaves only; floating dtypes only
  Tensor grad() const { return Tensor(impl_->grad); }
  Tensor detach() const;  // same memory, off the tape

  // Another view of the same storage, off the tape: ops/view.cpp records it.
  Tensor as_view(const Dims& shape, const Dims& strides, int64_t offset) const;
  double item() const;  // one element, to the host
  int64_t item_int() const;

 private:
  Ref<TensorImpl> impl_;
};

using TensorList = std::vector<Tensor>;

TensorList borrowed(const TensorList& tensors);  // the same memory, not kept alive
// A look at values, f(tensors), that belongs to the operation: done now, and by each replay of a step being recorded. f
// keeps no other tensors than these.
template <class F>
void at_each_run(const TensorList& tensors, F f) {
  {
    Unrecorded now;
    f(tensors);
  }
  if (!anybody_records()) return;
  if (Recorder* r = current_recorder()) r->at_replay([f, tensors = borrowed(tensors)] { f(tensors); });
}

}  // namespace weft
