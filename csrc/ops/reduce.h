// Reductions over any axes. An empty list of axes means all of them, as in PyTorch.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor sum(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor sum_to(const Tensor& x, const Dims& shape);  // undoes a broadcast: the gradient of expand
Tensor mean(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor amax(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor var(const Tensor& x, const Dims& axes = {}, double correction = 1, bool keepdim = false);
Tensor argmax(const Tensor& x, int64_t dim, bool keepdim = false);
bool any_host(const Tensor& x);  // to the host: waits for the device

}  // namespace weft
