// Resampling of planes along both of their axes: a sparse matrix for each.
//   y[o, p, q, i] = sum over taps k of p and l of q of rows.weights[k] cols.weights[l] x[o, rows.at[k], cols.at[l], i]
// x is [outer, rows.in, cols.in, inner] and y [outer, rows.out, cols.out, inner], contiguous. The gradient is the same
// with the transposed matrices. An output without taps is 0. Rows are combined first.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"

namespace weft {

struct InterpolateAxis {
  int64_t in = 1, out = 1;
  int taps = 0;           // of every output, where all have as many: tap k of output j is number k * out + j
  const int32_t* starts;  // else output j has the taps starts[j] to starts[j + 1]
  const int32_t* at;      // -1: none after all
  const void* weights;    // of dtype

  WEFT_HD int64_t count(int64_t j) const { return taps ? taps : starts[j + 1] - starts[j]; }
  WEFT_HD int64_t tap(int64_t j, int64_t k) const { return taps ? k * out + j : starts[j] + k; }
};

constexpr int64_t kInterpolateWidest = 8192;  // cols.in * inner, unless rows.in and rows.out are 1

struct Interpolate {
  void* y;
  const void* x;
  InterpolateAxis rows, cols;
  int64_t outer, inner;
  int32_t* workspace;  // cols.out
  DType dtype;         // Float32 or Float64
};

struct InterpolateKernels {
  void (*apply)(const Interpolate&) = nullptr;
};

}  // namespace weft
