// Copies of operands in the order in which the micro-kernel reads them.
#pragma once

#include "kernels/matmul/vec.h"

namespace weft::WEFT_ISA::mm {

// Turns L vectors of L lanes around, by swapping ever larger blocks off the diagonal.
template <class T>
WEFT_INLINE void transpose(Vec<T> (&v)[kLanes<T>]) {
  constexpr int L = kLanes<T>;
  using Index = typename MaskOf<T>::type;
#pragma GCC unroll 8
  for (int s = 1; s < L; s *= 2) {
    Index lo{}, hi{};
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) {
      lo[i] = i & s ? L + i - s : i;
      hi[i] = i & s ? L + i : i + s;
    }
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i)
      if (!(i & s)) {
        Vec<T> a = v[i], b = v[i + s];
        v[i] = __builtin_shuffle(a, b, lo);
        v[i + s] = __builtin_shuffle(a, b, hi);
      }
  }
}

// dst[x * width + y] = src[x * x_stride + y] for y < count, zero up to width: vectors run along y.
template <class T>
WEFT_INLINE void pack_along(T* dst, int width, const T* src, int64_t x_stride, int64_t xs, int count) {
  constexpr int L = kLanes<T>;
  for (int64_t x = 0; x < xs; ++x, dst += width, src += x_stride)
    for (int y = 0; y < width; y += L) {
      Vec<T> v = y + L <= count ? load(src + y) : y < count ? load_first(src + y, count - y) : Vec<T>{};
      if (y + L <= width)
        store(dst + y, v);
      else
        store_first(dst + y, v, width - y);
    }
}

// dst[x * width + y] = src[x * x_stride + y * y_stride], zero for y >= count.
template <class T>
void pack_panel(T* dst, int width, const T* src, int64_t x_stride, int64_t y_stride, int64_t xs, int count) {
  constexpr int L = kLanes<T>;
  if (y_stride == 1) return pack_along(dst, width, src, x_stride, xs, count);
  int64_t x = 0;
  if (x_stride == 1)
    for (; x + L <= xs; x += L)
      for (int y = 0; y < width; y += L) {
        Vec<T> v[L];
#pragma GCC unroll 16
        for (int i = 0; i < L; ++i) v[i] = y + i < count ? load(src + x + (y + i) * y_stride) : Vec<T>{};
        transpose<T>(v);
        const int lanes = width - y < L ? width - y : L;
        if (lanes == L) {
#pragma GCC unroll 16
          for (int i = 0; i < L; ++i) store(dst + (x + i) * width + y, v[i]);
        } else {
          for (int i = 0; i < L; ++i) store_first(dst + (x + i) * width + y, v[i], lanes);
        }
      }
  for (; x < xs; ++x)
    for (int y = 0; y < width; ++y) dst[x * width + y] = y < count ? src[x * x_stride + y * y_stride] : 0;
}

}  // namespace weft::WEFT_ISA::mm
