// Softmax over any axis.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);

}  // namespace weft
