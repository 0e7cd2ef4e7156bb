// Products. Shapes and broadcasting as torch.matmul and torch.nn.functional.linear.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor matmul(const Tensor& a, const Tensor& b);
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});  // x [..., in], weight [out, in]

}  // namespace weft
