// The functions of arithmetic on float and double, under one name each.
#pragma once

#include "device.cuh"

namespace weft::cuda::math {

#define WEFT_MATH1(name)                                              \
  WEFT_DEVICE float name(float x) { return ::name##f(x); }            \
  WEFT_DEVICE double name(double x) { return ::name(x); }
WEFT_MATH1(exp)
WEFT_MATH1(log)
WEFT_MATH1(sqrt)
WEFT_MATH1(rsqrt)
WEFT_MATH1(tanh)
WEFT_MATH1(erf)
#undef WEFT_MATH1

}  // namespace weft::cuda::math
