// Cross-entropy of rows of logits with class labels, and its gradient.
//   p = softmax(x);   loss = w[t] * (1 - s) * -log p[t]  +  s / classes * sum over c of w[c] * -log p[c]
//   none: y[i] = loss[i];   sum: y = sum of losses;   mean: y = sum of losses / sum of w[t], 0 if nothing counts
//   dx[c] = d * ((w[t] (1 - s) + s / classes * sum(w)) * p[c] - w[t] (1 - s) [c = t] - s / classes * w[c])
//   d = dy[i], dy, or dy / sum of w[t]
// t = target, s = smoothing, w = weight (1 if null). Rows whose target is ignore_index count nothing and get 0.
// Other targets must be in [0, classes): rows whose target is not are counted and get 0. weight, max, log_sum,
// row_scale and dy are float64 for float64 and else float32; half precision is computed in float32. Sums over rows are
// taken in pieces that are added in order. dx may alias x.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

enum class LossReduction : uint8_t { None, Mean, Sum };

struct CrossEntropyForward {
  void* y;                // [rows] or one element, in dtype
  void *max, *log_sum;    // [rows]: log p[c] = x[c] - max - log_sum
  double* totals;         // [3]: sum of losses, sum of w[t], rows whose target is not a class
  const void* x;          // [rows, classes]
  const int64_t* target;  // [rows]
  const void* weight;     // [classes] or null
  int64_t rows, classes, ignore_index;
  double smoothing;
  double* workspace;  // cross_entropy_pieces(rows, classes) * 3
  DType dtype;
  LossReduction reduction;
};

struct CrossEntropyBackward {
  void* dx;
  void* row_scale;  // [rows], the factor of p[c] above; may be null
  const void* dy;   // [rows] or one element
  const void* x;
  const void *max, *log_sum;
  const double* totals;
  const int64_t* target;
  const void* weight;
  int64_t rows, classes, ignore_index;
  double smoothing;
  DType dtype;
  LossReduction reduction;
};

WEFT_INLINE int64_t cross_entropy_rows_per_piece(int64_t classes) {
  int64_t rows = 16384 / (classes + 1);
  return rows < 1 ? 1 : rows > 512 ? 512 : rows;
}
WEFT_INLINE int64_t cross_entropy_pieces(int64_t rows, int64_t classes) {
  int64_t per_piece = cross_entropy_rows_per_piece(classes);
  return (rows + per_piece - 1) / per_piece;
}

struct CrossEntropyKernels {
  void (*forward)(const CrossEntropyForward&) = nullptr;
  void (*backward)(const CrossEntropyBackward&) = nullptr;
};

}  // namespace weft
