// Reductions over any axes. An empty list of axes means all of them, as in PyTorch.
#pragma once

#include "kernels/reduce.h"
#include "tensor/tensor.h"

namespace weft {

Tensor sum(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor sum_to(const Tensor& x, const Dims& shape);  // undoes a broadcast: the gradient of expand
Tensor mean(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor prod(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor amax(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Dims& axes = {}, bool keepdim = false);
Tensor var(const Tensor& x, const Dims& axes = {}, double correction = 1, bool keepdim = false);
Tensor argmax(const Tensor& x, int64_t dim, bool keepdim = false);
bool any_host(const Tensor& x);  // to the host: waits for the device

// Axes and shapes of one reduction. IndexError for an axis out of range, RuntimeError for one named twice.
struct Reduction {
  bool reduced[kMaxDims] = {};
  Dims kept_shape;    // with ones where reduced
  Dims shape;         // of the result
  int64_t count = 1;  // elements per result
};
Reduction reduction_of(const char* op, const Tensor& x, const Dims& axes, bool keepdim);

// Off the tape: the kernel as it is. `center` has kept_shape.
Tensor reduce_raw(const char* op, ReduceOp kind, const Tensor& x, const Reduction& r, DType dtype, double scale = 1,
                  const Tensor& center = {});

// A result (or its gradient) stretched back over the axes that were reduced.
Tensor spread(const Tensor& y, const Reduction& r, const Dims& shape);

}  // namespace weft
