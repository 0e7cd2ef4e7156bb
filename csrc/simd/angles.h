// Angles, hyperbolic sines and remainders on f32v. Included by math.h, which has the list.
#pragma once

#include "simd/math64.h"

namespace weft::WEFT_ISA {

// The angle of the point (x, y) for x, y >= 0. The ratio is reduced to |t| <= tan(pi / 8), where atan(t) = t + t^3
// p(t^2).
WEFT_INLINE f32v first_quadrant(f32v y, f32v x) {
  i32v steep = 0.414213562f * y > x, middle = ((y > 0.414213562f * x) | (y == __builtin_inff())) & ~steep;
  f32v above = middle ? 0.5f * y - 0.5f * x : y, below = middle ? 0.5f * y + 0.5f * x : x;
  f32v t = steep ? -x / y : above / below;
  t = (y == x) | (y == 0.0f) ? splat<f32v>(0.0f) : t;  // 0 / 0, and equal infinities
  f32v z = t * t;
  f32v p = z * -0.06456180590792827f + 0.10745208096748556f;
  p = p * z + -0.142641161896192f;
  p = p * z + 0.19999546095186427f;
  p = p * z + -0.3333333179206985f;
  f32v low = steep ? splat<f32v>(-4.37113883e-8f) : middle ? splat<f32v>(-2.18556941e-8f) : splat<f32v>(0.0f);
  f32v high = steep ? splat<f32v>(1.57079637f) : middle ? splat<f32v>(0.785398185f) : splat<f32v>(0.0f);
  return high + (t + (t * z * p + low));
}
WEFT_INLINE f32v vatan(f32v x) {
  f32v y = vcopysign(first_quadrant(vabs(x), splat<f32v>(1.0f)), x);
  return x == x ? y : x;
}
WEFT_INLINE f32v vatan2(f32v y, f32v x) {
  f32v a = first_quadrant(vabs(y), vabs(x));
  a = (i32v)x < 0 ? 3.14159274f - (a + 8.74227766e-8f) : a;  // pi in two parts
  a = (x == x) & (y == y) ? a : x + y;
  return vcopysign(a, y);
}
WEFT_INLINE f32v vasin(f32v x) {
  f32v y = vcopysign(first_quadrant(vabs(x), vsqrt((1.0f - x) * (1.0f + x))), x);
  return vabs(x) <= 1.0f ? y : splat<f32v>(__builtin_nanf(""));
}
WEFT_INLINE f32v vacos(f32v x) {
  f32v y = vatan2(vsqrt((1.0f - x) * (1.0f + x)), x);
  return vabs(x) <= 1.0f ? y : splat<f32v>(__builtin_nanf(""));
}

// In double while the quotient has at most 28 bits, which is exact; beyond, the C library.
WEFT_INLINE f64v remainder_widened(f64v a, f64v b) {
  f64v r = a - vtrunc(a / b) * b;
  return r < 0.0 ? r + b : r;  // the quotient was rounded up
}
WEFT_INLINE f32v vfmod(f32v x, f32v y) {
  f32v a = vabs(x), b = vabs(y), q = a / b;
  f32v r = narrow(remainder_widened(widen_low(a), widen_low(b)), remainder_widened(widen_high(a), widen_high(b)));
  r = vcopysign(r, x);
  if (!any(~((q < 0x1p28f) & (b < __builtin_inff())))) return r;
  for (int i = 0; i < lanes<f32v>; ++i)
    if (!(q[i] < 0x1p28f && b[i] < __builtin_inff())) r[i] = __builtin_fmodf(x[i], y[i]);
  return r;
}

}  // namespace weft::WEFT_ISA
