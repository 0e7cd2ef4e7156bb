// Rows grouped by a segment id: what graph networks and ragged batches sum over. "The rows of a segment" are in their
// own order, so that sums are the same bits for any number of threads; no two threads write one place.
//   plan:     the rows i with ids[i] == s are order[start[s]] to order[start[s + 1] - 1], ascending; or, without
//             `order`, the ids must ascend and the rows are start[s] to start[s + 1] - 1. On the CPU alone
//   reduce:   y[s, :] = sum, mean, max or min of the rows of segment s. An empty one gives 0, or the lowest (highest)
//             number for max (min)
//   softmax:  y[i, :] = exp(x[i, :]) over its sum over the rows of i's segment
//   softmax_backward:  dx[i, :] = y[i, :] * (dy[i, :] - the sum of y * dy over the rows of i's segment)
// Contiguous, no overlap. Half precision is computed in float32.
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

struct SegmentSoftmax {
  void* y;         // dx in backward
  const void* x;   // forward's y in backward
  const void* dy;  // backward
  const int64_t* start;
  const int64_t* order;  // null: ascending ids
  int64_t rows, segments, cols;
  DType dtype;  // floating
};

struct SegmentKernels {
  void (*plan)(const SegmentPlan&) = nullptr;
  void (*reduce)(const SegmentReduce&) = nullptr;
  void (*softmax)(const SegmentSoftmax&) = nullptr;
  void (*softmax_backward)(const SegmentSoftmax&) = nullptr;
};

}  // namespace weft
