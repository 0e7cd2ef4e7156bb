// The functions that kernels/pointwise_functors.h asks for, on float, double and int64_t; and the functors on them.
#pragma once

#include <cmath>

#include "device.cuh"

#define WEFT_FUNCTORS weft::cuda::math

namespace weft::cuda::math {

#define WEFT_FN WEFT_HD WEFT_INLINE

template <class V>
inline constexpr bool is_integer = false;
template <>
inline constexpr bool is_integer<int64_t> = true;

template <class V>
WEFT_FN V lit(double v) {
  if constexpr (is_integer<V>)
    return v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (V)v;
  else
    return (V)v;
}
template <class V>
WEFT_FN V vselect(bool mask, V a, V b) {
  return mask ? a : b;
}
template <class V>
WEFT_FN V vmin(V a, V b) {
  return a < b || a != a ? a : b;
}
template <class V>
WEFT_FN V vmax(V a, V b) {
  return a > b || a != a ? a : b;
}

#define WEFT_MATH(name, function)                             \
  WEFT_FN float v##name(float x) { return ::function##f(x); } \
  WEFT_FN double v##name(double x) { return ::function(x); }
#define WEFT_MATH_BINARY(name, function)                                  \
  WEFT_FN float v##name(float a, float b) { return ::function##f(a, b); } \
  WEFT_FN double v##name(double a, double b) { return ::function(a, b); }
WEFT_MATH(abs, fabs)
WEFT_MATH(sqrt, sqrt)
WEFT_MATH(rint, rint)
WEFT_MATH(floor, floor)
WEFT_MATH(ceil, ceil)
WEFT_MATH(trunc, trunc)
WEFT_MATH(exp, exp)
WEFT_MATH(exp2, exp2)
WEFT_MATH(expm1, expm1)
WEFT_MATH(log, log)
WEFT_MATH(log2, log2)
WEFT_MATH(log10, log10)
WEFT_MATH(log1p, log1p)
WEFT_MATH(sin, sin)
WEFT_MATH(cos, cos)
WEFT_MATH(tan, tan)
WEFT_MATH(sinh, sinh)
WEFT_MATH(cosh, cosh)
WEFT_MATH(tanh, tanh)
WEFT_MATH(asin, asin)
WEFT_MATH(acos, acos)
WEFT_MATH(atan, atan)
WEFT_MATH(erf, erf)
WEFT_MATH(erfc, erfc)
WEFT_MATH_BINARY(atan2, atan2)
WEFT_MATH_BINARY(pow, pow)
WEFT_MATH_BINARY(fmod, fmod)
WEFT_MATH_BINARY(copysign, copysign)
#undef WEFT_MATH
#undef WEFT_MATH_BINARY

template <class V>
WEFT_FN V vsigmoid(V x) {
  return 1 / (1 + vexp(-x));
}
template <class V>
WEFT_FN V vnormal_pdf(V x) {
  return (V)0.39894228040143267794 * vexp((V)-0.5 * x * x);
}
#if defined(WEFT_EMULATION)  // erfc(-x / sqrt(2)) / 2 loses relative accuracy in the tail unless x / sqrt(2) is wider
WEFT_FN float vnormal_cdf(float x) { return (float)(0.5 * ::erfc(-0.70710678118654752440 * (double)x)); }
WEFT_FN double vnormal_cdf(double x) { return 0.5 * ::erfc(-0.70710678118654752440 * x); }
WEFT_FN double verfinv(double x) {  // the root of erfc(y) = 1 - |x|, concave in its logarithm, by Newton's method
  double a = ::fabs(x), y = 0, target = ::log1p(-a);
  if (!(a < 1)) return a == 1 ? x * HUGE_VAL : NAN;
  for (int i = 0; i < 60; ++i) {
    double off = (y < 0.5 ? ::log1p(-::erf(y)) : ::log(::erfc(y))) - target;
    y += off * ::erfc(y) * ::exp(y * y) * 0.88622692545275801365;
  }
  return ::copysign(y, x);
}
WEFT_FN float verfinv(float x) { return (float)verfinv((double)x); }
#else
WEFT_FN float vnormal_cdf(float x) { return ::normcdff(x); }
WEFT_FN double vnormal_cdf(double x) { return ::normcdf(x); }
WEFT_FN float verfinv(float x) { return ::erfinvf(x); }
WEFT_FN double verfinv(double x) { return ::erfinv(x); }
#endif

WEFT_FN int64_t vabs(int64_t x) { return x < 0 ? (int64_t)(0 - (uint64_t)x) : x; }
WEFT_FN int64_t vquotient(int64_t a, int64_t b) {
  if (b == 0) return 0;
  return b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;  // the smallest number by -1 overflows
}
WEFT_FN int64_t vgcd(int64_t a, int64_t b) {
  while (b != 0) {
    int64_t r = a - vquotient(a, b) * b;
    a = b;
    b = r;
  }
  return vabs(a);
}
// By squaring, modulo 2^64. A negative exponent leaves only the powers of 1 and -1.
WEFT_FN int64_t vpow(int64_t a, int64_t b) {
  if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  uint64_t result = 1, base = (uint64_t)a;
  for (uint64_t e = (uint64_t)b; e; e >>= 1, base *= base)
    if (e & 1) result *= base;
  return (int64_t)result;
}

#undef WEFT_FN

}  // namespace weft::cuda::math

#include "kernels/pointwise_functors.h"
