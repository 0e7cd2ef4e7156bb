// Walking over the rows of strided operands, and moving one row between strided and contiguous memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"
#include "base/shape.h"

namespace weft::WEFT_ISA {

// The offsets of K operands (in elements) at the start of each row; `n` counts the dimensions outside of a row.
template <int K>
struct Walk {
  int n;
  const int64_t* shape;
  const int64_t* strides[K];
  int64_t offset[K], at[kMaxDims];

  WEFT_INLINE int64_t rows(int n, const int64_t* shape) {
    int64_t count = 1;
    for (int d = 0; d < n; ++d) count *= shape[d];
    return count;
  }
  void seek(int64_t row) {
    for (int k = 0; k < K; ++k) offset[k] = 0;
    for (int d = n - 1; d >= 0; --d) {
      at[d] = row % shape[d];
      row /= shape[d];
      for (int k = 0; k < K; ++k) offset[k] += at[d] * strides[k][d];
    }
  }
  void next() {
    for (int d = n - 1; d >= 0; --d) {
      for (int k = 0; k < K; ++k) offset[k] += strides[k][d];
      if (++at[d] < shape[d]) return;
      for (int k = 0; k < K; ++k) offset[k] -= shape[d] * strides[k][d];
      at[d] = 0;
    }
  }
};

// Contiguous to contiguous.
using Convert = void (*)(void* dst, const void* src, int64_t n);
Convert converter(DType dst, DType src);

// n elements of `size` bytes; the stride counts elements.
void gather(void* dst, const void* src, int64_t stride, int64_t n, int64_t size);
void scatter(void* dst, int64_t stride, const void* src, int64_t n, int64_t size);

}  // namespace weft::WEFT_ISA
