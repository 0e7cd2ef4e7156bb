// Distances between rows in the p-norm, and their gradient with respect to the rows of the left side.
//   forward:   y[b, i, j] = (sum over k of |x1[b, i, k] - x2[b, j, k]|^p)^(1/p)
//              p = 0 counts the elements that differ, p = inf takes the greatest difference
//   backward:  dx1[b, i, k] = sum over j of dy[b, i, j] times the slope of y[b, i, j]; 0 where the distance is 0
// All contiguous, float32 or float64. dy and y of backward have strides within a matrix, so that the gradient of x2 is
// the same kernel with the sides exchanged.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct Distance {
  void* y;
  const void* x1;
  const void* x2;
  int64_t batch, rows, cols, n;  // x1 [batch, rows, n], x2 [batch, cols, n]
  double p;
  DType dtype;
};

struct DistanceGrad {
  void* dx1;
  const void* dy;
  const void* y;
  const void* x1;
  const void* x2;
  int64_t batch, rows, cols, n;
  int64_t row_step, col_step;  // of dy and y
  double p;
  DType dtype;
};

struct DistanceKernels {
  void (*forward)(const Distance&) = nullptr;
  void (*backward)(const DistanceGrad&) = nullptr;
};

}  // namespace weft
