// Copies of operands in the order in which the micro-kernel reads them; half precision becomes float on the way.
#pragma once

#include "simd/vec.h"

namespace weft::WEFT_ISA::mm {

using weft::WEFT_ISA::sums;
using weft::WEFT_ISA::transpose;

template <class T>
constexpr bool kReal = (T)0.5 != 0;

template <class T, class S>
WEFT_INLINE vec_of<T> load_as(const S* p, int64_t n) {  // the first n lanes, the rest 0
  if constexpr (sizeof(S) == 2)
    return n < lanes<f32v> ? load_f32_n(p, n) : load_f32(p);
  else
    return n < lanes<vec_of<T>> ? load_n<vec_of<T>>(p, n) : load<vec_of<T>>(p);
}
WEFT_INLINE double element(double x) { return x; }
WEFT_INLINE int32_t element(int32_t x) { return x; }
template <class S>
WEFT_INLINE float element(S x) {
  return to_float(x);
}

// A row of a panel: `count` of `width` elements, then zeros.
template <class T, class S>
WEFT_INLINE void pack_row(T* dst, int width, const S* src, int64_t count) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  for (int y = 0; y < width; y += L) {
    const V v = y < count ? load_as<T>(src + y, count - y) : V{};
    if (width - y >= L)
      store<V>(dst + y, v);
    else
      store_n<V>(dst + y, v, width - y);
  }
}

// Where src is contiguous along x: blocks of L x L are turned around. Whole: no block is partial; else it has xs rows
// and count columns, and the panel has room for `room`.
template <bool Whole, class T, class S>
WEFT_INLINE void pack_block(T* dst, int width, const S* src, int64_t y_stride, int64_t xs, int count, int room) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V v[L];
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i) v[i] = Whole || i < count ? load_as<T>(src + i * y_stride, Whole ? L : xs) : V{};
  transpose(v);
#pragma GCC unroll 16
  for (int i = 0; i < L; ++i)
    if (Whole)
      store<V>(dst + i * width, v[i]);
    else if (i < xs)
      store_n<V>(dst + i * width, v[i], room < L ? room : L);
}
template <class T, class S>
WEFT_INLINE void pack_turned(T* dst, int width, const S* src, int64_t y_stride, int64_t xs, int count) {
  constexpr int L = lanes<vec_of<T>>;
  for (int64_t x = 0; x < xs; x += L)
    for (int y = 0; y < width; y += L) {
      T* to = dst + x * width + y;
      const S* from = src + x + y * y_stride;
      if (xs - x >= L && count - y >= L)
        pack_block<true>(to, width, from, y_stride, L, L, L);
      else
        pack_block<false>(to, width, from, y_stride, xs - x < L ? xs - x : L, count - y, width - y);
    }
}

// Panels of `width` columns, one after the other: panel[x * width + y] = src[x * x_stride + y * y_stride], where y runs
// on over the panels; zeros from `count` on.
template <class T, class S>
WEFT_ONE_COPY void pack_panels(T* dst, int width, const S* src, int64_t x_stride, int64_t y_stride, int64_t xs,
                               int64_t count) {
  const int64_t panels = (count + width - 1) / width, panel = width * xs;
  if (y_stride == 1) {  // side by side, because they share lines and pages
    for (int64_t x = 0; x < xs; ++x, dst += width, src += x_stride) {
      for (int64_t y = 0; y < count; y += 64 / (int)sizeof(S)) __builtin_prefetch(src + 8 * x_stride + y);
      int64_t p = 0;
      for (; (p + 1) * width <= count; ++p) pack_row(dst + p * panel, width, src + p * width, width);
      if (p < panels) pack_row(dst + p * panel, width, src + p * width, count - p * width);
    }
    return;
  }
  for (int64_t p = 0; p < panels; ++p, dst += panel, src += width * y_stride) {
    const int here = (int)(count - p * width < width ? count - p * width : width);
    if (x_stride == 1) {
      pack_turned(dst, width, src, y_stride, xs, here);
    } else {
      for (int64_t x = 0; x < xs; ++x)
        for (int y = 0; y < width; ++y) dst[x * width + y] = y < here ? element(src[x * x_stride + y * y_stride]) : 0;
    }
  }
}

// One panel: count <= width.
template <class T, class S>
WEFT_INLINE void pack_panel(T* dst, int width, const S* src, int64_t x_stride, int64_t y_stride, int64_t xs,
                            int count) {
  pack_panels(dst, width, src, x_stride, y_stride, xs, count);
}

}  // namespace weft::WEFT_ISA::mm
