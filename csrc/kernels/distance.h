// Distances between rows in the p-norm, and their gradient with respect to the rows of the left side.
//   forward:   y[b, i, j] = (sum over k of |x1[b, i, k] - x2[b, j, k]|^p)^(1/p)
//              p = 0 counts the elements that differ, p = inf takes the greatest difference
//   backward:  dx1[b, i, k] = sum over j of dy[b, i, j] times the slope of y[b, i, j]; 0 where the distance is 0
// All contiguous, float32 or float64. dy and y of backward have strides within a matrix, so that the gradient of x2 is
// the same kernel with the sides exchanged.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"

namespace weft {

struct Distance {
  void* y;
  const void* x1;
  const void* x2;
  int64_t batch, rows, cols, n;  // x1 [batch, rows, n], x2 [batch, cols, n]
  double p;
  DType dtype;
  bool pairs;  // of one matrix: rows = cols, batch = 1, and y has the distances of i < j alone, one behind the other
};
// Where row i of the distances of pairs would begin with j = 0.
WEFT_HD WEFT_INLINE int64_t pairs_row(int64_t i, int64_t rows) { return i * rows - (i + 1) * (i + 2) / 2; }

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
