// Sorting along one dimension. Stable; NaN counts as greatest.
#pragma once

#include "tensor/tensor.h"

namespace weft {

struct Sorted {
  Tensor values, indices;
};
Sorted sort(const Tensor& x, int64_t dim = -1, bool descending = false);
Sorted topk(const Tensor& x, int64_t k, int64_t dim = -1, bool largest = true);

}  // namespace weft
