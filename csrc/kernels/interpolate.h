// Resampling along one axis: a sparse matrix times every line of a tensor.
//   y[o, j, i] = sum over k in [starts[j], starts[j + 1]) of weights[k] x[o, at[k], i]
// x is [outer, in, inner] and y [outer, out, inner], contiguous; sums run in the order of k. The gradient is the same
// with the transposed matrix. An output without taps is 0.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct Interpolate {
  void* y;
  const void* x;
  const int32_t* starts;  // out + 1
  const int32_t* at;
  const void* weights;  // of dtype
  int64_t outer, in, out, inner;
  int taps;     // of every output, where all have as many; else 0
  DType dtype;  // Float32 or Float64
};

struct InterpolateKernels {
  void (*apply)(const Interpolate&) = nullptr;
};

}  // namespace weft
