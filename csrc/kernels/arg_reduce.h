// Positions of extremes along the middle dimension of contiguous [outer, n, inner] arrays: the first among equals; a
// NaN beats every number. take and put move elements between such an array and [outer, inner] by position:
//   take:  y[o, i] = x[o, indices[o, i], i]         put:  x = 0, then x[o, indices[o, i], i] = y[o, i]
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct ArgReduce {
  int64_t* indices;  // [outer, inner]
  const void* x;
  int64_t outer, n, inner;  // 0 < n < 2^31
  DType dtype;              // int64 or floating
  bool max;
};

struct ArgMove {
  void* y;
  void* x;
  const int64_t* indices;  // in [0, n)
  int64_t outer, n, inner;
  DType dtype;
};

struct ArgReduceKernels {
  void (*arg_reduce)(const ArgReduce&) = nullptr;
  void (*take)(const ArgMove&) = nullptr;
  void (*put)(const ArgMove&) = nullptr;
};

}  // namespace weft
