// Rows grouped by a segment id.
#pragma once

#include <optional>

#include "kernels/segment.h"
#include "tensor/tensor.h"

namespace weft {

// Checked ids of rows, and where the rows of each segment are.
struct Segments {
  Tensor ids, start, order;  // int64; order is undefined where the ids are ascending
  int64_t count;
};
Segments group_rows(const char* op, const Tensor& ids, std::optional<int64_t> count, bool sorted);

Tensor segment_reduce(const char* op, SegmentOp kind, const Tensor& x, const Segments& s);  // [n, ...] to [count, ...]
Tensor segment_spread(const Tensor& y, const Segments& s);  // y[ids], the gradient of the sum

}  // namespace weft
