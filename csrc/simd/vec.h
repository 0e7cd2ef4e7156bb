// Vectors of one register, over the compiler's vector extensions: 64, 32 or 16 bytes by instruction set.
//
//   f32v f64v i32v i64v u32v       + - * / & | << and comparisons are the compiler's; a comparison gives an integer
//                                  vector of 0 and -1 that `m ? a : b` takes; a * b + c becomes one FMA where there is
//                                  one
//   lanes<V>, splat<V>(x)          number of elements; all elements x
//   load<V>(p), store(p, v)        unaligned; load_n, store_n touch the first n <= lanes elements only (rest: 0)
//   load_f32(p), store_f32(p, v)   lanes<f32v> elements of float, float16 or bfloat16 (round to nearest even); _n
//   store_bools(p, v)              whether each lane is not 0
//   vmin vmax vabs vsqrt vrint vfloor vceil vtrunc vcopysign divided; any(comparison)
//   hsum hmax hmin                 of the lanes, in a fixed order; of lanes<V> vectors at a time: sums(v), fold_each(v)
//   transpose(v), permute(v, at)   lanes<V> vectors as a square; the lanes of one in any order
//
// vmin and vmax propagate NaN, as PyTorch does; max_of_numbers gives its second operand where one is NaN. Everything is
// always_inline inside the namespace of the instruction set.
#pragma once

#include "simd/across.h"
#include "simd/half.h"
#include "simd/register.h"

