// Moving and converting elements.
#pragma once

#include "tensor/tensor.h"

namespace weft {

Tensor contiguous(const Tensor& x);       // x itself if it is
Tensor clone(const Tensor& x);            // always a fresh contiguous tensor
Tensor to(const Tensor& x, DType dtype);  // x itself if nothing changes
Tensor to(const Tensor& x, Device device);
void copy_into(const Tensor& dst, const Tensor& src);  // broadcasts, converts, crosses devices; off the tape
Tensor& copy_(Tensor& dst, const Tensor& src);         // in place, on the tape
void fill_raw(const Tensor& x, double value);          // off the tape
void fill_raw_int(const Tensor& x, int64_t value);

}  // namespace weft
