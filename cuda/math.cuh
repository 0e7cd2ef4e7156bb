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

template <class C>
WEFT_DEVICE C gelu(C x) {
  return x * (C)0.5 * (1 + erf(x * (C)0.70710678118654752440));
}
template <class C>
WEFT_DEVICE C gelu_tanh(C x) {
  return x * (C)0.5 * (1 + tanh((C)0.79788456080286535588 * (x + (C)0.044715 * x * x * x)));
}
template <class C>
WEFT_DEVICE C silu(C x) {
  return x / (1 + exp(-x));
}

}  // namespace weft::cuda::math
