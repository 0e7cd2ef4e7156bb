// Sorting contiguous rows, stably: equal elements keep their order, in a descending sort too. NaN counts as greatest,
// -0 equals 0.
//   sort:  values[r, :] in order, indices[r, :] where they were in x[r, :]
//   topk:  the first k of that order (descending: the greatest)
//   pick:  one element of that order, by rank, and where it was; see Pick
//   order: the order of whole rows, compared element by element
// values must not alias x.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct Sort {
  void* values;
  int64_t* indices;
  const void* x;
  int64_t rows, cols, k;  // k == cols: sort. cols < 2^32
  void* workspace;        // workers * sort_scratch(cols, dtype) bytes
  int workers;            // threads that may take part
  DType dtype;
  bool descending;
};

WEFT_HD WEFT_INLINE int64_t sort_scratch(int64_t cols, DType dtype) { return cols * (size_of(dtype) == 8 ? 32 : 16); }

// Median: the lower one of two, NaN if there is a NaN; NanMedian: of the others; Mode: the most frequent value, the
// least of several, where it was last.
enum class PickOp : uint8_t { Kth, Median, NanMedian, Mode };

struct Pick {
  void* values;
  int64_t* indices;
  const void* x;
  int64_t rows, cols, k;  // 0 < cols < 2^32, 0 <= k < cols
  void* workspace;        // as for Sort
  int workers;
  DType dtype;
  PickOp op;
};

struct RowOrder {
  int64_t* order;    // [rows]
  int64_t* scratch;  // [rows]
  const void* x;     // [rows, cols]
  int64_t rows, cols;
  DType dtype;
};

struct SortKernels {
  void (*sort)(const Sort&) = nullptr;
  void (*pick)(const Pick&) = nullptr;
  void (*order)(const RowOrder&) = nullptr;
};

}  // namespace weft
