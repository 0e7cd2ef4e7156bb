// Joining tensors.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor join(const TensorList& tensors, int64_t dim);

}  // namespace weft
