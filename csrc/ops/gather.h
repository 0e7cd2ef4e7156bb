// Elements by index along one dimension. Names, arguments and errors are PyTorch's.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
// IndexError unless all of index is in [0, size).
void check_in_range(const char* op, const Tensor& index, int64_t size, int64_t dim);
Tensor one_hot(const Tensor& x, int64_t num_classes = -1);

}  // namespace weft
