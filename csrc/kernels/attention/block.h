// What forward and backward share: operands in the order in which tiles read them, and products of blocks that stay in
// the caches. Every buffer is padded to whole tiles of rows and whole panels of columns, so that tiles need no
// remainder.
#pragma once

#include "simd/vec.h"  // before the others: it includes the intrinsics without GCC 12's false warnings

#include "kernels/attention.h"
#include "kernels/matmul/blocked.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA::attention {

using mm::ceil_div;
using mm::kPanel;
using mm::kRows;
using mm::smaller;

// Blocks of scores. Forward walks kQueries rows at a time, which with a group of panels stay in the first-level cache;
// backward sums over its rows in two of five products, and wants more of them.
constexpr int64_t kQueries = 24, kGradQueries = 96, kKeys = 288;
static_assert(kQueries % kRows == 0 && kGradQueries % kRows == 0 && kKeys % kRows == 0);
// Rows of a block of scores: a power of two would crowd its columns into a few sets of the cache.
constexpr int64_t kScoreRow = kKeys + 16;
constexpr double kLog2E = 1.4426950408889634074;

template <class T>
constexpr T kInfinity = (T)__builtin_inf();

WEFT_INLINE int64_t rounded(int64_t n, int64_t step) { return ceil_div(n, step) * step; }
template <class T>
WEFT_INLINE int64_t padded(int64_t n) {
  return rounded(n, kPanel<T>);
}
// Blocks of at most `most` that are nearly equal.
WEFT_INLINE int64_t even_block(int64_t n, int64_t most, int64_t step) {
  return rounded(ceil_div(n, ceil_div(n, most)), step);
}

// How elements of type S become operands of products summed in T: as they are, converted, or in pairs along the sum.
template <class T, class S>
struct Form {
  static constexpr bool pairs = mm::Packing<T, S>::pairs, same = sizeof(T) == sizeof(S);
  static constexpr int terms = mm::Packing<T, S>::terms;
  static int64_t depth(int64_t k) { return ceil_div(k, terms); }
  // Of a row of k elements, as the left operand; without pairs such rows can be a right operand as well.
  static int64_t width(int64_t k) { return padded<T>(depth(k)); }

  // Rows as the left operand, zeros up to `all` rows.
  static void copy_rows(T* to, const S* from, int64_t stride, int64_t rows, int64_t all, int64_t k) {
    const int64_t w = width(k);
    for (int64_t r = 0; r < all; ++r, to += w) {
      if (r >= rows) {
        for (int64_t e = 0; e < w; ++e) to[e] = 0;
        continue;
      }
      const S* row = from + r * stride;
#if WEFT_BF16_DOTS
      if constexpr (pairs) {
        for (int64_t e = 0; e < w; e += 16)
          store<f32v>(to + e, k > 2 * e ? mm::load_pairs(row + 2 * e, k - 2 * e) : f32v{});
        continue;
      }
#endif
      if constexpr (!pairs) mm::pack_row(to, (int)w, row, k);
    }
  }
  // The rows turned around: panels of kPanel rows, summed over along their elements.
  static void pack_turned(T* to, const S* from, int64_t stride, int64_t rows, int64_t k) {
    mm::Packing<T, S>::pack(to, kPanel<T>, from, 1, stride, k, rows);
  }
};

// A right operand: panels of kPanel columns.
template <class T>
struct Panels {
  const T* at;
  int64_t k, panel;  // steps
};

// Rows to be summed over; where they lie side by side in whole panels, in place.
template <class T, class S>
WEFT_INLINE Panels<T> right_rows(T* room, const S* from, int64_t stride, int64_t rows, int64_t columns) {
  constexpr int P = kPanel<T>;
  if constexpr (Form<T, S>::same)
    if (columns == stride && columns % P == 0) return {from, stride, P};
  mm::Packing<T, S>::pack(room, P, from, stride, 1, rows, columns);
  return {room, P, P * Form<T, S>::depth(rows)};
}

