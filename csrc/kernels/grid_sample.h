// Reading an image at arbitrary positions.
//   forward:   y[n, c, o] = sum over the taps k of weight_k(grid[n, o]) x[n, c, at_k(grid[n, o])]
//   backward:  dx, which is 0 before, and dgrid by the derivative of the weights; either may be null
// x and dx are [batch, channels, D, H, W], with D = 1 for images (axes = 2), fewer than 2^31 elements in an image;
// neighbours among the channels and among the elements of an image lie `channel` and `element` apart. grid is [batch,
// outputs, axes], its last axis x, y
// (, z) with -1 and 1 the edges of the image (Align: the centres of its outermost elements); y is [batch, channels,
// outputs]. `room`, where it is not null, is for `workers` threads: each turns around there what it reads of an image,
// kSampleGroup channels at a time, as neither another thread's cache nor memory is as near. A position that is NaN or
// infinite counts as -1. All contiguous. Taps outside count 0 (Zeros), or the position is moved to the edge (Border) or
// mirrored (Reflection).
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

enum class SampleMode { Linear, Nearest, Cubic };
enum class SamplePadding { Zeros, Border, Reflection };

struct GridSampleShape {
  int64_t batch, channels, outputs;
  int64_t size[3];  // W, H, D: the order of the grid's last axis
  int64_t channel, element;
  int axes;         // 2 or 3
  SampleMode mode;  // Cubic: 2 axes only
  SamplePadding padding;
  bool align_corners;
};

constexpr int64_t kSampleGroup = 16;

struct GridSampleForward {
  void* y;
  const void *x, *grid;
  void* room;  // for each worker [elements of an image + 1, kSampleGroup]
  int workers;
  GridSampleShape shape;
  DType dtype;  // Float32 or Float64
};

struct GridSampleBackward {
  void *dx, *dgrid;
  const void *dy, *x, *grid;
  GridSampleShape shape;
  DType dtype;
};

struct GridSampleKernels {
  void (*forward)(const GridSampleForward&) = nullptr;
  void (*backward)(const GridSampleBackward&) = nullptr;
};

}  // namespace weft
