// Which way a product goes. Decided by shape and strides alone, and asked twice: for the workspace and for the work.
#pragma once

#include "kernels/matmul/vectors.h"

namespace weft::WEFT_ISA::mm {

enum class Way : uint8_t { Nothing, Direct, Row, Dot, Dots, Split, Blocked };

// A small C with a long sum leaves nothing else to share out: the sum is cut in parts, added in their order.
constexpr int64_t kSplitPart = 4096, kSplitMost = 32;
WEFT_INLINE int64_t split_parts(int64_t m, int64_t n, int64_t k) {
  if (m * n > 16384 || k < 2 * kSplitPart || m * n * k < (1 << 20)) return 1;
  return smaller(k / kSplitPart, kSplitMost);
}

// Rows of B are read where they are if few rows of C would pay for a copy, or if B fits the second-level cache. Rows a
// multiple of the page size apart fall into few sets of a cache and drive each other out: tiles of one line across must
// not come back to them.
template <class T>
WEFT_INLINE bool stays_in_place(const Gemm<T>& g) {
  const int64_t bytes = g.k * g.n * (int64_t)sizeof(T);
  if (g.k <= kShort) return true;
  if (g.b_k * (int64_t)sizeof(T) % 4096 == 0) return g.m <= (kWide > 1 ? 4 : 1) * kRows || bytes <= 16384;
  return g.m <= 16 * kRows || (bytes <= 524288 && g.m * g.k * (int64_t)sizeof(T) <= 1048576) || bytes <= 32768;
}

constexpr int64_t kRowLeast = 1 << 15;  // below that, B is in the first-level cache

template <class T, class S>
WEFT_INLINE Way way_of(const Gemm<T, S>& g, bool may_split = true) {
  if (g.m == 0 || g.n == 0) return Way::Nothing;
  if constexpr (sizeof(T) == sizeof(S)) {
    if (g.m == 1 && g.n == 1 && g.a_k == 1 && g.b_k == 1) return Way::Dot;
    if (g.m == 1 && g.n > kPanel<T> && g.b_col == 1 && g.n * g.k >= kRowLeast) return Way::Row;
  }
  if (may_split && split_parts(g.m, g.n, g.k) > 1) return Way::Split;
  if constexpr (sizeof(T) == sizeof(S)) {
    constexpr int L = lanes<vec_of<T>>;
    if ((g.b_col == 1 || g.n == 1) && stays_in_place(g)) return Way::Direct;
    if (g.a_k == 1 && g.b_k == 1 && (g.m <= 2 || (g.m <= 16 && g.k >= 4 * L))) return Way::Dots;
  }
  return Way::Blocked;
}

template <class T, class S>
WEFT_INLINE Gemm<T, S> split_part(const Gemm<T, S>& g, int64_t parts, int64_t i) {
  Gemm<T, S> s = g;
  const int64_t begin = part(g.k, parts, i);
  s.k = part(g.k, parts, i + 1) - begin;
  s.a += begin * g.a_k;
  s.b += begin * g.b_k;
  s.out = Out<T>{nullptr, g.n, 1};
  return s;
}

// Scratch of the largest of the parts: there are two lengths, the first one's and the last one's.
template <class T, class S>
int64_t split_scratch(const Gemm<T, S>& g, int64_t parts);

// Elements of scratch, in whole lines of 64 bytes, for as many threads as `run` has.
template <class T, class S>
int64_t scratch_of(const Gemm<T, S>& g, int workers, bool may_split = true) {
  switch (way_of(g, may_split)) {
    case Way::Direct: return direct_scratch<T>(g.n, g.k);
    case Way::Row: return row_scratch<T>(g.n, g.k);
    case Way::Dot: return whole_lines<T>(dot_parts(g.k));
    case Way::Split: {
      const int64_t parts = split_parts(g.m, g.n, g.k);
      return parts * (whole_lines<T>(g.m * g.n) + split_scratch(g, parts));
    }
    case Way::Blocked: return blocking(g, workers).scratch();
    default: return 0;
  }
}

template <class T, class S>
int64_t split_scratch(const Gemm<T, S>& g, int64_t parts) {
  const int64_t first = scratch_of(split_part(g, parts, 0), 1, false);
  const int64_t last = scratch_of(split_part(g, parts, parts - 1), 1, false);
  return first > last ? first : last;
}

template <class T, class S, class Run>
void gemm(const Gemm<T, S>& g, T* scratch, const Run& run, bool may_split = true) {
  const Way way = way_of(g, may_split);
  if constexpr (sizeof(T) == sizeof(S)) {
    if (way == Way::Direct) return gemm_direct(g, scratch, run);
    if (way == Way::Row) return gemm_row(g, scratch, run);
    if (way == Way::Dot) return gemm_dot(g, scratch, run);
    if (way == Way::Dots) return gemm_dots(g, run);
  }
  if (way == Way::Blocked) return gemm_blocked(g, scratch, run);
  if (way == Way::Split) {
    const int64_t parts = split_parts(g.m, g.n, g.k), size = whole_lines<T>(g.m * g.n);
    const int64_t each = split_scratch(g, parts);
    run(parts, [&](int64_t i, int) {
      Gemm<T, S> s = split_part(g, parts, i);
      s.out.c = scratch + i * size;
      gemm(s, scratch + parts * size + i * each, Serial{}, false);
    });
    for (int64_t i = 1; i < parts; ++i)
      for (int64_t j = 0; j < g.m * g.n; ++j) scratch[j] += scratch[i * size + j];
    finish(scratch, g.n, (int)g.m, g.n, g.out);
  }
}

}  // namespace weft::WEFT_ISA::mm