// c[i, j] = keep[i] c[i, j] + sum of a[i, .] b[., j], or without keep the sum; that of Pairs times scale.
template <class T>
struct Product {
  const T* a;
  int64_t a_row, a_k;
  Panels<T> b;
  T* c;
  int64_t c_row;
  const T* keep = nullptr;
  T scale = 1;
};

// kRows rows, NP panels.
template <class T, int NP, bool Pairs>
__attribute__((noinline)) void tile(int64_t k, const Product<T>& p) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>, W = mm::kPanelVectors, NV = NP * W;
  V sum[kRows][NV];
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < NV; ++j) sum[i][j] = V{};
  if (p.keep)  // what is added to comes meanwhile
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < NP; ++j) __builtin_prefetch(p.c + i * p.c_row + j * kPanel<T>);
  const T* b = p.b.at;
  const int64_t b_k = p.b.k, b_panel = p.b.panel;
  // As in matmul/tile.h.
  const int64_t a_row = p.a_row * (int64_t)sizeof(T), a_k = p.a_k * (int64_t)sizeof(T);
  const char *a0 = (const char*)p.a, *a3 = a0 + 3 * a_row, *a6 = a0 + 6 * a_row;
  for (; k > 0; --k) {
    V row[NV];
#pragma GCC unroll 32
    for (int j = 0; j < NV; ++j) row[j] = load<V>(b + (j / W) * b_panel + (j % W) * L);
#pragma GCC unroll 32
    for (int i = 0; i < kRows; ++i) {
      const V x = splat<V>(*(const T*)((i < 3 ? a0 : i < 6 ? a3 : a6) + i % 3 * a_row));
#pragma GCC unroll 32
      for (int j = 0; j < NV; ++j) sum[i][j] = mm::multiply_add<Pairs>(sum[i][j], x, row[j]);
    }
    a0 += a_k;
    a3 += a_k;
    a6 += a_k;
    b += b_k;
  }
  T* c = p.c;
  const int64_t c_row = p.c_row;
  const T *keep = p.keep, scale = p.scale;
#pragma GCC unroll 32
  for (int i = 0; i < kRows; ++i, c += c_row) {
    if (keep) {
      const V kept = splat<V>(keep[i]);
#pragma GCC unroll 32
      for (int j = 0; j < NV; ++j) store<V>(c + j * L, load<V>(c + j * L) * kept + sum[i][j]);
    } else {
#pragma GCC unroll 32
      for (int j = 0; j < NV; ++j) store<V>(c + j * L, Pairs ? sum[i][j] * scale : sum[i][j]);
    }
  }
}

// What a tile of rows has to compute: terms k0 to k1 of the sum, and so many panels.
struct Span {
  int64_t k0, k1, panels;
};
// span(i) for the tile of rows that begins at i.
template <bool Pairs, class T, class F>
WEFT_INLINE void multiply(int64_t rows, int64_t panels, const Product<T>& p, const F& span) {
  constexpr int P = kPanel<T>;
  for (int64_t j = 0; j < panels;) {
    const int wide = mm::group(panels - j);
    for (int64_t i = 0; i < rows; i += kRows) {
      const Span s = span(i);
      const int64_t k = s.k1 - s.k0;
      Product<T> t = p;
      t.a += i * p.a_row + s.k0 * p.a_k;
      t.b.at += j * p.b.panel + s.k0 * p.b.k;
      t.c += i * p.c_row + j * P;
      if (p.keep) t.keep += i;
      switch (smaller(wide, s.panels - j)) {
        case 1: tile<T, 1, Pairs>(k, t); break;
        case 2:
          if constexpr (mm::kWide >= 2) tile<T, 2, Pairs>(k, t);
          break;
        case 3:
          if constexpr (mm::kWide >= 3) tile<T, 3, Pairs>(k, t);
          break;
      }
    }
    j += wide;
  }
}

// Scratch memory of one thread, handed out piece by piece; with no memory it only counts.
struct Arena {
  char* base;
  int64_t used = 0;
  template <class T>
  T* take(int64_t n) {
    T* p = base ? (T*)(base + used) : nullptr;
    used += rounded(n * (int64_t)sizeof(T), 64);
    return p;
  }
};

}  // namespace weft::WEFT_ISA::attention
