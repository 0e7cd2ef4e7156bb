// Mathematics on f32v and f64v. Coefficients for f32v are minimax fits in relative error.
//   vexp vexp2 vexpm1 vlog vlog1p vlog2 vlog10 vtanh vsigmoid verf verfc verfinv vsin vcos vpow vnormal_cdf vnormal_pdf
//   vtan vsinh vcosh vasin vacos vatan vatan2 vfmod (of f64v: lane by lane, through the C library)
// Errors, in units of the last place over all floats whose result is normal: tests/kernels/test_math.py.
#pragma once

#include "simd/angles.h"
#include "simd/math64.h"
#include "simd/power.h"

namespace weft::WEFT_ISA {

constexpr float kLn2HighF = 0.693359375f, kLn2LowF = -2.12194440e-4f;  // 9 bits: n * kLn2HighF is exact

// e^r - 1 for |r| <= ln2 / 2, good in relation to e^r.
WEFT_INLINE f32v exp_reduced(f32v r) {
  f32v p = r * 0.001381446476115046f + 0.008368780622585855f;
  p = p * r + 0.04166839425900393f;
  p = p * r + 0.16666520105542418f;
  p = p * r + 0.49999993412261606f;
  return r + r * r * p;
}
WEFT_INLINE f32v exp_within(f32v x) {  // -150 <= x <= 89
  f32v n = vrint(x * (float)kLog2e);
  f32v r = x - n * kLn2HighF - n * kLn2LowF;
  return scale_pow2(exp_reduced(r) + 1.0f, n);
}
WEFT_INLINE f32v vexp(f32v x) { return exp_within(clamp_keep_nan(x, -104.0f, 89.0f)); }
WEFT_INLINE f32v vexp_falling(f32v x) { return exp_within(max_of_numbers(splat<f32v>(-104.0f), x)); }  // x <= 0
WEFT_INLINE f64v vexp_falling(f64v x) { return vexp(x); }
WEFT_INLINE f32v vexp2(f32v x) {
  x = clamp_keep_nan(x, -151.0f, 129.0f);
  f32v n = vrint(x);
  return scale_pow2(exp_reduced((x - n) * 0.69314718f) + 1.0f, n);
}
WEFT_INLINE f32v vexpm1(f32v x) {
  x = clamp_keep_nan(x, -20.0f, 89.0f);
  f32v n = vrint(x * (float)kLog2e);
  f32v r = x - n * kLn2HighF - n * kLn2LowF;
  f32v p = r * 0.00019845884365924123f + 0.0013940720448364253f;
  p = p * r + 0.008333389575238813f;
  p = p * r + 0.04166635981340532f;
  p = p * r + 0.16666666368835598f;
  p = p * r + 0.5000000044401726f;
  p = r + r * r * p;
  f32v t = pow2_whole(n - 1.0f);                       // half of 2^n: 2^128 would overflow
  return n == 0.0f ? p : 2.0f * (p * t + (t - 0.5f));  // p itself: halving could flush it
}

// e^x / 2 for x >= 0, which overflows later than e^x.
WEFT_INLINE f32v half_exp(f32v x) {
  x = clamp_keep_nan(x, 0.0f, 91.0f);
  f32v n = vrint(x * (float)kLog2e);
  f32v r = x - n * kLn2HighF - n * kLn2LowF;
  return scale_pow2(exp_reduced(r) + 1.0f, n - 1.0f);
}
WEFT_INLINE f32v vcosh(f32v x) {
  f32v h = half_exp(vabs(x));
  return h + 0.25f / h;
}
WEFT_INLINE f32v vsinh(f32v x) {
  f32v a = vabs(x), h = half_exp(a), t = vexpm1(a);
  return vcopysign(a < 1.0f ? 0.5f * (t + t / (t + 1.0f)) : h - 0.25f / h, x);
}

struct Log32 {
  f32v k, f, y;  // x = 2^k (1 + f), log(1 + f) = f + y
};
WEFT_INLINE Log32 log_parts(f32v x) {
  i32v tiny = x < 0x1p-126f;
  u32v u = (u32v)(tiny ? x * 0x1p25f : x) + (0x3f800000u - 0x3f3504f3u);
  f32v k = to_f32((i32v)(u >> 23) - 127);
  k = tiny ? k - 25.0f : k;
  f32v f = (f32v)((u & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
  f32v p = f * -0.0763442983863497f + 0.12761550337721625f;
  p = p * f + -0.1316019506759513f;
  p = p * f + 0.14201762470487075f;
  p = p * f + -0.16623356478252196f;
  p = p * f + 0.20001226667335234f;
  p = p * f + -0.2500082105624692f;
  p = p * f + 0.333333317096945f;
  f32v z = f * f;
  return {k, f, f * z * p - 0.5f * z};
}
WEFT_INLINE f32v vlog(f32v x) {
  Log32 l = log_parts(x);
  return log_special(x, l.k * kLn2HighF + (l.f + (l.y + l.k * kLn2LowF)));
}
WEFT_INLINE f32v vlog2(f32v x) {
  Log32 l = log_parts(x);
  f32v lo = l.y * 1.44269504f + l.f * 0.44269504f;  // log2(e) - 1: f itself is added exactly
  return log_special(x, l.k + (l.f + lo));
}
WEFT_INLINE f32v vlog10(f32v x) {
  Log32 l = log_parts(x);
  f32v lo = l.k * 4.60503898e-6f + l.y * 0.43429448f + l.f * 0.0592944819f;  // log10(e) = 0.375 + 0.0593
  return log_special(x, l.k * 0.301025390625f + (l.f * 0.375f + lo));
}

WEFT_INLINE f32v vtanh(f32v x) {
  f32v c = clamp_keep_nan(x, -9.01f, 9.01f), z = c * c;
  f32v n = z * 1.33368218085e-08f + 2.05962531179e-05f;
  n = n * z + 0.00349480969671f;
  n = n * z + 0.133803704173f;
  n = n * z + 0.99999997923f;
  f32v d = z * 7.76927171963e-07f + 0.000328436108053f;
  d = d * z + 0.0258740214869f;
  d = d * z + 0.467136858322f;
  d = d * z + 1.0f;
  return clamp_keep_nan(c * n / d, -1.0f, 1.0f);
}
WEFT_INLINE f32v verf(f32v x) {
  f32v c = clamp_keep_nan(x, -3.925f, 3.925f), z = c * c;
  f32v n = z * 2.04602206486e-06f + 0.000284844927214f;
  n = n * z + 0.00377260038403f;
  n = n * z + 0.0527694534369f;
  n = n * z + 0.190594893026f;
  n = n * z + 1.12837914574f;
  f32v d = z * 3.80477924477e-05f + 0.00116387046781f;
  d = d * z + 0.0149832980744f;
  d = d * z + 0.114183196271f;
  d = d * z + 0.502243056237f;
  d = d * z + 1.0f;
  return clamp_keep_nan(c * n / d, -1.0f, 1.0f);
}

// -|x|, but no less than `least`.
WEFT_INLINE f32v below_zero(f32v x, float least) {
  return max_of_numbers(splat<f32v>(least), (f32v)((i32v)x | (int32_t)0x80000000));
}
// e^(-t^2 / 2) for |t| <= 14.5, relative accuracy kept in the tail by the rounding error of the square: it joins what
// the reduction leaves, of which v is -2 times.
WEFT_INLINE f32v exp_half_square(f32v t) {
  f32v s = t * t, n = vrint(s * (float)(-0.5 * kLog2e));
  f32v v = (s + n * (2 * kLn2HighF)) + (n * (2 * kLn2LowF) + product_error(t, t, s));
  f32v p = v * (0.001381446476115046f / 64) - 0.008368780622585855f / 32;
  p = p * v + 0.04166839425900393f / 16;
  p = p * v - 0.16666520105542418f / 8;
  p = p * v + 0.49999993412261606f / 4;
  p = p * v - 0.5f;
  return scale_pow2(p * v + 1.0f, n);
}
// P(X < t) e^(t^2 / 2) for a standard normal X and t <= 0.
WEFT_INLINE f32v normal_tail(f32v t) {
  f32v n = t * 0.004116325179f - 0.040633329011f;
  n = n * t + 0.183235433095f;
  n = n * t - 0.438295335212f;
  n = n * t + 0.500000002955f;
  f32v d = t * -0.0103179773394f + 0.101859098371f;
  d = d * t - 0.469471412203f;
  d = d * t + 1.20250434567f;
  d = d * t - 1.67447565173f;
  d = d * t + 1.0f;
  return n / d;
}
WEFT_INLINE f32v vnormal_cdf(f32v x) {
  f32v t = below_zero(x, -14.5f), tail = exp_half_square(t) * normal_tail(t);
  return x > 0.0f ? 1.0f - tail : tail;
}
WEFT_INLINE f32v verfc(f32v x) {
  f32v t = below_zero(x, -10.2f), s = t * t, e = exp_within(-s);
  e = e * (1.0f - product_error(t, t, s));  // not e - e * ...: that product would be flushed in the tail
  f32v tail = 2.0f * (e * normal_tail(t * 1.41421356f));
  return x < 0.0f ? 2.0f - tail : tail;
}
WEFT_INLINE f32v verfinv(f32v x) {
  f32v w = -vlog((1.0f - x) * (1.0f + x)), t = vsqrt(w) - 3.0f;
  f32v p = t * 0.00011570421822602358f + -0.00030957316640223276f;
  p = p * t + -5.677695366346214e-05f;
  p = p * t + 0.0014850926584268898f;
  p = p * t + -0.0035974052498253806f;
  p = p * t + 0.005686973388347533f;
  p = p * t + -0.007637288975658241f;
  p = p * t + 0.0094452864961094f;
  p = p * t + 1.0016749670203795f;
  p = p * t + 2.8329768012424448f;
  return erfinv_special(x, x * (w < 5.0f ? erfinv_center(w) : p));
}
WEFT_INLINE f32v vnormal_pdf(f32v x) { return 0.39894228f * exp_half_square(below_zero(x, -14.5f)); }

// Sine of x + quarter * pi / 2. The reduction is in double, exact enough up to 10^6; beyond, the C library.
WEFT_INLINE f32v sine(f32v x, int quarter) {
  f64v low = widen_low(x), high = widen_high(x);
  f64v nl = vrint(low * 0.63661977236758134308), nh = vrint(high * 0.63661977236758134308);
  constexpr double a = 0x1.921fb544p+0, b = 0x1.0b4611a626331p-34;  // pi / 2 in 33 + 53 bits
  f32v r = narrow(low - nl * a - nl * b, high - nh * a - nh * b);
  i32v q = to_i32(narrow(nl, nh)) + quarter;
  f32v z = r * r;
  f32v s = r + r * z * ((z * -0.00019514956625282229f + 0.008332158400213192f) * z + -0.16666654572929404f);
  f32v c = 1.0f - 0.5f * z;
  c = c + z * z * ((z * 2.443278332004658e-05f + -0.0013887313044666225f) * z + 0.041666645618354425f);
  return (f32v)((i32v)((q & 1) != 0 ? c : s) ^ ((q & 2) << 30));
}
#define WEFT_SINE(name, quarter, function)                        \
  WEFT_INLINE f32v name(f32v x) {                                 \
    f32v y = sine(x, quarter);                                    \
    if (!any(~(vabs(x) < 1e6f))) return y;                        \
    for (int i = 0; i < lanes<f32v>; ++i)                         \
      if (!(__builtin_fabsf(x[i]) < 1e6f)) y[i] = function(x[i]); \
    return y;                                                     \
  }
WEFT_SINE(vsin, 0, __builtin_sinf)
WEFT_SINE(vcos, 1, __builtin_cosf)
#undef WEFT_SINE
WEFT_INLINE f32v vtan(f32v x) {
  f32v y = sine(x, 0) / sine(x, 1);
  if (!any(~(vabs(x) < 1e6f))) return y;
  for (int i = 0; i < lanes<f32v>; ++i)
    if (!(__builtin_fabsf(x[i]) < 1e6f)) y[i] = __builtin_tanf(x[i]);
  return y;
}

// Either type.

template <class V>
WEFT_INLINE V vlog1p(V x) {
  V u = x + (scalar_of<V>)1;
  V lost = x > (scalar_of<V>)1 ? 1 - (u - x) : x - (u - 1);  // x + 1 = u + lost
  V y = vlog(u) + lost / u;
  return (u - u == (scalar_of<V>)0) && (u != (scalar_of<V>)0) ? y : vlog(u);
}
template <class V>
WEFT_INLINE V vsigmoid(V x) {
  return 1 / (vexp(-x) + 1);
}

}  // namespace weft::WEFT_ISA
