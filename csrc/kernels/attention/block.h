// What forward and backward share: a block of scores of kQueries rows by kKeys columns, from packed keys.
#pragma once

#include "simd/vec.h"  // before the others: it includes the intrinsics without GCC 12's false warnings

#include "kernels/attention.h"
#include "kernels/matmul/blocked.h"
#include "simd/philox.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA::attention {

using mm::ceil_div;
using mm::kPanel;
using mm::smaller;

constexpr int64_t kQueries = 64, kKeys = 256;
// Rows of a block of scores: a power of two would crowd its columns into a few sets of the cache.
constexpr int64_t kScoreRow = kKeys + 16;
constexpr double kLog2E = 1.4426950408889634074;

template <class T>
constexpr T kInfinity = (T)__builtin_inf();

template <class T>
WEFT_INLINE int64_t padded(int64_t n) {
  return ceil_div(n, kPanel<T>) * kPanel<T>;
}

// Panels of b [k, n] (any strides): to holds k * padded(n) elements.
template <class T>
void pack(T* to, const T* b, int64_t b_row, int64_t b_col, int64_t k, int64_t n) {
  constexpr int P = kPanel<T>;
  for (int64_t j = 0; j < n; j += P)
    mm::pack_panel(to + j * k, P, b + j * b_col, b_row, b_col, k, (int)smaller(P, n - j));
}

// c[m, n] (+)= a[m, k] b[k, n] with b packed
template <class T>
void multiply(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_k, const T* b, T* c, int64_t c_row,
              bool add) {
  constexpr int P = kPanel<T>;
  const int64_t panels = ceil_div(n, P);
  mm::Out<T> out{};
  out.c = c;
  out.c_row = c_row;
  out.c_col = 1;
  out.alpha = 1;
  out.beta = add ? 1 : 0;
  for (int64_t p = 0; p < panels;) {
    const int np = mm::group(panels - p);
    for (int64_t i = 0; i < m; i += mm::kRows) {
      mm::TileArgs<T> t{};
      t.k = k;
      t.a = a + i * a_row;
      t.a_row = a_row;
      t.a_k = a_k;
      t.b = b + p * P * k;
      t.b_k = P;
      t.b_panel = P * k;
      t.cols = (int)smaller(np * P, n - p * P);
      mm::run_tile<T>(np, (int)smaller(mm::kRows, m - i), t, out.at(i, p * P));
    }
    p += np;
  }
}

// Keys j0 to j0 + n of the rows from i on.
struct Window {
  int64_t b, h, i, rows, j0, n;
};

// How many keys the queries before `end` may see.
WEFT_INLINE int64_t visible(const AttentionShape& s, int64_t end) { return s.causal ? smaller(end, s.keys) : s.keys; }

// Masks a block of scores, which are in units of log2.
template <class T>
void apply_mask(const AttentionShape& s, const void* mask, const Window& w, T* scores) {
  for (int64_t r = 0; r < w.rows; ++r) {
    T* row = scores + r * kScoreRow;
    const int64_t at = w.b * s.mask_batch + w.h * s.mask_head + (w.i + r) * s.mask_row + w.j0 * s.mask_col;
    const int64_t step = s.mask_col;
    if (mask && s.mask_is_bool) {
      const uint8_t* allowed = (const uint8_t*)mask + at;
      if (step == 1)
        for (int64_t j = 0; j < w.n; ++j) row[j] = allowed[j] ? row[j] : -kInfinity<T>;
      else
        for (int64_t j = 0; j < w.n; ++j) row[j] = allowed[j * step] ? row[j] : -kInfinity<T>;
    } else if (mask) {
      const T* bias = (const T*)mask + at;
      if (step == 1)
        for (int64_t j = 0; j < w.n; ++j) row[j] += bias[j] * (T)kLog2E;
      else
        for (int64_t j = 0; j < w.n; ++j) row[j] += bias[j * step] * (T)kLog2E;
    }
    const int64_t first = w.i + r + 1 - w.j0;  // the first key that the causal mask hides
    for (int64_t j = first < 0 ? 0 : first; s.causal && j < w.n; ++j) row[j] = -kInfinity<T>;
  }
}

// factor[j] for keys j0 to j0 + n of row `row` = (b * heads + h) * queries + i; j0 is a multiple of 4. Room for
// kKeys + kPhiloxWords.
template <class T>
WEFT_INLINE void dropout_factors(const AttentionShape& s, int64_t row, int64_t j0, int64_t n, T* factor) {
  const uint64_t block = (uint64_t)row * (uint64_t)ceil_div(s.keys, 4) + (uint64_t)j0 / 4;
  const T keep = (T)s.keep_scale;
  const uint32_t drop_below = s.drop_below;
  for (int64_t j = 0; j < n; j += kPhiloxWords) {
    PhiloxWords words = philox_words(s.stream.seed, offset_of(s.stream), block + (uint64_t)j / 4);
    uint32_t w[kPhiloxWords];
    store<u32v>(w, words.v[0]);
    store<u32v>(w + lanes<u32v>, words.v[1]);
    for (int l = 0; l < kPhiloxWords; ++l) factor[j + l] = w[l] < drop_below ? T(0) : keep;
  }
}

// Scratch memory of one thread, handed out piece by piece; with no memory it only counts.
struct Arena {
  char* base;
  int64_t used = 0;
  template <class T>
  T* take(int64_t n) {
    T* p = base ? (T*)(base + used) : nullptr;
    used += ceil_div(n * (int64_t)sizeof(T), 64) * 64;
    return p;
  }
};

}  // namespace weft::WEFT_ISA::attention
