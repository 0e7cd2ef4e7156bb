// Writing through a view, out of place. The operations whose gradient is a view, and the gradients of views.
#pragma once

#include <functional>

#include "tensor/tensor.h"

namespace weft {

using ViewOf = std::function<Tensor(const Tensor&)>;  // differentiable, and of the same places for equal shapes

// A copy of x whose part view(x) is src, broadcast and converted.
Tensor view_scatter(const char* name, const Tensor& x, const Tensor& src, ViewOf view);
// The same over zeros of a shape: the gradient of a view.
Tensor view_into_zeros(const char* name, const Dims& shape, const Tensor& src, ViewOf view);

Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);

}  // namespace weft