namespace weft::WEFT_ISA {

// Elementwise.

WEFT_INLINE f32v vselect(i32v m, f32v a, f32v b) { return m ? a : b; }
WEFT_INLINE f64v vselect(i64v m, f64v a, f64v b) { return m ? a : b; }
template <class V>
WEFT_INLINE V vmax(V a, V b) {
  V m = a > b ? a : b;  // b where either is NaN
  return a != a ? a : m;
}
// The larger one, b where a is NaN: one instruction on x86, a third of vmax.
WEFT_INLINE f32v max_of_numbers(f32v a, f32v b) {
#if WEFT_AVX512
  return (f32v)_mm512_max_ps((__m512)a, (__m512)b);
#elif WEFT_AVX2
  return (f32v)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (f32v)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}
WEFT_INLINE f64v max_of_numbers(f64v a, f64v b) { return a > b ? a : b; }
template <class V>
WEFT_INLINE V vmin(V a, V b) {
  V m = a < b ? a : b;
  return a != a ? a : m;
}
WEFT_INLINE f32v vabs(f32v x) { return (f32v)((i32v)x & 0x7fffffff); }
WEFT_INLINE f64v vabs(f64v x) { return (f64v)((i64v)x & 0x7fffffffffffffff); }
WEFT_INLINE f32v vcopysign(f32v x, f32v sign) {
  return (f32v)(((i32v)x & 0x7fffffff) | ((i32v)sign & (int32_t)0x80000000));
}
WEFT_INLINE f64v vcopysign(f64v x, f64v sign) {
  return (f64v)(((i64v)x & 0x7fffffffffffffff) | ((i64v)sign & (int64_t)0x8000000000000000));
}

#if WEFT_AVX512
WEFT_INLINE f32v vsqrt(f32v x) { return (f32v)_mm512_sqrt_ps((__m512)x); }
WEFT_INLINE f64v vsqrt(f64v x) { return (f64v)_mm512_sqrt_pd((__m512d)x); }
#define WEFT_ROUND(name, mode)                                                                \
  WEFT_INLINE f32v name(f32v x) { return (f32v)_mm512_roundscale_ps((__m512)x, (mode) | 8); } \
  WEFT_INLINE f64v name(f64v x) { return (f64v)_mm512_roundscale_pd((__m512d)x, (mode) | 8); }
#elif WEFT_AVX2
WEFT_INLINE f32v vsqrt(f32v x) { return (f32v)_mm256_sqrt_ps((__m256)x); }
WEFT_INLINE f64v vsqrt(f64v x) { return (f64v)_mm256_sqrt_pd((__m256d)x); }
#define WEFT_ROUND(name, mode)                                                           \
  WEFT_INLINE f32v name(f32v x) { return (f32v)_mm256_round_ps((__m256)x, (mode) | 8); } \
  WEFT_INLINE f64v name(f64v x) { return (f64v)_mm256_round_pd((__m256d)x, (mode) | 8); }
#elif defined(__SSE4_1__)
WEFT_INLINE f32v vsqrt(f32v x) { return (f32v)_mm_sqrt_ps((__m128)x); }
WEFT_INLINE f64v vsqrt(f64v x) { return (f64v)_mm_sqrt_pd((__m128d)x); }
#define WEFT_ROUND(name, mode)                                                        \
  WEFT_INLINE f32v name(f32v x) { return (f32v)_mm_round_ps((__m128)x, (mode) | 8); } \
  WEFT_INLINE f64v name(f64v x) { return (f64v)_mm_round_pd((__m128d)x, (mode) | 8); }
#endif
#ifdef WEFT_ROUND
WEFT_ROUND(vrint, 0)
WEFT_ROUND(vfloor, 1)
WEFT_ROUND(vceil, 2)
WEFT_ROUND(vtrunc, 3)
#undef WEFT_ROUND
#else
#define WEFT_EACH(name, f32, f64)                           \
  WEFT_INLINE f32v name(f32v x) {                           \
    for (int i = 0; i < lanes<f32v>; ++i) x[i] = f32(x[i]); \
    return x;                                               \
  }                                                         \
  WEFT_INLINE f64v name(f64v x) {                           \
    for (int i = 0; i < lanes<f64v>; ++i) x[i] = f64(x[i]); \
    return x;                                               \
  }
WEFT_EACH(vsqrt, __builtin_sqrtf, __builtin_sqrt)
WEFT_EACH(vrint, __builtin_rintf, __builtin_rint)
WEFT_EACH(vfloor, __builtin_floorf, __builtin_floor)
WEFT_EACH(vceil, __builtin_ceilf, __builtin_ceil)
WEFT_EACH(vtrunc, __builtin_truncf, __builtin_trunc)
#undef WEFT_EACH
#endif

// A sum of numbers or vectors by how many they were, 0 if none; integers towards 0.
template <class T>
WEFT_INLINE T divided(T sum, int64_t count) {
  using S = scalar_or_itself<T>;
  if (count == 0) return T{};
  if constexpr (S(0.5) != S(0))
    return sum * (S(1) / (S)count);
  else
    return sum / (S)count;
}

// Whether a comparison holds anywhere.
WEFT_INLINE bool any(i32v m) {
#if WEFT_AVX512
  return _mm512_movepi32_mask((__m512i)m) != 0;
#elif WEFT_AVX2
  return _mm256_movemask_ps((__m256)m) != 0;
#elif defined(__SSE2__)
  return _mm_movemask_ps((__m128)m) != 0;
#else
  return fold<int32_t, WEFT_VEC_BYTES>(m, [](auto a, auto b) { return a | b; }) != 0;
#endif
}

// Whether each lane is not 0, as lanes<V> bools.
#if WEFT_AVX512
WEFT_INLINE void store_bools(bool* p, f32v v) {
  _mm_storeu_si128((__m128i*)p, _mm_maskz_set1_epi8(_mm512_cmp_ps_mask((__m512)v, __m512{}, _CMP_NEQ_UQ), 1));
}
WEFT_INLINE void store_bools(bool* p, f64v v) {
  _mm_storel_epi64((__m128i*)p, _mm_maskz_set1_epi8(_mm512_cmp_pd_mask((__m512d)v, __m512d{}, _CMP_NEQ_UQ), 1));
}
WEFT_INLINE void store_bools(bool* p, i64v v) {
  _mm_storel_epi64((__m128i*)p, _mm_maskz_set1_epi8(_mm512_test_epi64_mask((__m512i)v, (__m512i)v), 1));
}
#else
template <class M, int... I>
WEFT_INLINE void store_lowest_bytes(bool* p, M m, Seq<I...>) {
  typedef int8_t Bytes __attribute__((vector_size(WEFT_VEC_BYTES)));
  const Bytes b = (Bytes)m & 1;
  const auto lowest = __builtin_shufflevector(b, b, (I * (int)sizeof(scalar_of<M>))...);
  __builtin_memcpy(p, &lowest, sizeof...(I));
}
template <class V>
WEFT_INLINE void store_bools(bool* p, V v) {
  store_lowest_bytes(p, (mask_of<V>)(v != 0), typename Indices<lanes<V> >::type{});
}
#endif

// What rounding lost in p = a * b: exact with an FMA, by Dekker's split without.
WEFT_INLINE f32v product_error(f32v a, f32v b, f32v p) {
#if WEFT_AVX512
  return (f32v)_mm512_fmsub_ps((__m512)a, (__m512)b, (__m512)p);
#elif WEFT_AVX2
  return (f32v)_mm256_fmsub_ps((__m256)a, (__m256)b, (__m256)p);
#else
  f32v ah = (f32v)((i32v)a & (int32_t)0xfffff000), bh = (f32v)((i32v)b & (int32_t)0xfffff000);
  f32v al = a - ah, bl = b - bh;
  return ((ah * bh - p) + ah * bl + al * bh) + al * bl;
#endif
}

// Conversions between elements of 4 and 8 bytes: one f32v is two f64v.

WEFT_INLINE i32v to_i32(f32v x) { return __builtin_convertvector(x, i32v); }  // truncates; out of range: INT_MIN
WEFT_INLINE f32v to_f32(i32v x) { return __builtin_convertvector(x, f32v); }

#if WEFT_AVX512
WEFT_INLINE f64v widen_low(f32v x) { return (f64v)_mm512_cvtps_pd(_mm512_castps512_ps256((__m512)x)); }
WEFT_INLINE f64v widen_high(f32v x) { return (f64v)_mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)x, 1)); }
WEFT_INLINE f32v narrow(f64v low, f64v high) {
  return (f32v)_mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps((__m512d)low)), _mm512_cvtpd_ps((__m512d)high),
                                  1);
}
#elif WEFT_AVX2
WEFT_INLINE f64v widen_low(f32v x) { return (f64v)_mm256_cvtps_pd(_mm256_castps256_ps128((__m256)x)); }
WEFT_INLINE f64v widen_high(f32v x) { return (f64v)_mm256_cvtps_pd(_mm256_extractf128_ps((__m256)x, 1)); }
WEFT_INLINE f32v narrow(f64v low, f64v high) {
  return (f32v)_mm256_set_m128(_mm256_cvtpd_ps((__m256d)high), _mm256_cvtpd_ps((__m256d)low));
}
#else
WEFT_INLINE f64v widen_low(f32v x) { return f64v{x[0], x[1]}; }
WEFT_INLINE f64v widen_high(f32v x) { return f64v{x[2], x[3]}; }
WEFT_INLINE f32v narrow(f64v low, f64v high) {
  return f32v{(float)low[0], (float)low[1], (float)high[0], (float)high[1]};
}
#endif

// Across lanes.

template <class V>
WEFT_INLINE scalar_of<V> hsum(V v) {
  return fold<scalar_of<V>, WEFT_VEC_BYTES>(v, [](auto a, auto b) { return a + b; });
}
template <class V>
WEFT_INLINE scalar_of<V> hmax(V v) {
  return fold<scalar_of<V>, WEFT_VEC_BYTES>(v, [](auto a, auto b) { return vmax(a, b); });
}
template <class V>
WEFT_INLINE scalar_of<V> hmin(V v) {
  return fold<scalar_of<V>, WEFT_VEC_BYTES>(v, [](auto a, auto b) { return vmin(a, b); });
}

}  // namespace weft::WEFT_ISA
