// Vectors of one register, over the compiler's vector extensions: 64, 32 or 16 bytes by instruction set.
//
//   f32v f64v i32v i64v u32v       + - * / & | << and comparisons are the compiler's; a comparison gives an integer
//                                  vector of 0 and -1 that `m ? a : b` takes; a * b + c becomes one FMA where there is
//                                  one
//   lanes<V>, splat<V>(x)          number of elements; all elements x
//   load<V>(p), store(p, v)        unaligned; load_n, store_n touch the first n <= lanes elements only (rest: 0)
//   load_f32(p), store_f32(p, v)   lanes<f32v> elements of float, float16 or bfloat16 (round to nearest even); _n
//   likewise vmin vmax vabs vsqrt vrint vfloor vceil vtrunc vcopysign; hsum hmax hmin add lanes in a fixed order
//
// vmin and vmax propagate NaN, as PyTorch does. Everything is always_inline inside the namespace of the instruction
// set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/half.h"

#if defined(__x86_64__) || defined(__i386__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC 12 warns about its own _mm512_undefined_ps
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
#endif

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define WEFT_AVX512 1
#define WEFT_VEC_BYTES 64
#elif defined(__AVX2__)
#define WEFT_AVX2 1
#define WEFT_VEC_BYTES 32
#else
#define WEFT_VEC_BYTES 16
#endif

namespace weft::WEFT_ISA {

#define WEFT_VECTOR(name, T)                                   \
  typedef T name __attribute__((vector_size(WEFT_VEC_BYTES))); \
  typedef T name##_memory __attribute__((vector_size(WEFT_VEC_BYTES), aligned(alignof(T)), may_alias));
WEFT_VECTOR(f32v, float)
WEFT_VECTOR(f64v, double)
WEFT_VECTOR(i32v, int32_t)
WEFT_VECTOR(i64v, int64_t)
WEFT_VECTOR(u32v, uint32_t)
WEFT_VECTOR(u64v, uint64_t)
#undef WEFT_VECTOR

// Half as wide: the 16-bit elements of one f32v, and the 32-bit ones of one f64v.
typedef uint16_t u16h __attribute__((vector_size(WEFT_VEC_BYTES / 2)));
typedef float f32h __attribute__((vector_size(WEFT_VEC_BYTES / 2)));

template <class V>
struct VecInfo;
#define WEFT_VECTOR(name, T, Mask) \
  template <>                      \
  struct VecInfo<name> {           \
    using scalar = T;              \
    using mask = Mask;             \
    using memory = name##_memory;  \
  };
WEFT_VECTOR(f32v, float, i32v)
WEFT_VECTOR(f64v, double, i64v)
WEFT_VECTOR(i32v, int32_t, i32v)
WEFT_VECTOR(i64v, int64_t, i64v)
WEFT_VECTOR(u32v, uint32_t, i32v)
WEFT_VECTOR(u64v, uint64_t, i64v)
#undef WEFT_VECTOR
template <class V>
using scalar_of = typename VecInfo<V>::scalar;
template <class V>
using mask_of = typename VecInfo<V>::mask;
template <class V>
inline constexpr int lanes = WEFT_VEC_BYTES / (int)sizeof(scalar_of<V>);

// The vector of a scalar type.
template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  using type = f32v;
};
template <>
struct VecOf<double> {
  using type = f64v;
};
template <>
struct VecOf<int32_t> {
  using type = i32v;
};
template <>
struct VecOf<int64_t> {
  using type = i64v;
};
template <class T>
using vec_of = typename VecOf<T>::type;

template <class V>
WEFT_INLINE V splat(scalar_of<V> x) {
  return x - V{};  // not +: keeps -0
}
template <class V>
WEFT_INLINE V iota() {  // 0, 1, 2, ...
  V v{};
  for (int i = 0; i < lanes<V>; ++i) v[i] = (scalar_of<V>)i;
  return v;
}

// Memory.

