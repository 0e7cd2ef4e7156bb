// Rows grouped by a segment id: what graph networks and ragged batches sum over.
//   plan:    ids[n] in [0, segments) to places: the rows of segment s are order[start[s]] ... order[start[s + 1] - 1],
//   in
//            ascending order. Without `order` the ids must be ascending and the rows are start[s] ... start[s + 1] - 1
//   reduce:  y[s, :] = sum, mean, max or min of x[i, :] over the rows i of segment s, in their order. An empty segment
//            gives 0, or the lowest (highest) number for max (min)
// Contiguous, no overlap. Half precision is computed in float32. No two threads write one place and the order of a sum
// is the rows': the same bits for any number of threads.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

enum class SegmentOp : int { Sum, Mean, Max, Min };

struct SegmentPlan {
  int64_t* start;  // segments + 1
  int64_t* order;  // n, or null
  int64_t* bad;    // INT64_MAX, or the first i whose id is out of range or, without `order`, below the one before
  const int64_t* ids;
  int64_t n, segments;
};

struct SegmentReduce {
  void* y;
  const void* x;
  const int64_t* start;
  const int64_t* order;  // null: ascending ids
  int64_t rows, segments, cols;
  DType dtype;  // floating or int64; Mean: floating
  SegmentOp op;
};

struct SegmentKernels {
  void (*plan)(const SegmentPlan&) = nullptr;
  void (*reduce)(const SegmentReduce&) = nullptr;
};

}  // namespace weft
