// Rows of a table by id, and the gradient of the table.
//   forward:   y[i, :] = weight[ids[i], :]
//   backward:  dweight[r, :] = sum of dy[i, :] over all i with ids[i] == r, in the order of i; 0 for r == padding_row
//   and for
//              rows that no id names; divided by the number of such i with `by_frequency`. Every row is written once.
// Contiguous. Ids outside [0, rows) are not followed: forward reports the first in *bad, backward expects none.
// Half precision sums in float32.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct EmbeddingForward {
  void* y;
  const void* weight;
  const int64_t* ids;
  int64_t* bad;  // INT64_MAX, or the least i with a wrong id
  int64_t n, rows, cols;
  DType dtype;
};

struct EmbeddingBackward {
  void* dweight;
  const void* dy;
  const int64_t* ids;
  int64_t* workspace;  // rows + 1 + n values
  int64_t n, rows, cols;
  int64_t padding_row;  // -1: none
  DType dtype;          // floating
  bool by_frequency;
};

struct EmbeddingKernels {
  void (*forward)(const EmbeddingForward&) = nullptr;
  void (*backward)(const EmbeddingBackward&) = nullptr;
};

}  // namespace weft
