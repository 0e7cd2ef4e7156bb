// A floating type's elements as vectors of the type it is computed in: f64v for double, f32v for the others.
#pragma once

#include "simd/vec.h"

namespace weft::WEFT_ISA {

template <class T>
struct Lanes {
  using V = f32v;
  WEFT_INLINE V get(const void* p, int64_t i) { return load_f32(static_cast<const T*>(p) + i); }
  WEFT_INLINE V get_n(const void* p, int64_t i, int64_t n) { return load_f32_n(static_cast<const T*>(p) + i, n); }
  WEFT_INLINE void put(void* p, int64_t i, V v) { store_f32(static_cast<T*>(p) + i, v); }
  WEFT_INLINE void put_n(void* p, int64_t i, V v, int64_t n) { store_f32_n(static_cast<T*>(p) + i, v, n); }
};
template <>
struct Lanes<double> {
  using V = f64v;
  WEFT_INLINE V get(const void* p, int64_t i) { return load<f64v>(static_cast<const double*>(p) + i); }
  WEFT_INLINE V get_n(const void* p, int64_t i, int64_t n) {
    return load_n<f64v>(static_cast<const double*>(p) + i, n);
  }
  WEFT_INLINE void put(void* p, int64_t i, V v) { store<f64v>(static_cast<double*>(p) + i, v); }
  WEFT_INLINE void put_n(void* p, int64_t i, V v, int64_t n) { store_n<f64v>(static_cast<double*>(p) + i, v, n); }
};

// Elements begin to end by one body(get, put): whole vectors, then the first lanes of one.
template <class T, class F>
WEFT_INLINE void over_vectors(int64_t begin, int64_t end, const F& body) {
  using L = Lanes<T>;
  using V = typename L::V;
  int64_t i = begin;
  for (; i + lanes<V> <= end; i += lanes<V>)
    body([=](const void* p) __attribute__((always_inline)) { return L::get(p, i); },
         [=](void* p, V v) __attribute__((always_inline)) { L::put(p, i, v); });
  if (int64_t n = end - i)
    body([=](const void* p) __attribute__((always_inline)) { return L::get_n(p, i, n); },
         [=](void* p, V v) __attribute__((always_inline)) { L::put_n(p, i, v, n); });
}

}  // namespace weft::WEFT_ISA
