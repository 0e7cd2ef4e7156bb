// Convolution of [images, groups * in_channels, rows.in, cols.in] with weight [groups * out_channels, in_channels,
// rows.kernel, cols.kernel]; channels are counted per group. Everything contiguous.
//   y[n, o, i, j] = bias[o] + sum over c, k, l of weight[o, c, k, l] * x[n, c, i*stride + k*dilation - pad, …]
// where x outside its planes is 0. `pad` lies before the first element; how much follows the last one is what `out`
// needs. Without a single output an axis has out = 0.
//   forward:         writes y; bias [groups * out_channels] or null
//   backward_input:  writes x: the sum that each x meets in forward, of weight * y, plus bias [groups * in_channels] or
//                    null (this is the transposed convolution)
//   backward_weight: writes weight: the sum over n, i, j of y * x; bias is not looked at
// float32 or float64, summed in that precision, in an order that depends on the shape alone.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct ConvAxis {
  int64_t in, out, kernel, stride, pad, dilation;
};

struct ConvShape {
  int64_t images, groups, in_channels, out_channels;
  ConvAxis rows, cols;
};

struct ConvArgs {
  void* y;
  void* x;
  void* weight;
  const void* bias;
  ConvShape shape;
  DType dtype;
  void* workspace;  // of the size that the kernel's *_workspace says, for `workers` threads
  int workers;
};

struct ConvKernels {
  void (*forward)(const ConvArgs&) = nullptr;
  void (*backward_input)(const ConvArgs&) = nullptr;
  void (*backward_weight)(const ConvArgs&) = nullptr;
  int64_t (*forward_workspace)(const ConvArgs&) = nullptr;  // pointers are not looked at
  int64_t (*backward_input_workspace)(const ConvArgs&) = nullptr;
  int64_t (*backward_weight_workspace)(const ConvArgs&) = nullptr;
};

}  // namespace weft
