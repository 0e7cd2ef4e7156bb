// Running results along one dimension.
#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace weft {

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});
Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype = {});

}  // namespace weft
