// Strided copy with conversion between any two dtypes, and strided fill. Dimensions are merged and ordered by the host,
// by the destination's strides (the last one moves fastest). dst and src are the same elements or do not overlap.
// Float to integer truncates; anything to bool is "not zero"; to half precision rounds to nearest even.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/shape.h"

namespace weft {

struct Copy {
  void* dst;
  const void* src;
  int ndim;                                                               // 0: one element
  int64_t shape[kMaxDims], dst_strides[kMaxDims], src_strides[kMaxDims];  // strides in elements
  DType dst_dtype, src_dtype;
};

struct Fill {
  void* dst;
  int ndim;
  int64_t shape[kMaxDims], strides[kMaxDims];
  uint64_t bits;  // one element's bytes, in its low end
  int32_t itemsize;
};

struct CopyKernels {
  void (*copy)(const Copy&) = nullptr;
  void (*fill)(const Fill&) = nullptr;
};

}  // namespace weft
