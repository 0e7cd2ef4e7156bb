// Batch normalisation over the channels of contiguous [n, channels, length] arrays; length is 1 for [n, channels] and
// for channels-last memory, whose pixels are rows.
//   training:  mean and rstd = 1 / sqrt(var + eps) of each channel's n * length elements;
//              running_mean += momentum * (mean - running_mean), running_var likewise with the unbiased variance
//   else:      mean = running_mean, rstd = 1 / sqrt(running_var + eps)
//   forward:   xhat = (x - mean) * rstd;   y = act(xhat * weight + bias + residual); act: ReLU or nothing
//   backward:  dy is 0 where ReLU was not passed, from here on; dresidual = dy
//              dweight = sum of dy * xhat;   dbias = sum of dy
//              training:  dx = weight * rstd * (dy - mean(dy) - xhat * mean(dy * xhat));   else  dx = weight * rstd *
//              dy
// Arrays with one element per channel are float64 for float64 and else float32; half precision is computed in float32.
// y may alias x, dx may alias dy; residual and dresidual alias nothing. Statistics are taken in pieces of whole items
// of the first dimension and combined in order (Chan, Golub, LeVeque, Algorithms for computing the sample variance,
// 1983).
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct BatchNormForward {
  void* y;
  void *mean, *rstd;                 // what backward needs
  void *running_mean, *running_var;  // null: none (training only)
  const void* x;
  const void *weight, *bias;  // null: 1 and 0
  const void* residual;       // like x, or null
  int64_t n, channels, length;
  double eps, momentum;
  double* workspace;  // batch_norm_workspace()
  DType dtype;        // of x and y
  bool training, relu;
};

struct BatchNormBackward {
  void* dx;               // may be null
  void *dweight, *dbias;  // both or neither
  void* dresidual;        // may be null; with ReLU only, for else it is dy
  const void *dy, *x;
  const void *mean, *rstd, *weight;
  const void* bias;  // ReLU was passed where xhat * weight + bias > 0 ...
  const void* y;     // ... or, where it had a residual, y > 0; else null
  int64_t n, channels, length;
  double* workspace;  // batch_norm_workspace()
  DType dtype;
  bool training, relu;
};

WEFT_INLINE int64_t batch_norm_items_per_piece(int64_t channels, int64_t length) {
  int64_t items = 16384 / (channels * length + 1), least = length < 64 ? 64 / (length + 1) + 1 : 1;
  return items < least ? least : items;
}
WEFT_INLINE int64_t batch_norm_pieces(int64_t n, int64_t channels, int64_t length) {
  int64_t items = batch_norm_items_per_piece(channels, length);
  return (n + items - 1) / items;
}
// In doubles: two numbers for each piece and channel.
WEFT_INLINE int64_t batch_norm_workspace(int64_t n, int64_t channels, int64_t length) {
  return (batch_norm_pieces(n, channels, length) + 1) * 2 * channels;
}

struct BatchNormKernels {
  void (*forward)(const BatchNormForward&) = nullptr;
  void (*backward)(const BatchNormBackward&) = nullptr;
};

}  // namespace weft
