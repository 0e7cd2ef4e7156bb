// Layer normalisation over the last dimension of contiguous rows.
//   forward:   xhat = (x - mean(x)) * rstd, rstd = 1 / sqrt(mean((x - mean(x))^2) + eps);   y = xhat * weight + bias
//   backward:  g = dy * weight;   dx = rstd * (g - mean(g) - xhat * mean(g * xhat))
//              dweight = sum over rows of dy * xhat;   dbias = sum over rows of dy
// Where mean is null both means of the first power are left out and 0 takes their place: xhat = x / sqrt(mean(x^2) +
// eps). mean, rstd, weight, bias and their gradients are float64 for float64 and else float32; half precision is
// computed in float32. y may alias x, dx may alias dy. The sums over rows are taken in pieces that are added in order.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct LayerNormForward {
  void* y;
  void *mean, *rstd;  // [rows]; mean null: the norm by the root mean square
  const void* x;
  const void *weight, *bias;  // [cols]; null: 1 and 0
  int64_t rows, cols;
  double eps;
  DType dtype;  // of x and y
};

struct LayerNormBackward {
  void* dx;               // may be null
  void *dweight, *dbias;  // [cols]; both or neither
  const void *dy, *x;
  const void *mean, *rstd, *weight;
  int64_t rows, cols;
  void* workspace;  // layer_norm_pieces(rows, cols) * 2 * cols accumulators
  DType dtype;
};

WEFT_INLINE int64_t layer_norm_rows_per_piece(int64_t cols) {
  int64_t rows = 16384 / (cols + 1);
  return rows < 8 ? 8 : rows > 128 ? 128 : rows;
}
WEFT_INLINE int64_t layer_norm_pieces(int64_t rows, int64_t cols) {
  int64_t per_piece = layer_norm_rows_per_piece(cols);
  return (rows + per_piece - 1) / per_piece;
}

struct LayerNormKernels {
  void (*forward)(const LayerNormForward&) = nullptr;
  void (*backward)(const LayerNormBackward&) = nullptr;
};

}  // namespace weft
