// Pooling over contiguous volumes: x [volumes, depth, height, width, inner] -> y [volumes, out_depth, out_height,
// out_width, inner]. inner is 1, or the number of channels where they are neighbours in memory; each is pooled by
// itself. An image is a volume of one depth, a sequence one of one row: the default axis. Output o looks, along each
// axis of length n, at the positions inside [0, n) among
//   fixed:     begin + k * dilation, begin = o * stride - pad, 0 <= k < kernel
//   adaptive:  floor(o * n / outputs) <= i < ceil((o + 1) * n / outputs)
//
// max:      y = the maximum, index = its position in the volume, (depth * height + row) * width + column: the first of
//           several, and a NaN wins. Volumes have fewer than 2^31 elements. index may be null.
//   scatter: dx = 0; dx[index] += dy, in the order of the outputs       (the gradient of max, and of gather)
//   gather:  y = x[index]                                               (the gradient of scatter)
// average:  y = sum / divisor; divisor: the given one if not 0, else the number of positions, counting those in the
//           padding if count_pad. int64 is divided towards 0.
//   average_backward: dx[every position of o] += dy[o] / divisor, in the order of the outputs
// No argument aliases another. Every window has a position inside the volume (for average, a window without one gives
// 0).
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct PoolAxis {
  int64_t n = 1, outputs = 1;
  int64_t kernel = 1, stride = 1, pad = 0, dilation = 1;  // not read when adaptive
};

struct PoolShape {
  int64_t volumes, inner = 1;
  PoolAxis depths, rows, cols;
  bool adaptive;
};

struct MaxPool {
  void* y;
  int32_t* index;
  const void* x;
  PoolShape shape;
  DType dtype;  // float32, float64, int32, int64
};

struct PoolMove {  // scatter: x = dx (written), y = dy; gather: y is written
  void* x;
  void* y;
  const int32_t* index;
  int64_t volumes, in, out, inner;  // in, out: positions of a volume
  DType dtype;                      // float32, float64
};

struct AveragePool {  // backward: x = dx (written), y = dy
  void* x;
  void* y;
  PoolShape shape;
  int64_t divisor;
  bool count_pad;
  DType dtype;  // float32, float64; forward: int64 as well
};

struct PoolKernels {
  void (*max)(const MaxPool&) = nullptr;
  void (*scatter)(const PoolMove&) = nullptr;
  void (*gather)(const PoolMove&) = nullptr;
  void (*average)(const AveragePool&) = nullptr;
  void (*average_backward)(const AveragePool&) = nullptr;
};

}  // namespace weft
