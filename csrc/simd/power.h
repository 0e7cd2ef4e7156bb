// vpow of f32v: x^y = 2^(y log2 x). Included by math.h.
#pragma once

#include "simd/math64.h"

namespace weft::WEFT_ISA {

WEFT_INLINE f32v pow2_whole(f32v n) { return (f32v)((to_i32(n) + 127) << 23); }
WEFT_INLINE f32v scale_pow2(f32v x, f32v n) {
#if WEFT_AVX512
  return (f32v)_mm512_scalef_ps((__m512)x, (__m512)n);
#else
  i32v k = to_i32(n), h = k >> 1;
  return x * (f32v)((h + 127) << 23) * (f32v)((k - h + 127) << 23);
#endif
}

// 2^(y log2(2^k (1 + f))) without its whole power, which is *n; r is about 1 / (f + 2). In double, where the product
// loses nothing that a float could show: both polynomials are within 4e-11.
WEFT_INLINE f64v power_fraction(f64v f, f64v r, f64v k, f64v y, f64v* n) {
  f64v s = f * (r * (2.0 - (f + 2.0) * r)), z = s * s;  // log(1 + f) = 2 atanh(s)
  f64v p = z * 0.2829014436885756 + 0.319905611862474;
  p = p * z + 0.4122092543339827;
  p = p * z + 0.5770779423466141;
  p = p * z + 0.9617966941134019;
  p = p * z + 2.88539008177785;
  f64v e = clamp_keep_nan(y * (p * s + k), -200.0, 200.0), t;
  *n = vrint(e);
  t = e - *n;
  p = t * 1.5201923227886917e-05 + 0.00015469291148894633;
  p = p * t + 0.0013333922556294352;
  p = p * t + 0.00961802725364381;
  p = p * t + 0.055504103534569235;
  p = p * t + 0.2402265119815789;
  p = p * t + 0.6931471807284446;
  return p * t + 0.9999999999616818;
}
WEFT_INLINE f32v power_in_double(f32v x, f32v y) {
  f32v a = vabs(x);
  u32v u = (u32v)a + (0x3f800000u - 0x3f3504f3u);
  f32v k = to_f32((i32v)(u >> 23) - 127);
  f32v f = (f32v)((u & 0x7fffffu) + 0x3f3504f3u) - 1.0f, r = 1.0f / (f + 2.0f);
  k = a < __builtin_inff() ? k : a;
  k = a == 0.0f ? splat<f32v>(-__builtin_inff()) : k;
  f64v low, high;
  f64v pl = power_fraction(widen_low(f), widen_low(r), widen_low(k), widen_low(y), &low);
  f64v ph = power_fraction(widen_high(f), widen_high(r), widen_high(k), widen_high(y), &high);
  f32v p = scale_pow2(narrow(pl, ph), narrow(low, high));
  i32v whole = vtrunc(y) == y, odd = whole & (vtrunc(y * 0.5f) != y * 0.5f);
  p = a == 1.0f ? splat<f32v>(1.0f) : p;
  p = odd ? vcopysign(p, x) : p;
  i32v nan = (x < 0.0f) & (a < __builtin_inff()) & ~whole;
  p = nan | (x != x) | (y != y) ? splat<f32v>(__builtin_nanf("")) : p;
  return (y == 0.0f) | (x == 1.0f) ? splat<f32v>(1.0f) : p;
}

#if WEFT_AVX512

// Of most numbers the whole in float: x = 2^k (1 + f) / r with r from a table, |f| < 1/64, and log2(x) as the sum of
// two floats. The 32 parts of [0.71, 1.42) are those of the bits after kPowerFirst; around 1, r is 1.
constexpr int32_t kPowerFirst = 0x3f355555;
alignas(64) constexpr float kPowerInverse[32] = {
    1.3964f, 1.3665f, 1.3380f, 1.3106f, 1.2843f, 1.2590f, 1.2347f, 1.2114f, 1.1889f, 1.1672f, 1.1463f,
    1.1261f, 1.1066f, 1.0878f, 1.0696f, 1.0521f, 1.0350f, 1.0186f, 1.0000f, 0.9746f, 0.9458f, 0.9187f,
    0.8930f, 0.8688f, 0.8458f, 0.8240f, 0.8033f, 0.7837f, 0.7649f, 0.7471f, 0.7300f, 0.7138f};
alignas(64) constexpr float kPowerHigh[32] = {
    -0x1.ed46p-2f, -0x1.cd4cp-2f, -0x1.ae28p-2f, -0x1.8f98p-2f, -0x1.71a6p-2f, -0x1.544p-2f,  -0x1.3776p-2f,
    -0x1.1b5p-2f,  -0x1.ff3cp-3f, -0x1.c8dp-3f,  -0x1.936cp-3f, -0x1.5ee4p-3f, -0x1.2b48p-3f, -0x1.f15p-4f,
    -0x1.8d98p-4f, -0x1.2c2p-4f,  -0x1.969p-5f,  -0x1.b3ap-6f,  0.0f,          0x1.301p-5f,   0x1.4948p-4f,
    0x1.f518p-4f,  0x1.4e6p-3f,   0x1.9f8cp-3f,  0x1.eed4p-3f,  0x1.1dfcp-2f,  0x1.4392p-2f,  0x1.681p-2f,
    0x1.8bfp-2f,   0x1.aeb8p-2f,  0x1.d0eep-2f,  0x1.f214p-2f};
alignas(64) constexpr float kPowerLow[32] = {
    0.1053170e-6f,  -0.2515128e-6f, -3.7168431e-6f, 0.7880328e-6f,  2.5949446e-6f,  -2.8279555e-6f, 0.5662290e-6f,
    -2.9913836e-6f, -1.2060652e-6f, 1.2281037e-6f,  -1.2735553e-6f, -1.5628134e-6f, -0.4662186e-6f, 0.8192516e-6f,
    -2.5651423e-6f, 0.9465942e-6f,  -1.5097721e-6f, 0.8359634e-6f,  0.0000000e-6f,  0.8426928e-6f,  2.0131693e-6f,
    -3.0433557e-6f, -1.1342129e-6f, 0.2699997e-6f,  -3.7311208e-6f, 2.1395981e-6f,  2.5436232e-6f,  3.0823762e-6f,
    -0.8219898e-6f, 2.9621071e-6f,  -1.3047494e-6f, 3.7481482e-6f};

WEFT_INLINE f32v of_32(const float* table, i32v i) {
  return (f32v)_mm512_permutex2var_ps(_mm512_load_ps(table), (__m512i)i, _mm512_load_ps(table + 16));
}
// Never made one operation with a product.
WEFT_INLINE f32v difference(f32v a, f32v b) {
  return (f32v)_mm512_sub_round_ps((__m512)a, (__m512)b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

// What is not usual done anew, and no other lane: a result must not depend on what stands beside it.
static __attribute__((noinline, unused)) f32v power_mended(f32v x, f32v y, f32v power, __mmask16 usual) {
  return (f32v)_mm512_mask_blend_ps(usual, (__m512)power_in_double(x, y), (__m512)power);
}

WEFT_INLINE f32v vpow(f32v x, f32v y) {
  i32v u = (i32v)x - kPowerFirst, part = u >> 18;
  f32v m = (f32v)((i32v)x - (u & (int32_t)0xff800000)), k = to_f32(u >> 23), r = of_32(kPowerInverse, part);
  f32v mr = m * r, lost = product_error(m, r, mr), f = difference(mr, splat<f32v>(1.0f));
  // log2(x) = high + low, where high begins with k + log2(1 / r), which is exact, and f log2(e).
  constexpr float e2 = 1.44269502f, e2_low = 1.92596303e-8f;
  f32v a = k + of_32(kPowerHigh, part), b = f * e2, high = a + b;
  f32v p = (f * 0.28859222f + -0.36072963f) * (f * f) + (f * 0.48089835f + -0.72134751f);
  p = p * f + e2_low;
  f32v low = of_32(kPowerLow, part) + product_error(f, splat<f32v>(e2), b);
  low = p * f + (b - (high - a) + (lost * (e2 - b) + low));
  f32v e = y * high, rest = y * low + product_error(y, high, e), s = e + rest;
  f32v n = vrint(s), t = difference(e, n) + rest;
  f32v q = (t * 0.00015403512f + 0.0013390735f) * (t * t) + (t * 0.0096182376f + 0.055503573f);
  q = q * t + 0.24022649f;
  q = q * t + 0.69314718f;
  f32v power = scale_pow2(q * t + 1.0f, n);
  __mmask16 usual = _mm512_cmplt_epu32_mask((__m512i)((u32v)x - 0x00800000u), (__m512i)splat<u32v>(0x7f000000u));
  usual = _mm512_mask_cmp_ps_mask(usual, (__m512)vabs(s), (__m512)splat<f32v>(126.0f), _CMP_LT_OQ);
  return __builtin_expect(usual == 0xffff, 1) ? power : power_mended(x, y, power, usual);
}

#else

WEFT_INLINE f32v vpow(f32v x, f32v y) { return power_in_double(x, y); }

#endif

}  // namespace weft::WEFT_ISA
