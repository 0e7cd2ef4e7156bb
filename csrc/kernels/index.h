// Rows by offset: the arithmetic beneath advanced indexing, index_select, embedding and their gradients.
//   offsets:  offsets[i] = sum over k of index[k][i] * stride[k], negative indices counted from the end
//   gather:   y[i, :] = x[offsets[i] : offsets[i] + cols]
//   scatter:  y[offsets[i] : offsets[i] + cols] = x[i, :], or += where `add`; rows are taken in order, so that the last
//   of
//             several writes to one place stays, and sums are the same bits for any number of threads
// Offsets count elements. A row is contiguous; the caller chooses cols as long as the memory allows, down to 1. The
// rows that a scatter writes may coincide but not overlap in part. y must not overlap x. Sums in half precision are
// rounded at each addition, those of booleans are "or".
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/shape.h"

namespace weft {

struct IndexOffsets {
  int64_t* offsets;
  int64_t* bad;  // INT64_MAX, or kMaxDims * i + k for the first i with an index[k][i] outside [-size[k], size[k])
  const int64_t* index[kMaxDims];
  int64_t size[kMaxDims], stride[kMaxDims];
  int64_t count;
  int indices;
};

struct GatherRows {
  void* y;
  const void* x;
  const int64_t* offsets;
  int64_t rows, cols;
  DType dtype;
};

struct ScatterRows {
  void* y;
  const void* x;
  const int64_t* offsets;
  int64_t rows, cols;
  DType dtype;
  bool add;
};

struct IndexKernels {
  void (*offsets)(const IndexOffsets&) = nullptr;
  void (*gather)(const GatherRows&) = nullptr;
  void (*scatter)(const ScatterRows&) = nullptr;
};

}  // namespace weft
