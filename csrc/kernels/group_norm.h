// Normalisation of each group of neighbouring channels of each item. x is [n, channels, length], or [n, length,
// channels] with channels_last; a group has channels / groups channels.
//   forward:   xhat = (x - mean) * rstd, rstd = 1 / sqrt(variance + eps);   y = xhat * weight + bias
//   backward:  g = dy * weight;   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), means over a group
//              dweight = sum over items and positions of dy * xhat;   dbias likewise of dy
// Statistics, weight, bias and their gradients are float64 for float64 and else float32; half precision is computed in
// float32. y may alias x, dx may alias dy. A group is summed up in blocks that are combined in order (Chan, Golub,
// LeVeque, Algorithms for computing the sample variance, 1983), gradients of parameters item by item.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct GroupNormShape {
  int64_t n, channels, length, groups;
  bool channels_last;
  DType dtype;  // of x and y
};

struct GroupNormForward {
  void* y;
  void *mean, *rstd;  // [n, groups]
  void* variance;     // [n, groups], or null
  const void* x;
  const void *weight, *bias;  // [channels]; null: 1 and 0
  double eps;
  GroupNormShape shape;
};

struct GroupNormBackward {
  void* dx;               // may be null
  void *dweight, *dbias;  // [channels]; both or neither
  const void *dy, *x;
  const void *mean, *rstd, *weight;
  void* workspace;  // with dweight: n * 2 * channels accumulators
  GroupNormShape shape;
};

struct GroupNormKernels {
  void (*forward)(const GroupNormForward&) = nullptr;
  void (*backward)(const GroupNormBackward&) = nullptr;
};

}  // namespace weft
