// Softmax over any axis, and its denominator's logarithm.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);
Tensor logsumexp(const Tensor& x, const Dims& axes, bool keepdim = false);

}  // namespace weft
