// Vectors of this instruction set's width, and the loads and stores that a column tail needs.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(WEFT_ISA_v4) || defined(WEFT_ISA_v3)
#include <immintrin.h>
#endif

#include "base/macros.h"

namespace weft::WEFT_ISA::mm {

#if defined(WEFT_ISA_v4)
constexpr int kVectorBytes = 64;
#elif defined(WEFT_ISA_v3)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VecOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
  typedef T unaligned __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
};
template <class T>
struct MaskOf;
template <>
struct MaskOf<float> {
  typedef int32_t type __attribute__((vector_size(kVectorBytes)));
};
template <>
struct MaskOf<double> {
  typedef int64_t type __attribute__((vector_size(kVectorBytes)));
};
template <class T>
using Vec = typename VecOf<T>::type;

template <class T>
constexpr int kLanes = kVectorBytes / (int)sizeof(T);
// B is packed in panels of 64 bytes, whatever the instruction set: 16 float or 8 double columns.
template <class T>
constexpr int kPanel = 64 / (int)sizeof(T);
constexpr int kPanelVecs = 64 / kVectorBytes;

template <class T>
WEFT_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VecOf<T>::unaligned*>(p);
}
template <class T>
WEFT_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VecOf<T>::unaligned*>(p) = v;
}
template <class T>
WEFT_INLINE Vec<T> broadcast(T x) {
  return x - Vec<T>{};  // a vector of x: the subtraction of zero is folded away
}

// The first n < kLanes lanes; the rest reads as zero and is not written.
template <class T>
WEFT_INLINE Vec<T> load_first(const T* p, int n) {
#if defined(WEFT_ISA_v4)
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
  else
    return (Vec<T>)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#else
  Vec<T> v{};
  for (int i = 0; i < n; ++i) v[i] = p[i];
  return v;
#endif
}
template <class T>
WEFT_INLINE void store_first(T* p, Vec<T> v, int n) {
#if defined(WEFT_ISA_v4)
  if constexpr (sizeof(T) == 4)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
  else
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
#else
  for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

}  // namespace weft::WEFT_ISA::mm
