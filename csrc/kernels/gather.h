// Elements by an index along one dimension; x is [outer, size, inner], index, y and src are [outer, count, inner]:
//   gather:   y[o, k, j] = x[o, index[o, k, j], j]
//   scatter:  x = from, which may be another array where inner is 1; then x[o, index[o, k, j], j] = src[o, k, j], or
//             op(x[...], src[o, k, j]). In the order of k: the last write stays, and sums are the same bits for any
//             number of threads
//   check:    *bad = INT64_MAX, or the first i with index[i] outside [0, size)
// gather does on the way what check does, and so does scatter unless bad is null: then no index is wrong. A wrong one
// is not followed, and what else there is in the result is of no use. Contiguous, no overlap. Half precision is
// combined in float32 and rounded each time. Of booleans, Add and Max are "or", Mul and Min are "and"; a NaN is the
// greatest and the least.
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
  int64_t* bad;
  int64_t outer, count, size, inner;
  DType dtype;
};

enum class ScatterOp : uint8_t { Set, Add, Mul, Max, Min };

struct Scatter {
  void* x;
  const void* from;
  const void* src;
  const int64_t* index;
  int64_t* bad;
  int64_t outer, count, size, inner;
  int64_t src_step;  // 1, or 0: src is one value for all
  DType dtype;
  ScatterOp op;
};

struct GatherKernels {
  void (*check)(const IndexCheck&) = nullptr;
  void (*gather)(const Gather&) = nullptr;
  void (*scatter)(const Scatter&) = nullptr;
};

}  // namespace weft
