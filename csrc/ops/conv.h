// Convolutions of images [N, C, H, W] or [C, H, W]; arguments and results as in torch.nn.functional.
#pragma once

#include "tensor/tensor.h"

namespace weft {

// weight [out, in / groups, kh, kw], bias [out] or undefined
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Dims& stride, const Dims& padding,
              const Dims& dilation, int64_t groups);
// weight [in, out / groups, kh, kw], bias [out] or undefined
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Dims& stride,
                        const Dims& padding, const Dims& output_padding, int64_t groups, const Dims& dilation);

}  // namespace weft
