// The types of vectors of one register, and their way from memory and back. Included by vec.h, which has the list.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/macros.h"

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

// Of a vector its elements' type, of a scalar itself.
template <class T>
struct ScalarOrItself {
  using type = T;
};
template <>
struct ScalarOrItself<f32v> {
  using type = float;
};
template <>
struct ScalarOrItself<f64v> {
  using type = double;
};
template <>
struct ScalarOrItself<i64v> {
  using type = int64_t;
};
template <class T>
using scalar_or_itself = typename ScalarOrItself<T>::type;

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

}  // namespace weft::WEFT_ISA
