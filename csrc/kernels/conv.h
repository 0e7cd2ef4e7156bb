// Convolution of [images, groups * in_channels, depths.in, rows.in, cols.in] with weight [groups * out_channels,
// in_channels, depths.kernel, rows.kernel, cols.kernel]; channels are counted per group. Everything contiguous, or x
// and y with their channels last in memory ([images, depths, rows, cols, channels]) where takes_last() says so.
//   y[n, o, h, i, j] = bias[o] + sum over c, t, k, l of weight[o, c, t, k, l] *
//                      x[n, c, h*stride + t*dilation - pad, i*stride + k*dilation - pad, …]
// where x outside its volumes is 0. An image has one depth, a sequence one row as well: the default axis. `pad` lies
// before the first element; how much follows the last one is what `out` needs. Without a single output an axis has out
// = 0.
//   forward:         writes y, max(y, 0) with `relu`; bias [groups * out_channels] or null
//   backward_input:  writes x: the sum that each x meets in forward, of weight * y, plus bias [groups * in_channels] or
//                    null (this is the transposed convolution)
//   backward_weight: writes weight: the sum over n, h, i, j of y * x; bias is not looked at
// float32 or float64, summed in that precision, in an order that depends on the shape alone. Where Winograd's algorithm
// is used the relative error is some 1e-6, otherwise a tenth of it.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct ConvAxis {
  int64_t in = 1, out = 1, kernel = 1, stride = 1, pad = 0, dilation = 1;
};

struct ConvShape {
  int64_t images, groups, in_channels, out_channels;
  ConvAxis depths, rows, cols;
};

enum class ConvPass : uint8_t { Forward, BackwardInput, BackwardWeight };

struct ConvArgs {
  void* y;
  void* x;
  void* weight;
  const void* bias;
  ConvShape shape;
  DType dtype;
  bool x_last, y_last, weight_last;  // channels last in memory; the weight's are in_channels
  bool winograd;                     // may be used
  bool relu;                         // forward alone
  ConvPass pass;                     // looked at by packed_bytes and pack alone
  const void* packed;                // forward and backward_input: the weight as pack() wrote it, or null
  void* workspace;                   // of the size that the kernel's *_workspace says, for `workers` threads
  int workers;
};

struct ConvKernels {
  void (*forward)(const ConvArgs&) = nullptr;
  void (*backward_input)(const ConvArgs&) = nullptr;
  void (*backward_weight)(const ConvArgs&) = nullptr;
  int64_t (*forward_workspace)(const ConvArgs&) = nullptr;  // pointers are not looked at
  int64_t (*backward_input_workspace)(const ConvArgs&) = nullptr;
  int64_t (*backward_weight_workspace)(const ConvArgs&) = nullptr;
  int64_t (*packed_bytes)(const ConvArgs&) = nullptr;       // 0: that pass reads the weight as it is
  void (*pack)(const ConvArgs&) = nullptr;                  // to the workspace
  bool (*takes_last)(const ConvArgs&, ConvPass) = nullptr;  // by shape and dtype; null: never
};

}  // namespace weft