template <class V>
WEFT_INLINE V load(const scalar_of<V>* p) {
  return (V) * (const typename VecInfo<V>::memory*)p;
}
template <class V>
WEFT_INLINE void store(scalar_of<V>* p, V v) {
  *(typename VecInfo<V>::memory*)p = (typename VecInfo<V>::memory)v;
}

template <class V>
WEFT_INLINE V load_n(const scalar_of<V>* p, int64_t n) {
#if WEFT_AVX512
  if constexpr (sizeof(scalar_of<V>) == 4)
    return (V)_mm512_maskz_loadu_epi32((__mmask16)_bzhi_u32(~0u, (unsigned)n), p);
  else
    return (V)_mm512_maskz_loadu_epi64((__mmask8)_bzhi_u32(~0u, (unsigned)n), p);
#elif WEFT_AVX2
  if constexpr (sizeof(scalar_of<V>) == 4)
    return (V)_mm256_maskload_epi32((const int*)p, (__m256i)(iota<i32v>() < (int32_t)n));
  else
    return (V)_mm256_maskload_epi64((const long long*)p, (__m256i)(iota<i64v>() < n));
#else
  V v{};
  for (int i = 0; i < lanes<V>; ++i)
    if (i < n) v[i] = p[i];
  return v;
#endif
}
template <class V>
WEFT_INLINE void store_n(scalar_of<V>* p, V v, int64_t n) {
#if WEFT_AVX512
  if constexpr (sizeof(scalar_of<V>) == 4)
    _mm512_mask_storeu_epi32(p, (__mmask16)_bzhi_u32(~0u, (unsigned)n), (__m512i)v);
  else
    _mm512_mask_storeu_epi64(p, (__mmask8)_bzhi_u32(~0u, (unsigned)n), (__m512i)v);
#elif WEFT_AVX2
  if constexpr (sizeof(scalar_of<V>) == 4)
    _mm256_maskstore_epi32((int*)p, (__m256i)(iota<i32v>() < (int32_t)n), (__m256i)v);
  else
    _mm256_maskstore_epi64((long long*)p, (__m256i)(iota<i64v>() < n), (__m256i)v);
#else
  for (int i = 0; i < lanes<V>; ++i)
    if (i < n) p[i] = v[i];
#endif
}

// Elementwise.

WEFT_INLINE f32v vselect(i32v m, f32v a, f32v b) { return m ? a : b; }
WEFT_INLINE f64v vselect(i64v m, f64v a, f64v b) { return m ? a : b; }
template <class V>
WEFT_INLINE V vmax(V a, V b) {
  V m = a > b ? a : b;  // b where either is NaN
  return a != a ? a : m;
}
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

// Half precision, to the same bits as the scalar functions of base/half.h.

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

// Across lanes: halves are folded onto each other until one element is left.

template <class T, int Bytes>
struct Register {
  typedef T type __attribute__((vector_size(Bytes)));
};
template <class T, int Bytes, class Op>
WEFT_INLINE T fold(typename Register<T, Bytes>::type v, Op op) {
  if constexpr (Bytes > 16) {
    typename Register<T, Bytes / 2>::type low, high;
    if constexpr (Bytes / sizeof(T) == 16) {
      low = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
      high = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    } else if constexpr (Bytes / sizeof(T) == 8) {
      low = __builtin_shufflevector(v, v, 0, 1, 2, 3);
      high = __builtin_shufflevector(v, v, 4, 5, 6, 7);
    } else {
      low = __builtin_shufflevector(v, v, 0, 1);
      high = __builtin_shufflevector(v, v, 2, 3);
    }
    return fold<T, Bytes / 2>(op(low, high), op);
  } else if constexpr (sizeof(T) == 4) {
    v = op(v, __builtin_shufflevector(v, v, 2, 3, 0, 1));
    v = op(v, __builtin_shufflevector(v, v, 1, 0, 3, 2));
    return v[0];
  } else {
    v = op(v, __builtin_shufflevector(v, v, 1, 0));
    return v[0];
  }
}
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
