// Loops over strided operands: a thread takes groups of four neighbours along the last dimension.
#pragma once

#include "base/shape.h"

#include "convert.cuh"

namespace weft::cuda {

struct Walk {
  int outer;  // dimensions before the last one
  int64_t shape[kMaxDims];
  int64_t inner, per_row, groups;
};

inline Walk walk_over(int ndim, const int64_t* shape) {
  Walk w{ndim > 0 ? ndim - 1 : 0, {}, 1, 1, 1};
  for (int d = 0; d < w.outer; ++d) w.shape[d] = shape[d];
  w.inner = ndim ? shape[ndim - 1] : 1;
  w.per_row = divide_up(w.inner, kGroup);
  w.groups = w.per_row;
  for (int d = 0; d < w.outer; ++d) w.groups *= shape[d];
  return w;
}

// Whether an operand's groups are vectors: its last stride is 1, and every group starts on a multiple of four elements.
inline bool groups_are_vectors(const void* p, int64_t itemsize, int ndim, const int64_t* shape,
                               const int64_t* strides) {
  if (ndim == 0 || !p || strides[ndim - 1] != 1) return false;
  for (int d = 0; d + 1 < ndim; ++d)
    if (shape[d] > 1 && strides[d] % kGroup) return false;
  return reinterpret_cast<uintptr_t>(p) % (uintptr_t)(kGroup * itemsize) == 0;
}

// a / b; 32 bits where that is enough, because 64-bit division is a subroutine.
WEFT_DEVICE int64_t quotient(int64_t a, int64_t b) {
  return ((uint64_t)a | (uint64_t)b) >> 32 ? a / b : (int64_t)((uint32_t)a / (uint32_t)b);
}

struct Group {
  int64_t row, first;  // row, and position in the row
  int count;
};
WEFT_DEVICE Group group_at(const Walk& w, int64_t g) {
  int64_t row = quotient(g, w.per_row), first = (g - row * w.per_row) * kGroup, left = w.inner - first;
  return {row, first, left < kGroup ? (int)left : kGroup};
}
// Calls f(d, i) with the position i of `row` in each outer dimension d that is not at 0 for all rows.
template <class F>
WEFT_DEVICE void seek(const Walk& w, int64_t row, const F& f) {
  for (int d = w.outer - 1; d >= 0; --d) {
    int64_t q = quotient(row, w.shape[d]);
    f(d, row - q * w.shape[d]);
    row = q;
  }
}

}  // namespace weft::cuda
