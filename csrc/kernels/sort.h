// Sorting contiguous rows, stably: equal elements keep their order, in a descending sort too. NaN counts as greatest,
// -0 equals 0.
//   sort:  values[r, :] in order, indices[r, :] where they were in x[r, :]
//   topk:  the first k of that order (descending: the greatest)
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

struct SortKernels {
  void (*sort)(const Sort&) = nullptr;
};

}  // namespace weft
