// Half precision, to the same bits as the scalar functions of base/half.h. Included by vec.h, which has the list.
#pragma once

#include "base/half.h"
#include "simd/register.h"

namespace weft::WEFT_ISA {

WEFT_INLINE f32v widen_bf16(u16h h) {
#if WEFT_AVX512
  return (f32v)_mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)h), 16);
#elif WEFT_AVX2
  return (f32v)_mm256_slli_epi32(_mm256_cvtepu16_epi32((__m128i)h), 16);
#else
  return (f32v)(__builtin_convertvector(h, u32v) << 16);
#endif
}
WEFT_INLINE u16h narrow_bf16(f32v x) {
  u32v u = (u32v)x;
  u32v r = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
  u32v nan = (u >> 16) | 0x40u;
  r = ((i32v)(u & 0x7fffffffu) > 0x7f800000) ? nan : r;
  return __builtin_convertvector(r, u16h);
}
WEFT_INLINE f32v widen_f16(u16h h) {
#if WEFT_AVX512
  return (f32v)_mm512_cvtph_ps((__m256i)h);
#elif WEFT_AVX2
  return (f32v)_mm256_cvtph_ps((__m128i)h);
#else
  u32v u = __builtin_convertvector(h, u32v);
  u32v sign = (u & 0x8000u) << 16, e = u & 0x7c00u, rest = u & 0x7fffu;
  u32v normal = (rest << 13) + ((127u - 15u) << 23);
  u32v special = (rest << 13) | 0x7f800000u;
  u32v tiny = (u32v)(__builtin_convertvector((i32v)rest, f32v) * 0x1p-24f);  // denormal or zero
  u32v v = (e == 0x7c00u) ? special : normal;
  v = (e == 0u) ? tiny : v;
  return (f32v)(v | sign);
#endif
}
WEFT_INLINE u16h narrow_f16(f32v x) {
#if WEFT_AVX512
  return (u16h)_mm512_cvtps_ph((__m512)x, 8);
#elif WEFT_AVX2
  return (u16h)_mm256_cvtps_ph((__m256)x, 8);
#else
  u32v u = (u32v)x, sign = (u >> 16) & 0x8000u, a = u & 0x7fffffffu;
  u32v normal = (a - ((127u - 15u) << 23) + 0xfffu + ((a >> 13) & 1u)) >> 13;  // carries into infinity from 65520 up
  u32v tiny = (u32v)((f32v)a + 0.5f) - 0x3f000000u;  // below 2^-14: the addition rounds at 2^-24, float16's last place
  u32v v = ((i32v)a < (113 << 23)) ? tiny : normal;
  v = ((i32v)a >= 0x47800000) ? (u32v{} + 0x7c00u) : v;
  v = ((i32v)a > 0x7f800000) ? (((a >> 13) & 0x1ffu) | 0x7e00u) : v;
  return __builtin_convertvector(v | sign, u16h);
#endif
}

typedef u16h u16h_memory __attribute__((aligned(2), may_alias));
WEFT_INLINE f32v load_f32(const float* p) { return load<f32v>(p); }
WEFT_INLINE f32v load_f32(const float16* p) { return widen_f16(*(const u16h_memory*)p); }
WEFT_INLINE f32v load_f32(const bfloat16* p) { return widen_bf16(*(const u16h_memory*)p); }
WEFT_INLINE void store_f32(float* p, f32v v) { store<f32v>(p, v); }
WEFT_INLINE void store_f32(float16* p, f32v v) { *(u16h_memory*)p = narrow_f16(v); }
WEFT_INLINE void store_f32(bfloat16* p, f32v v) { *(u16h_memory*)p = narrow_bf16(v); }

WEFT_INLINE f32v load_f32_n(const float* p, int64_t n) { return load_n<f32v>(p, n); }
template <class Half>
WEFT_INLINE f32v load_f32_n(const Half* p, int64_t n) {
#if WEFT_AVX512
  alignas(64) Half t[lanes<f32v>];
  *(__m256i*)t = _mm256_maskz_loadu_epi16((__mmask16)_bzhi_u32(~0u, (unsigned)n), p);
  return load_f32(t);
#else
  Half t[lanes<f32v>] = {};
  for (int i = 0; i < lanes<f32v>; ++i)
    if (i < n) t[i] = p[i];
  return load_f32(t);
#endif
}
WEFT_INLINE void store_f32_n(float* p, f32v v, int64_t n) { store_n<f32v>(p, v, n); }
template <class Half>
WEFT_INLINE void store_f32_n(Half* p, f32v v, int64_t n) {
  alignas(64) Half t[lanes<f32v>];
  store_f32(t, v);
#if WEFT_AVX512
  _mm256_mask_storeu_epi16(p, (__mmask16)_bzhi_u32(~0u, (unsigned)n), *(const __m256i*)t);
#else
  for (int i = 0; i < lanes<f32v>; ++i)
    if (i < n) p[i] = t[i];
#endif
}

using weft::from_float;
template <class T>
WEFT_INLINE void from_float(T* p, float x) {
  *p = from_float<T>(x);
}

}  // namespace weft::WEFT_ISA
