// Where values belong in sorted rows: y[r, i] is the number of elements of sequence[r, :] that are less than x[r, i],
// or with `right` not greater. A NaN belongs at the end.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct Search {
  int64_t* y;             // [rows, count]
  const void* sequence;   // [rows, cols], or [cols] for all rows if `shared`
  const int64_t* sorter;  // null, or like sequence: where its elements are in order
  const void* x;          // [rows, count]
  int64_t rows, cols, count;
  DType dtype;  // of x and the sequence
  bool shared, right;
};

struct SearchKernels {
  void (*search)(const Search&) = nullptr;
};

}  // namespace weft
