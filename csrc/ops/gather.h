// Elements by index along one dimension. Names, arguments and errors are PyTorch's.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
Tensor one_hot(const Tensor& x, int64_t num_classes = -1);

}  // namespace weft
