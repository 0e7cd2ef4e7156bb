// Mathematics on f64v: exp, exp2, expm1, log, tanh within about 2 ulp; the rest lane by lane through the C library.
// Included by math.h, which has the list.
#pragma once

#include "simd/vec.h"

namespace weft::WEFT_ISA {

constexpr double kLog2e = 1.4426950408889634074, kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33;

// 2^n for whole n in [-1022, 1023]: adding 1.5 * 2^52 leaves n in the low bits.
WEFT_INLINE f64v pow2_whole(f64v n) {
  i64v k = (i64v)(n + 0x1.8p52) - (i64v)splat<f64v>(0x1.8p52);
  return (f64v)((k + 1023) << 52);
}
WEFT_INLINE f64v scale_pow2(f64v x, f64v n) {
#if WEFT_AVX512
  return (f64v)_mm512_scalef_pd((__m512d)x, (__m512d)n);
#else
  f64v h = vrint(n * 0.5);
  return x * pow2_whole(h) * pow2_whole(n - h);
#endif
}
// The x86 instructions return their second operand where one is NaN, which the compiler does not use by itself.
WEFT_INLINE f32v clamp_keep_nan(f32v x, float low, float high) {
#if WEFT_AVX512
  return (f32v)_mm512_min_ps((__m512)splat<f32v>(high), _mm512_max_ps((__m512)splat<f32v>(low), (__m512)x));
#elif WEFT_AVX2
  return (f32v)_mm256_min_ps((__m256)splat<f32v>(high), _mm256_max_ps((__m256)splat<f32v>(low), (__m256)x));
#else
  x = x < low ? splat<f32v>(low) : x;
  return x > high ? splat<f32v>(high) : x;
#endif
}
WEFT_INLINE f64v clamp_keep_nan(f64v x, double low, double high) {
#if WEFT_AVX512
  return (f64v)_mm512_min_pd((__m512d)splat<f64v>(high), _mm512_max_pd((__m512d)splat<f64v>(low), (__m512d)x));
#elif WEFT_AVX2
  return (f64v)_mm256_min_pd((__m256d)splat<f64v>(high), _mm256_max_pd((__m256d)splat<f64v>(low), (__m256d)x));
#else
  x = x < low ? splat<f64v>(low) : x;
  return x > high ? splat<f64v>(high) : x;
#endif
}

// e^r - 1 for |r| <= ln2 / 2: Taylor to r^13.
WEFT_INLINE f64v expm1_reduced(f64v r) {
  f64v p = r * 1.6059043836821613e-10 + 2.0876756987868100e-09;
  p = p * r + 2.5052108385441720e-08;
  p = p * r + 2.7557319223985888e-07;
  p = p * r + 2.7557319223985893e-06;
  p = p * r + 2.4801587301587302e-05;
  p = p * r + 1.9841269841269841e-04;
  p = p * r + 1.3888888888888889e-03;
  p = p * r + 8.3333333333333332e-03;
  p = p * r + 4.1666666666666664e-02;
  p = p * r + 1.6666666666666666e-01;
  p = p * r + 0.5;
  return r + r * r * p;
}
WEFT_INLINE f64v vexp(f64v x) {
  x = clamp_keep_nan(x, -746.0, 710.0);
  f64v n = vrint(x * kLog2e);
  f64v r = x - n * kLn2High - n * kLn2Low;
  return scale_pow2(expm1_reduced(r) + 1.0, n);
}
WEFT_INLINE f64v vexp2(f64v x) {
  x = clamp_keep_nan(x, -1076.0, 1025.0);
  f64v n = vrint(x);
  return scale_pow2(expm1_reduced((x - n) * 0.69314718055994530942) + 1.0, n);
}
WEFT_INLINE f64v vexpm1(f64v x) {
  x = clamp_keep_nan(x, -40.0, 710.0);
  f64v n = vrint(x * kLog2e);
  f64v r = x - n * kLn2High - n * kLn2Low;
  f64v t = pow2_whole(n - 1.0);  // half of 2^n: 2^1024 would overflow
  f64v p = expm1_reduced(r);
  return n == 0.0 ? p : 2.0 * (p * t + (t - 0.5));  // p itself: halving could flush it
}

struct Log64 {
  f64v k, f, y;  // x = 2^k (1 + f), log(1 + f) = f + y
};
WEFT_INLINE Log64 log_parts(f64v x) {
  i64v tiny = x < 0x1p-1022;
  u64v u = (u64v)(tiny ? x * 0x1p54 : x) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
  f64v k = (f64v)((u >> 52) | 0x4330000000000000u) - (0x1p52 + 1023.0);
  k = tiny ? k - 54.0 : k;
  f64v f = (f64v)((u & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
  f64v s = f / (f + 2.0), w = s * s;  // log(1 + f) = 2 atanh(s)
  f64v p = w * (2.0 / 23) + 2.0 / 21;
  p = p * w + 2.0 / 19;
  p = p * w + 2.0 / 17;
  p = p * w + 2.0 / 15;
  p = p * w + 2.0 / 13;
  p = p * w + 2.0 / 11;
  p = p * w + 2.0 / 9;
  p = p * w + 2.0 / 7;
  p = p * w + 2.0 / 5;
  p = p * w + 2.0 / 3;
  f64v half = 0.5 * f * f;
  return {k, f, s * (half + w * p) - half};
}
template <class V>
WEFT_INLINE V log_special(V x, V y) {
  constexpr scalar_of<V> inf = __builtin_inf(), nan = __builtin_nan("");
  y = x == inf ? x : y;
  y = x == 0 ? splat<V>(-inf) : y;
  return x >= 0 ? y : splat<V>(nan);
}
WEFT_INLINE f64v vlog(f64v x) {
  Log64 l = log_parts(x);
  return log_special(x, l.k * kLn2High + (l.f + (l.y + l.k * kLn2Low)));
}
WEFT_INLINE f64v vtanh(f64v x) {
  f64v e = vexpm1(vabs(x) * -2.0);
  return vcopysign(-e / (e + 2.0), x);
}
#define WEFT_EACH(name, function)                                \
  WEFT_INLINE f64v name(f64v x) {                                \
    for (int i = 0; i < lanes<f64v>; ++i) x[i] = function(x[i]); \
    return x;                                                    \
  }
WEFT_EACH(vlog2, __builtin_log2)
WEFT_EACH(vlog10, __builtin_log10)
WEFT_EACH(verf, __builtin_erf)
WEFT_EACH(verfc, __builtin_erfc)
WEFT_EACH(vsin, __builtin_sin)
WEFT_EACH(vcos, __builtin_cos)
WEFT_EACH(vtan, __builtin_tan)
WEFT_EACH(vsinh, __builtin_sinh)
WEFT_EACH(vcosh, __builtin_cosh)
WEFT_EACH(vasin, __builtin_asin)
WEFT_EACH(vacos, __builtin_acos)
WEFT_EACH(vatan, __builtin_atan)
#undef WEFT_EACH
#define WEFT_EACH(name, function)                                      \
  WEFT_INLINE f64v name(f64v x, f64v y) {                              \
    for (int i = 0; i < lanes<f64v>; ++i) x[i] = function(x[i], y[i]); \
    return x;                                                          \
  }
WEFT_EACH(vpow, __builtin_pow)
WEFT_EACH(vatan2, __builtin_atan2)
WEFT_EACH(vfmod, __builtin_fmod)
#undef WEFT_EACH

// erfinv(x) = x p(w), a polynomial in w = -log(1 - x^2) below 5 and in its root above: within 1e-8 of p where the root
// is below 4 and 2e-6 up to 6.1, x = 1 - 2^-53.
template <class V>
WEFT_INLINE V erfinv_center(V w) {
  V t = w - (scalar_of<V>)2.5;
  V p = t * (scalar_of<V>)-8.791056457645215e-09 + (scalar_of<V>)2.323264416438653e-08;
  p = p * t + (scalar_of<V>)4.6617066379035614e-07;
  p = p * t + (scalar_of<V>)-3.4627047571783073e-06;
  p = p * t + (scalar_of<V>)-4.9633478542233445e-06;
  p = p * t + (scalar_of<V>)0.00021834443942241237;
  p = p * t + (scalar_of<V>)-0.001252741878447004;
  p = p * t + (scalar_of<V>)-0.004177386781080247;
  p = p * t + (scalar_of<V>)0.24664028615345127;
  return p * t + (scalar_of<V>)1.5014093592824913;
}
WEFT_INLINE f64v erfinv_tail(f64v w) {
  f64v t = vsqrt(w) - 4.0;
  f64v p = t * 1.7534055619201063e-05 + -7.890429118389414e-05;
  p = p * t + 9.248386993752217e-05;
  p = p * t + -2.752128874122274e-05;
  p = p * t + 0.000252199899987501;
  p = p * t + -0.0009427673654397921;
  p = p * t + 0.0012954961011070391;
  p = p * t + 1.0095113524098875;
  return p * t + 3.839781242981827;
}
template <class V>
WEFT_INLINE V erfinv_special(V x, V y) {
  y = vabs(x) == 1 ? vcopysign(splat<V>(__builtin_inf()), x) : y;
  return vabs(x) > 1 ? splat<V>(__builtin_nan("")) : y;
}
WEFT_INLINE f64v verfinv(f64v x) {
  f64v a = vabs(x), w = -vlog((1.0 - a) * (1.0 + a));
  f64v y = a * (w < 5.0 ? erfinv_center(w) : erfinv_tail(w));
  // One step of Halley's method, which cubes the error; near 1 by erfc, which has the digits there.
  f64v off = a < 0.5 ? verf(y) - a : (1.0 - a) - verfc(y);
  f64v u = off * vexp(y * y) * 0.88622692545275801365;
  y = a < 1e-9 ? a * 0.88622692545275801365 : y - u / (1.0 + u * y);  // the step itself could be flushed
  return erfinv_special(x, vcopysign(y, x));
}

// The normal distribution's function and density.
WEFT_INLINE f64v vnormal_cdf(f64v x) { return 0.5 * verfc(x * -0.70710678118654752440); }
WEFT_INLINE f64v vnormal_pdf(f64v x) { return 0.39894228040143267794 * vexp(-0.5 * x * x); }

}  // namespace weft::WEFT_ISA
