// Softmax and log-softmax over the middle dimension of contiguous [rows, cols, inner] arrays: element c of slice (r, k)
// is at (r * cols + c) * inner + k. inner = 1 makes a slice a row.
//   forward:   y = exp(x - max(x)) / sum(exp(x - max(x)))      log: y = x - max(x) - log(sum(exp(x - max(x))))
//   backward:  dx = y * (dy - sum(dy * y))                     log: dx = dy - exp(y) * sum(dy)
//   logsumexp: y = max(x) + log(sum(exp(x - max(x)))), one per contiguous row; an infinite maximum is the result
// A slice that is -inf throughout gives NaN in the first two, as in PyTorch. y may alias x; dx may alias dy.
// Half precision is computed in float32.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct SoftmaxForward {
  void* y;
  const void* x;
  int64_t rows, cols, inner;
  DType dtype;  // floating
  bool log;
};

struct SoftmaxBackward {
  void* dx;
  const void* dy;
  const void* y;
  int64_t rows, cols, inner;
  DType dtype;
  bool log;
};

struct LogSumExp {
  void* y;  // [rows]
  const void* x;
  int64_t rows, cols;  // cols > 0
  DType dtype;         // floating
};

struct SoftmaxKernels {
  void (*forward)(const SoftmaxForward&) = nullptr;
  void (*backward)(const SoftmaxBackward&) = nullptr;
  void (*logsumexp)(const LogSumExp&) = nullptr;
};

}  // namespace weft
