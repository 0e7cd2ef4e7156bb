// Across lanes: a vector folded to one element, as many vectors as there are lanes folded or turned around together.
// Included by vec.h, which has the list.
#pragma once

#include "simd/register.h"

namespace weft::WEFT_ISA {

// Halves onto each other until one element is left.
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

template <int... I>
struct Seq {};
template <int L>
struct Indices;
template <>
struct Indices<2> {
  using type = Seq<0, 1>;
};
template <>
struct Indices<4> {
  using type = Seq<0, 1, 2, 3>;
};
template <>
struct Indices<8> {
  using type = Seq<0, 1, 2, 3, 4, 5, 6, 7>;
};
template <>
struct Indices<16> {
  using type = Seq<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15>;
};

// Step S of turning around the vectors a = v[i] and b = v[i + S]: the off-diagonal S x S blocks of each 2S x 2S block
// change places.
template <int S, class V, int... I>
WEFT_INLINE V upper(V a, V b, Seq<I...>) {
  return __builtin_shufflevector(a, b, (I & S ? lanes<V> + I - S : I)...);
}
template <int S, class V, int... I>
WEFT_INLINE V lower(V a, V b, Seq<I...>) {
  return __builtin_shufflevector(a, b, (I & S ? lanes<V> + I : I + S)...);
}

// The same with S = 1 but for the order, in one instruction: the first or the second halves of each 16 bytes of a and b
// in turns, elements of 4 bytes.
template <class V, int... I>
WEFT_INLINE V interleaved(V a, V b, Seq<I...>) {
  return __builtin_shufflevector(a, b, (I & 1 ? lanes<V> : 0) + (I & ~3) + (I & 3) / 2 ...);
}
template <class V, int... I>
WEFT_INLINE V interleaved_ends(V a, V b, Seq<I...>) {
  return __builtin_shufflevector(a, b, (I & 1 ? lanes<V> : 0) + (I & ~3) + (I & 3) / 2 + 2 ...);
}

// L vectors of L lanes.
template <int S = 1, class V>
WEFT_INLINE void transpose(V* v) {
  constexpr int L = lanes<V>;
  constexpr typename Indices<L>::type all;
  if constexpr (S == 1 && sizeof(V) == 4 * L) {
#pragma GCC unroll 16
    for (int i = 0; i < L; i += 4) {
      V a = interleaved(v[i], v[i + 1], all), b = interleaved_ends(v[i], v[i + 1], all);
      V c = interleaved(v[i + 2], v[i + 3], all), d = interleaved_ends(v[i + 2], v[i + 3], all);
      v[i] = upper<2>(a, c, all), v[i + 1] = lower<2>(a, c, all);
      v[i + 2] = upper<2>(b, d, all), v[i + 3] = lower<2>(b, d, all);
    }
    if constexpr (L > 4) transpose<4>(v);
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i)
      if (!(i & S)) {
        V a = v[i], b = v[i + S];
        v[i] = upper<S>(a, b, all);
        v[i + S] = lower<S>(a, b, all);
      }
    if constexpr (2 * S < L) transpose<2 * S>(v);
  }
}

// Lane i of the result is lane at[i] of v, all of them in [0, L).
#if WEFT_AVX512
WEFT_INLINE f32v permute(f32v v, i32v at) { return (f32v)_mm512_permutexvar_ps((__m512i)at, (__m512)v); }
#elif WEFT_AVX2
WEFT_INLINE f32v permute(f32v v, i32v at) { return (f32v)_mm256_permutevar8x32_ps((__m256)v, (__m256i)at); }
#else
WEFT_INLINE f32v permute(f32v v, i32v at) {
  f32v r{};
  for (int i = 0; i < lanes<f32v>; ++i) r[i] = v[at[i]];
  return r;
}
#endif

// What is left of each of L vectors when it is folded, as one vector: the same steps from the widest on, and the same
// bits as fold().
template <int S = 0, class V, class Op>
WEFT_INLINE V fold_each(V* v, Op op) {
  constexpr int L = lanes<V>, step = S ? S : L / 2;
  constexpr typename Indices<L>::type all;
#pragma GCC unroll 16
  for (int i = 0; i < step; ++i) v[i] = op(upper<step>(v[i], v[i + step], all), lower<step>(v[i], v[i + step], all));
  if constexpr (step > 1) return fold_each<step / 2>(v, op);
  return v[0];
}
template <class V>
WEFT_INLINE V sums(V* v) {
  return fold_each(v, [](auto a, auto b) { return a + b; });
}

}  // namespace weft::WEFT_ISA
