// x[...] as in NumPy and PyTorch: integers, slices, None, Ellipsis, and integer or bool tensors, mixed.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor nonzero(const Tensor& x);  // [count, x.dim()] of int64, in row-major order
// x indexed by int64 tensors of one (broadcast) shape at dimensions [first, first + n); the others stay.
Tensor index_dims(const Tensor& x, int first, const TensorList& indices);
// x[..., indices, ...] = values (or +=), in place and on the tape.
void index_put(const Tensor& x, int first, const TensorList& indices, const Tensor& values, bool add);

}  // namespace weft
