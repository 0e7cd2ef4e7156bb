// A tensor that becomes a view of itself: squeeze_, transpose_ and their like; resize_.
#include <functional>

#include "ops/copy.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {
namespace {

// Sizes, place and history of y, a view of x, pass to x.
void become(const char* name, const Tensor& x, const std::function<Tensor(const Tensor&)>& view) {
  TensorImpl* impl = x.get();
  WEFT_CHECK(!grad_enabled() || !x.requires_grad() || !x.is_leaf(), Runtime, "[", name,
             "] a leaf tensor that requires grad cannot be changed in place; use weft.no_grad() or detach()");
  Tensor y = view(x);
  TensorImpl* from = y.get();
  if (from == impl) return;
  impl->shape = from->shape;
  impl->strides = from->strides;
  impl->offset = from->offset;
  if (from->grad_fn) {
    dispose(std::move(impl->grad_fn));
    impl->grad_fn = from->grad_fn;
    impl->output_nr = from->output_nr;
  }
  x.bump_version();
  impl->view_version = x.version();
}

// More memory for a buffer and everybody who looks into it; what it holds stays.
void grow(Storage& storage, size_t bytes) {
  WEFT_CHECK(!storage.deleter, Runtime, "[resize_] the memory belongs to somebody else (NumPy, CuPy) and cannot grow");
  Ref<Storage> larger = make_ref<Storage>(bytes, storage.device);
  auto all = [](const Ref<Storage>& of, size_t n) {
    Ref<TensorImpl> impl = make_ref<TensorImpl>();
    impl->storage = of;
    impl->dtype = DType::UInt8;
    impl->shape = {(int64_t)n};
    impl->strides = {1};
    return Tensor(std::move(impl));
  };
  if (storage.bytes > 0) copy_into(all(larger, storage.bytes), all(Ref<Storage>(&storage), storage.bytes));
  std::swap(storage.data, larger->data);
  std::swap(storage.bytes, larger->bytes);
}

void resize(const Tensor& x, const Dims& shape) {
  WEFT_CHECK(!x.requires_grad(), Runtime, "[resize_] a tensor that requires grad cannot be resized");
  int64_t n = numel_of(shape);
  if (shape == x.shape()) return;
  TensorImpl* impl = x.get();
  int64_t bytes = (impl->offset + n) * x.itemsize();
  if (n > 0 && bytes > (int64_t)impl->storage->bytes) grow(*impl->storage, (size_t)bytes);
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
}

}  // namespace

void bind_view_inplace(py::module_&) {
  def_method(
      "squeeze_",
      [](py::object self, const std::optional<Dims>& dim) {
        become("squeeze_", tensor_of(self.ptr()), [&](const Tensor& x) { return squeeze_dims(x, dim); });
        return self;
      },
      py::arg("dim") = py::none(), "squeeze() in place.");
  def_method(
      "unsqueeze_",
      [](py::object self, int64_t dim) {
        become("unsqueeze_", tensor_of(self.ptr()), [&](const Tensor& x) { return unsqueeze(x, dim); });
        return self;
      },
      py::arg("dim"), "unsqueeze() in place.");
  for (const char* name : {"transpose_", "swapaxes_", "swapdims_"})
    def_method(
        name,
        [name](py::object self, int64_t a, int64_t b) {
          become(name, tensor_of(self.ptr()), [&](const Tensor& x) { return transpose(x, a, b); });
          return self;
        },
        py::arg("dim0"), py::arg("dim1"), "transpose() in place.");
  def_method(
      "t_",
      [](py::object self) {
        become("t_", tensor_of(self.ptr()), matrix_transpose);
        return self;
      },
      "t() in place.");
  def_method(
      "as_strided_",
      [](py::object self, const Dims& size, const Dims& stride, std::optional<int64_t> offset) {
        become("as_strided_", tensor_of(self.ptr()),
               [&](const Tensor& x) { return as_strided(x, size, stride, offset); });
        return self;
      },
      py::arg("size"), py::arg("stride"), py::arg("storage_offset") = py::none(), "as_strided() in place.");
  def_method(
      "detach_",
      [](py::object self) {
        TensorImpl* impl = tensor_of(self.ptr()).get();
        WEFT_CHECK(!impl->view_base, Runtime, "[detach_] a view cannot be detached in place; use detach()");
        dispose(std::move(impl->grad_fn));
        impl->output_nr = 0;
        impl->requires_grad = false;
        return self;
      },
      "Takes the tensor off the tape.");
  def_method(
      "resize_",
      [](py::object self, const py::args& shape) {
        resize(tensor_of(self.ptr()), sizes_from(shape));
        return self;
      },
      "Other sizes over the same memory, of which there is more where it does not suffice. What is new is not set.");
}

}  // namespace weft
