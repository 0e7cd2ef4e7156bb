#include "ops/layout.h"

#include <algorithm>

#include "ops/copy.h"
#include "tensor/autograd.h"

namespace weft {

int merge_dims(const Dims& shape, int operands, const Dims* strides, int64_t* merged_shape, int64_t* const* merged) {
  int order[kMaxDims], n = 0;
  for (int d = 0; d < shape.n; ++d) {
    if (shape[d] == 1) continue;
    int at = n++;
    for (; at > 0 && strides[0][order[at - 1]] < strides[0][d]; --at) order[at] = order[at - 1];
    order[at] = d;
  }
  int count = 0;
  for (int i = 0; i < n; ++i) {
    int d = order[i];
    bool joins = count > 0;
    for (int k = 0; k < operands && joins; ++k) joins = merged[k][count - 1] == strides[k][d] * shape[d];
    if (joins) {
      --count;
      merged_shape[count] *= shape[d];
    } else {
      merged_shape[count] = shape[d];
    }
    for (int k = 0; k < operands; ++k) merged[k][count] = strides[k][d];
    ++count;
  }
  return count;
}

bool is_dense(const Tensor& x) {
  int64_t sizes[kMaxDims], strides[kMaxDims], *merged[] = {strides};
  int n = merge_dims(x.shape(), 1, &x.strides(), sizes, merged);
  return n == 0 || (n == 1 && strides[0] == 1);
}

namespace {

// Whether elements lie one after another when the dimensions are walked in the given order, the first one fastest.
template <class Order>
bool lies_in_order(const Tensor& x, const Order& dimension) {
  int64_t next = 1;
  for (int i = 0; i < x.dim(); ++i) {
    const int d = dimension(i);
    if (x.shape()[d] != 1 && x.strides()[d] != next) return false;
    next *= x.shape()[d];
  }
  return next > 0;
}
int channels_first(int i, int n) { return i == 0 ? 1 : i == n - 1 ? 0 : n - i; }

}  // namespace

bool channels_are_last(const Tensor& x) {
  const int n = x.dim();
  return (n == 4 || n == 5) && lies_in_order(x, [n](int i) { return channels_first(i, n); });
}
bool is_channels_last(const Tensor& x) { return channels_are_last(x) && !x.is_contiguous(); }

Tensor empty_channels_last(const Dims& shape, DType dtype, Device device) {
  Dims strides = shape;
  int64_t next = 1;
  for (int i = 0; i < shape.n; ++i) {
    const int d = channels_first(i, shape.n);
    strides[d] = next;
    next *= std::max<int64_t>(shape[d], 1);
  }
  return Tensor::empty(shape, dtype, device).as_view(shape, strides, 0).detach();
}

Tensor channels_last(const Tensor& x) {
  if (channels_are_last(x)) return x;
  Tensor y = empty_channels_last(x.shape(), x.dtype(), x.device());
  copy_into(y, x.detach());
  return y;
}

bool has_format(const char* op, const Tensor& x, MemoryFormat f) {
  if (f == MemoryFormat::Contiguous) return x.is_contiguous();
  WEFT_CHECK(f != MemoryFormat::Preserve, Runtime, "[", op, "] preserve_format says nothing about memory");
  return x.dim() == (f == MemoryFormat::ChannelsLast ? 4 : 5) && channels_are_last(x);
}

Tensor to_format(const char* op, const Tensor& x, MemoryFormat f) {
  if (f == MemoryFormat::Preserve) return x;
  if (f == MemoryFormat::Contiguous) return contiguous(x);
  const int dims = f == MemoryFormat::ChannelsLast ? 4 : 5;
  WEFT_CHECK(x.dim() == dims, Runtime, "[", op, "] expected a tensor of ", dims, " dimensions for ",
             dims == 4 ? "channels_last" : "channels_last_3d", ", got shape ", to_string(x.shape()));
  Tensor y = channels_last(x);
  if (y.get() != x.get() && needs_grad(x)) record(op, {x}, {y}, [](Backward& b) { return b.grads(b.dy()); });
  return y;
}

bool overlaps(const Tensor& x, const Tensor& y) {
  if (x.get()->storage.get() != y.get()->storage.get()) return false;
  if (x.get()->offset == y.get()->offset && x.strides() == y.strides() && x.shape() == y.shape() &&
      x.dtype() == y.dtype())
    return false;
  auto span = [](const Tensor& t, int64_t& begin, int64_t& end) {
    begin = t.get()->offset, end = begin + 1;
    for (int d = 0; d < t.dim(); ++d) {
      if (t.shape()[d] == 0) end = begin;
      if (end > begin) end += (t.shape()[d] - 1) * t.strides()[d];
    }
    begin *= t.itemsize(), end *= t.itemsize();
  };
  int64_t xb, xe, yb, ye;
  span(x, xb, xe);
  span(y, yb, ye);
  return xb < ye && yb < xe;
}

}  // namespace weft
