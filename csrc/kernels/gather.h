// Elements by an index along one dimension; x is [outer, size, inner], index, y and src are [outer, count, inner]:
//   gather:   y[o, k, j] = x[o, index[o, k, j], j]
//   scatter:  x[o, index[o, k, j], j] = src[o, k, j], or += where `add`. In the order of
//             k: the last write stays, and sums are the same bits for any number of threads
//   check:    *bad = INT64_MAX, or the first i with index[i] outside [0, size); the others expect none
// Contiguous, no overlap. Half precision is added in float32 and rounded each time.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct IndexCheck {
  int64_t* bad;
  const int64_t* index;
  int64_t n, size;
};

struct Gather {
  void* y;
  const void* x;
  const int64_t* index;
  int64_t outer, count, size, inner;
  DType dtype;
};

struct Scatter {
  void* x;
  const void* src;
  const int64_t* index;
  int64_t outer, count, size, inner;
  int64_t src_step;  // 1, or 0: src is one value for all
  DType dtype;
  bool add;
};

struct GatherKernels {
  void (*check)(const IndexCheck&) = nullptr;
  void (*gather)(const Gather&) = nullptr;
  void (*scatter)(const Scatter&) = nullptr;
};

}  // namespace weft
