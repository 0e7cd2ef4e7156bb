#include "ops/slice.h"

#include "ops/copy.h"
#include "ops/view.h"
#include "tensor/autograd.h"

namespace weft {

BasicIndex BasicIndex::all(const Dims& shape) {
  BasicIndex index;
  index.n = shape.n;
  for (int i = 0; i < shape.n; ++i) index.axes[i].length = shape[i];
  return index;
}

Tensor basic_view(const Tensor& x, const BasicIndex& index) {
  Dims shape, strides;
  int64_t offset = x.get()->offset;
  auto new_axes = [&](int count) {
    for (int k = 0; k < count; ++k) {
      shape.push_back(1);
      strides.push_back(1);
    }
  };
  for (int i = 0; i < index.n; ++i) {
    const auto& a = index.axes[i];
    new_axes(a.new_axes_before);
    if (a.length > 0) offset += a.start * x.strides()[i];
    if (!a.keep) continue;
    shape.push_back(a.length);
    strides.push_back(x.strides()[i] * a.step);
  }
  new_axes(index.new_axes_at_end);
  return x.as_view(shape, strides, offset);
}

namespace {

Tensor basic_index_backward(const Tensor& dy, const BasicIndex& index, const Dims& shape) {
  Tensor dx = Tensor::zeros(shape, dy.dtype(), dy.device());
  copy_into(basic_view(dx, index), dy);
  if (needs_grad(dy))
    record("slice_backward", {dy}, {dx}, [index](Backward& b) { return b.grads(basic_index(b.dy(), index)); });
  return dx;
}

}  // namespace

Tensor basic_index(const Tensor& x, const BasicIndex& index) {
  Tensor y = basic_view(x, index);
  if (needs_grad(x))
    record("slice", {x}, {y},
           [index, shape = x.shape()](Backward& b) { return b.grads(basic_index_backward(b.dy(), index, shape)); });
  return y;
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  int d = wrap_dim("narrow", dim, x.dim());
  int64_t size = x.shape()[d];
  if (start < 0) start += size;
  WEFT_CHECK(length >= 0, Runtime, "[narrow] length must not be negative, got ", length);
  WEFT_CHECK(start >= 0 && start + length <= size, Index, "[narrow] start ", start, " and length ", length,
             " exceed dimension ", d, " of size ", size);
  BasicIndex index = BasicIndex::all(x.shape());
  index.axes[d].start = start;
  index.axes[d].length = length;
  return basic_index(x, index);
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t stop, int64_t step) {
  int d = wrap_dim("slice", dim, x.dim());
  WEFT_CHECK(step > 0, Value, "[slice] step must be positive, got ", step);
  int64_t size = x.shape()[d];
  auto bound = [size](int64_t i) { return i < 0 ? (i + size < 0 ? 0 : i + size) : (i > size ? size : i); };
  start = bound(start);
  stop = bound(stop);
  BasicIndex index = BasicIndex::all(x.shape());
  index.axes[d] = {start, step, stop > start ? (stop - start + step - 1) / step : 0, true, 0};
  return basic_index(x, index);
}

Tensor select(const Tensor& x, int64_t dim, int64_t i) {
  WEFT_CHECK(x.dim() > 0, Index, "[select] cannot index a 0-dimensional tensor");
  int d = wrap_dim("select", dim, x.dim());
  int64_t size = x.shape()[d];
  WEFT_CHECK(i >= -size && i < size, Index, "[select] index ", i, " is out of bounds for dimension ", d, " of size ",
             size);
  BasicIndex index = BasicIndex::all(x.shape());
  index.axes[d] = {i < 0 ? i + size : i, 1, 1, false, 0};
  return basic_index(x, index);
}

}  // namespace weft
