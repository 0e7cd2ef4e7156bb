#include "ops/layout.h"

#include <algorithm>

#include "ops/copy.h"

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

bool is_channels_last(const Tensor& x) {
  const int n = x.dim();
  if (n != 4 && n != 5) return false;
  int64_t next = 1;
  bool other = false;  // than the strides of contiguous memory
  for (int i = 0; i < n; ++i) {
    const int d = i == 0 ? 1 : i == n - 1 ? 0 : n - i;
    if (x.shape()[d] != 1 && x.strides()[d] != next) return false;
    next *= x.shape()[d];
    if (x.shape()[d] == 0) return false;
  }
  int64_t plain = 1;
  for (int d = n - 1; d >= 0; --d) {
    if (x.shape()[d] != 1 && x.strides()[d] != plain) other = true;
    plain *= x.shape()[d];
  }
  return other;
}

Tensor empty_channels_last(const Dims& shape, DType dtype, Device device) {
  Dims strides = shape;
  int64_t next = 1;
  for (int i = 0; i < shape.n; ++i) {
    const int d = i == 0 ? 1 : i == shape.n - 1 ? 0 : shape.n - i;
    strides[d] = next;
    next *= std::max<int64_t>(shape[d], 1);
  }
  return Tensor::empty(shape, dtype, device).as_view(shape, strides, 0).detach();
}

Tensor channels_last(const Tensor& x) {
  if (is_channels_last(x)) return x;
  Tensor y = empty_channels_last(x.shape(), x.dtype(), x.device());
  copy_into(y, x.detach());
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
