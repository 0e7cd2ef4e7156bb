// Copies of operands in the order in which the micro-kernel reads them; half precision becomes float on the way.
#pragma once

#include "simd/vec.h"

namespace weft::WEFT_ISA::mm {

template <class T, class S>
WEFT_INLINE vec_of<T> load_as(const S* p, int64_t n) {  // the first n lanes, the rest 0
  if constexpr (sizeof(S) == 2)
    return n < lanes<f32v> ? load_f32_n(p, n) : load_f32(p);
  else
    return n < lanes<vec_of<T>> ? load_n<vec_of<T>>(p, n) : load<vec_of<T>>(p);
}
WEFT_INLINE double element(double x) { return x; }
template <class S>
WEFT_INLINE float element(S x) {
  return to_float(x);
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

// Swaps the off-diagonal S x S blocks of each 2S x 2S block.
template <int S, class V, int... I>
WEFT_INLINE void swap_blocks(V* v, Seq<I...>) {
  constexpr int L = lanes<V>;
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i)
    if (!(i & S)) {
      V a = v[i], b = v[i + S];
      v[i] = __builtin_shufflevector(a, b, (I & S ? L + I - S : I)...);
      v[i + S] = __builtin_shufflevector(a, b, (I & S ? L + I : I + S)...);
    }
}
// L vectors of L lanes.
template <class V>
WEFT_INLINE void transpose(V* v) {
  constexpr int L = lanes<V>;
  typename Indices<L>::type all;
  swap_blocks<1>(v, all);
  if constexpr (L > 2) swap_blocks<2>(v, all);
  if constexpr (L > 4) swap_blocks<4>(v, all);
  if constexpr (L > 8) swap_blocks<8>(v, all);
}

// dst[x * width + y] = src[x * x_stride + y * y_stride] for x < xs; zero for count <= y < width.
template <class T, class S>
__attribute__((noinline)) void pack_panel(T* dst, int width, const S* src, int64_t x_stride, int64_t y_stride,
                                          int64_t xs, int count) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  auto put = [&](T* p, V v, int room) __attribute__((always_inline)) {
    if (room >= L)
      store<V>(p, v);
    else
      store_n<V>(p, v, room);
  };
  if (y_stride == 1) {
    for (int64_t x = 0; x < xs; ++x, dst += width, src += x_stride)
      for (int y = 0; y < width; y += L) put(dst + y, y < count ? load_as<T>(src + y, count - y) : V{}, width - y);
  } else if (x_stride == 1) {
    for (int64_t x = 0; x < xs; x += L) {
      const int64_t here = xs - x < L ? xs - x : L;
      for (int y = 0; y < width; y += L) {
        V v[L];
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) v[i] = y + i < count ? load_as<T>(src + x + (y + i) * y_stride, here) : V{};
        transpose<V>(v);
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i)
          if (i < here) put(dst + (x + i) * width + y, v[i], width - y);
      }
    }
  } else {
    for (int64_t x = 0; x < xs; ++x)
      for (int y = 0; y < width; ++y) dst[x * width + y] = y < count ? element(src[x * x_stride + y * y_stride]) : 0;
  }
}

}  // namespace weft::WEFT_ISA::mm
