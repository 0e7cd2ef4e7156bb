// Views: no data moves. Names, arguments and errors are PyTorch's.
#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace weft {

Tensor reshape(const Tensor& x, Dims shape);  // one -1 allowed; copies only if no view can do it
Tensor view(const Tensor& x, Dims shape);     // RuntimeError where a copy would be needed
Tensor flatten(const Tensor& x, int64_t start = 0, int64_t end = -1);
Tensor transpose(const Tensor& x, int64_t a, int64_t b);
Tensor permute(const Tensor& x, const Dims& axes);
Tensor expand(const Tensor& x, const Dims& shape);  // -1 keeps a size
Tensor squeeze(const Tensor& x, int64_t dim);
Tensor squeeze_all(const Tensor& x);
Tensor squeeze_dims(const Tensor& x, const std::optional<Dims>& dims);
Tensor matrix_transpose(const Tensor& x);  // of up to two dimensions
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t stop, int64_t step);  // step > 0, bounds clamped
Tensor select(const Tensor& x, int64_t dim, int64_t index);
Tensor as_strided(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> storage_offset);

}  // namespace weft
