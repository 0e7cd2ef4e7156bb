// Integers: exact, wrapping like the processor's. T is unsigned, where wrapping is defined.
#pragma once

#include "kernels/matmul.h"

namespace weft::WEFT_ISA::mm {

// One row of C.
template <class T>
void integer_row(T* c, const T* a, const T* b, const MatmulArgs& p) {
  const T alpha = (T)(int64_t)p.alpha, beta = (T)(int64_t)p.beta;
  constexpr int kRow = 512;
  T row[kRow];
  for (int64_t j0 = 0; j0 < p.n; j0 += kRow) {
    const int n = (int)(p.n - j0 < kRow ? p.n - j0 : kRow);
    for (int j = 0; j < n; ++j) row[j] = 0;
    for (int64_t k = 0; k < p.k; ++k) {
      const T x = a[k * p.a_col];
      const T* y = b + k * p.b_row + j0 * p.b_col;
      if (p.b_col == 1)
        for (int j = 0; j < n; ++j) row[j] = (T)(row[j] + x * y[j]);
      else
        for (int j = 0; j < n; ++j) row[j] = (T)(row[j] + x * y[j * p.b_col]);
    }
    for (int j = 0; j < n; ++j) {
      T* out = c + (j0 + j) * p.c_col;
      T v = (T)(alpha * row[j]);
      if (p.bias) v = (T)(v + static_cast<const T*>(p.bias)[j0 + j]);
      if (beta != 0) v = (T)(v + beta * *out);
      *out = v;
    }
  }
}

}  // namespace weft::WEFT_ISA::mm
