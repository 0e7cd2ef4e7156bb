// Normalisation of each group of neighbouring channels of each item. x is [n, channels, length], or [n, length,
// channels] with channels_last; a group has channels / groups channels.
//   forward:   xhat = (x - mean) * rstd, rstd = 1 / sqrt(variance + eps);   y = xhat * weight + bias
//   backward:  g = dy * weight;   dx = rstd * (g - mean(g) - xhat * mean(g * xhat)), means over a group
//              dweight = sum over items and positions of dy * xhat;   dbias likewise of dy
// Statistics, weight, bias and their gradients are float64 for float64 and else float32; half precision is computed in
// float32. y may alias x, dx may alias dy. A group is summed up in blocks that are combined in order (Chan, Golub,
// LeVeque, Algorithms for computing the sample variance, 1983), gradients of parameters item by item, and within a
// large channels-last item part by part.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct GroupNormShape {
  int64_t n, channels, length, groups;
  bool channels_last;
  DType dtype;  // of x and y
};

// What channels-last items are cut into: parts of so many positions.
struct GroupNormParts {
  int64_t rows, count;
};
inline constexpr GroupNormParts group_norm_parts(const GroupNormShape& s) {
  constexpr int64_t elements = 131072, block = 64;
  if (!s.channels_last || s.length * s.channels <= elements) return {s.length, 1};
  const int64_t rows = (elements / s.channels / block + 1) * block;
  return {rows, (s.length + rows - 1) / rows};
}
// Bytes of a workspace: of the forward pass means and squares of each group's parts, of the backward pass two numbers
// of each group, and after them two accumulators of each channel's parts.
inline constexpr int64_t group_norm_forward_workspace(const GroupNormShape& s) {
  return s.n * group_norm_parts(s).count * s.groups * 2 * (int64_t)sizeof(double);
}
inline constexpr int64_t group_norm_backward_workspace(const GroupNormShape& s) {
  return s.n * (s.groups + group_norm_parts(s).count * s.channels) * 2 * (int64_t)sizeof(double);
}

struct GroupNormForward {
  void* y;
  void *mean, *rstd;  // [n, groups]
  void* variance;     // [n, groups], or null
  const void* x;
  const void *weight, *bias;  // [channels]; null: 1 and 0
  double eps;
  void* workspace;  // group_norm_forward_workspace()
  GroupNormShape shape;
};

struct GroupNormBackward {
  void* dx;               // may be null
  void *dweight, *dbias;  // [channels]; both or neither
  const void *dy, *x;
  const void *mean, *rstd, *weight;
  void* workspace;  // group_norm_backward_workspace()
  GroupNormShape shape;
};

struct GroupNormKernels {
  void (*forward)(const GroupNormForward&) = nullptr;
  void (*backward)(const GroupNormBackward&) = nullptr;
};

}  // namespace weft
