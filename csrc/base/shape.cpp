#include "base/shape.h"

#include <algorithm>

#include "base/error.h"

namespace weft {

void Dims::push_back(int64_t x) { insert(n, x); }

void Dims::insert(int at, int64_t x) {
  WEFT_CHECK(n < kMaxDims, Runtime, "expected at most ", kMaxDims, " dimensions, got ", n + 1);
  for (int i = n; i > at; --i) v[i] = v[i - 1];
  v[at] = x;
  ++n;
}

void Dims::erase(int at) {
  for (int i = at; i + 1 < n; ++i) v[i] = v[i + 1];
  --n;
}

std::string to_string(const Dims& d) {
  std::string text = "[";
  for (int i = 0; i < d.n; ++i) text += (i ? ", " : "") + std::to_string(d[i]);
  return text + "]";
}

int64_t numel_of(const Dims& shape) {
  constexpr int64_t limit = int64_t(1) << 62;
  int64_t product = 1;
  bool overflow = false, zero = false;
  for (int64_t size : shape) {
    WEFT_CHECK(size >= 0, Value, "expected sizes >= 0, got shape ", to_string(shape));
    zero |= size == 0;
    // NOTE: an empty tensor may have any other sizes: a zero after an overflow still gives zero.
    if (size != 0) overflow |= __builtin_mul_overflow(product, size, &product) || product > limit;
  }
  if (zero) return 0;
  WEFT_CHECK(!overflow, Overflow, "shape ", to_string(shape), " has more than 2^62 elements");
  return product;
}

Dims contiguous_strides(const Dims& shape) {
  Dims strides = shape;
  int64_t step = 1;
  for (int i = shape.n - 1; i >= 0; --i) {
    strides[i] = step;
    step = (int64_t)((uint64_t)step * std::max<int64_t>(shape[i], 1));  // an empty shape may overflow
  }
  return strides;
}

bool is_contiguous(const Dims& shape, const Dims& strides) {
  int64_t step = 1;
  bool dense = true;
  for (int i = shape.n - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] == 1) continue;  // its stride is never used
    dense &= strides[i] == step;
    step = (int64_t)((uint64_t)step * shape[i]);
  }
  return dense;
}

Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b) {
  Dims out = a.n >= b.n ? a : b;
  for (int i = 1; i <= std::min(a.n, b.n); ++i) {
    int64_t x = a[a.n - i], y = b[b.n - i];
    WEFT_CHECK(x == y || x == 1 || y == 1, Value, "[", op, "] shapes ", to_string(a), " and ", to_string(b),
               " do not broadcast: sizes ", x, " and ", y, " in dimension ", -i);
    out[out.n - i] = x == 1 ? y : x;
  }
  return out;
}

Dims broadcast_strides(const Dims& shape, const Dims& strides, const Dims& to) {
  Dims out = Dims::filled(to.n, 0);
  for (int i = 1; i <= shape.n; ++i)
    if (shape[shape.n - i] != 1 || to[to.n - i] == 1) out[to.n - i] = strides[shape.n - i];
  return out;
}

int wrap_dim(const char* op, int64_t dim, int ndim) {
  int64_t range = std::max(ndim, 1);  // a scalar counts as one-dimensional here, as in PyTorch
  WEFT_CHECK(dim >= -range && dim < range, Index, "[", op, "] dimension out of range: expected ", -range, " to ",
             range - 1, ", got ", dim);
  return (int)(dim < 0 ? dim + range : dim);
}

}  // namespace weft
