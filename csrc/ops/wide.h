// Optional operands as kernels take them, and half precision's parameters and statistics in float32.
#pragma once

#include "ops/copy.h"

namespace weft {

inline const void* data_or_null(const Tensor& t) { return t.defined() ? t.data() : nullptr; }
inline DType wide_of(DType t) { return is_half(t) ? DType::Float32 : t; }
// Without history, contiguous, in the type that x of `dtype` is computed in; undefined stays undefined.
inline Tensor wide(const Tensor& t, DType dtype) {
  return t.defined() ? contiguous(to(t.detach(), wide_of(dtype))) : t;
}

}  // namespace weft
