// Normalisation over the last dimensions, by mean and variance or by the root mean square.
#pragma once

#include "tensor/tensor.h"

namespace weft {

// weight and bias have normalized_shape, the last dimensions of x; either may be undefined.
Tensor layer_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight = {}, const Tensor& bias = {},
                  double eps = 1e-5);
Tensor rms_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight, double eps);

}  // namespace weft
