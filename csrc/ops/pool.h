// Pools over the last two axes of [N, C, H, W] or [C, H, W]; arguments and results as in torch.nn.functional.
#pragma once

#include "tensor/tensor.h"

namespace weft {

struct MaxPooled {
  Tensor y, index;  // index: int32 position in the plane; undefined unless wanted
};
MaxPooled max_pool2d(const Tensor& x, const Dims& kernel, const Dims& stride, const Dims& padding, const Dims& dilation,
                     bool ceil_mode, bool want_index);
Tensor avg_pool2d(const Tensor& x, const Dims& kernel, const Dims& stride, const Dims& padding, bool ceil_mode,
                  bool count_include_pad, int64_t divisor);  // divisor 0: the window's size
MaxPooled adaptive_max_pool2d(const Tensor& x, const Dims& outputs, bool want_index);
Tensor adaptive_avg_pool2d(const Tensor& x, const Dims& outputs);

}  // namespace weft
