// For other operations: linear recurrences, differentiable any number of times.
#pragma once

#include "tensor/tensor.h"

namespace weft {

// y[k] = b[k] + a[k + 1] * y[k + 1] along dim, the last y being the last b; a[0] is not read. Floating, same shapes.
Tensor linear_scan_from_end(const Tensor& a, const Tensor& b, int dim);

}  // namespace weft
