// Pools over the last one to three axes, on the tape: shapes in, checked arguments; see ops/pool.cpp for PyTorch's.
#pragma once

#include "kernels/pool.h"
#include "tensor/tensor.h"

namespace weft {

struct Pooling {
  PoolShape shape;
  Dims output;  // the whole shape of the result
};

struct MaxPooled {
  Tensor y, index;  // index: int32 position in the volume; undefined unless wanted
};
MaxPooled max_pool(const char* op, const Tensor& x, const Pooling& p, bool want_index);
// divisor 0: the window's size, with the padding if count_pad
Tensor average_pool(const char* op, const Tensor& x, const Pooling& p, int64_t divisor, bool count_pad);

}  // namespace weft
