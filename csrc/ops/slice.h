// Basic indexing of every dimension at once: start, step and length, dropped dimensions, new axes. One view, one node.
#pragma once

#include "tensor/tensor.h"

namespace weft {

struct BasicIndex {
  struct Axis {
    int64_t start = 0, step = 1, length = 0;
    bool keep = true;         // false: an integer index, the dimension disappears
    int new_axes_before = 0;  // None entries before this one
  };
  Axis axes[kMaxDims];
  int n = 0;
  int new_axes_at_end = 0;

  static BasicIndex all(const Dims& shape);
};

Tensor basic_view(const Tensor& x, const BasicIndex& index);   // off the tape
Tensor basic_index(const Tensor& x, const BasicIndex& index);  // on the tape

}  // namespace weft
