// Batch normalisation over all dimensions but the second.
#pragma once

#include "tensor/tensor.h"

namespace weft {

// x [N, C, ...]; the others [C] or undefined. Running statistics are read, or when training changed in place.
// fused: relu(batch_norm(x) + residual); its residual, like x, may be undefined.
struct FusedRelu {
  bool on = false;
  Tensor residual;
};
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps, const FusedRelu& fused = {});

}  // namespace weft
