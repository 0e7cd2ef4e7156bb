// Products that are not worth the blocked loops, or that those cannot cut into enough pieces.
#pragma once

#include "kernels/matmul/blocked.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA::mm {

// Few rows, or a small B whose rows are contiguous: B is read in place, and so is A. Only a partial last panel is
// copied, so that whole vectors can be read.
constexpr int64_t kDirectDepth = 2048;  // terms added in one chain
constexpr int64_t kDirectAhead = 8;     // rows of B that are fetched before they are read for the first time
// Sums this short cost less than writing C, which then goes row by row, with its lines fetched that far ahead.
constexpr int64_t kShort = 8, kShortAhead = 768;

template <class T>
WEFT_INLINE int64_t direct_scratch(int64_t n, int64_t k) {
  return n % kPanel<T> ? k * kPanel<T> : 0;
}

template <class T, class Run>
void gemm_direct(const Gemm<T>& g, T* scratch, const Run& run) {
  constexpr int P = kPanel<T>;
  const int64_t panels = ceil_div(g.n, P), whole = g.n / P;
  // Four panels go into one tile of fewer rows better than into two of eight.
  const bool four = kWide == 3 && panels == 4 && g.m > 3 * kRows;
  const int64_t tiles = ceil_div(g.m, four ? rows_for(4) : kRows);
  const int wide = panels_for((int)ceil_div(g.m, tiles));
  const int64_t wanted = smaller(128, 1 + g.m * g.n * g.k / kPieceWork);
  const int64_t row_blocks = tiles > 3 ? smaller(tiles, wanted) : 1;
  const int64_t column_share = ceil_div(ceil_div(panels, ceil_div(wanted, row_blocks)), wide) * wide;
  const int64_t column_blocks = ceil_div(panels, column_share);
  if (whole < panels) pack_panel(scratch, P, g.b + whole * P, g.b_k, 1, g.k, (int)(g.n - whole * P));

  run(row_blocks * column_blocks, [&](int64_t piece, int) {
    const int64_t t0 = part(tiles, row_blocks, piece % row_blocks),
                  t1 = part(tiles, row_blocks, piece % row_blocks + 1);
    const int64_t p0 = piece / row_blocks * column_share, p1 = smaller(p0 + column_share, panels);
    for (int64_t pc = 0; pc == 0 || pc < g.k; pc += kDirectDepth) {
      TileArgs<T> args;
      args.k = smaller(kDirectDepth, g.k - pc);
      args.a_row = g.a_row;
      args.a_k = g.a_k;
      const Out<T> out = g.out.block(pc == 0, pc + args.k >= g.k);
      // Panels from p on that one tile takes.
      auto wide_at = [&](int64_t p) {
        const int64_t left = smaller(p1, whole) - p;
        int np = wide == kWide && left > kWide ? group(left) : wide;
        while (np > 1 && np > left) np = narrower(np);
        return np;
      };
      auto multiply = [&](int64_t t, int64_t p, int np) {
        const bool packed = p >= whole;
        args.b = packed ? scratch + pc * P : g.b + pc * g.b_k + p * P;
        args.b_k = packed ? P : g.b_k;
        args.b_panel = P;
        args.fetch_k = args.b_k;
        args.cols = (int)smaller(np * P, g.n - p * P);
        const int64_t i = part(g.m, tiles, t), rows = part(g.m, tiles, t + 1) - i;
        args.a = g.a + i * g.a_row + pc * g.a_k;
        // Rows of B may be pages apart, which no hardware prefetcher follows.
        args.fetch = args.b + (t == t0 && g.k > kShort ? kDirectAhead * args.b_k : 0);
        run_tile<T>(np, (int)rows, args, out.at(i, p * P));
      };
      if (g.k <= kShort) {
        args.c_ahead = kShortAhead;
        for (int64_t t = t0; t < t1; ++t)
          for (int64_t p = p0, np; p < p1; p += np) multiply(t, p, (int)(np = wide_at(p)));
      } else {
        for (int64_t p = p0, np; p < p1; p += np) {
          np = wide_at(p);
          for (int64_t t = t0; t < t1; ++t) multiply(t, p, (int)np);
        }
      }
    }
  });
}

// Few rows, and both A and B contiguous along k (y = x W^T): dot products, vectors along k, nothing is copied. MR rows
// of A times NR of B make one vector of results, summed by turning the accumulators around.
template <class T, int MR>
WEFT_INLINE vec_of<T> dots(const T* const* a, const T* const* b, int64_t k) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>, NR = L / MR, G = NR < 4 ? NR : 4;  // G: rows of B at a time; many streams crowd the cache
  V sum[L];
#pragma GCC unroll 16
  for (int g = 0; g < NR; g += G) {
    V part[MR * G];
#pragma GCC unroll 16
    for (int i = 0; i < MR * G; ++i) part[i] = V{};
    auto step = [&](auto get, int64_t at) __attribute__((always_inline)) {
      V x[MR];
#pragma GCC unroll 16
      for (int i = 0; i < MR; ++i) x[i] = get(a[i] + at);
#pragma GCC unroll 16
      for (int j = 0; j < G; ++j) {
        V y = get(b[g + j] + at);
#pragma GCC unroll 16
        for (int i = 0; i < MR; ++i) part[i * G + j] += x[i] * y;
      }
    };
    int64_t at = 0;
    for (; at + L <= k; at += L) step([](const T* p) { return load<V>(p); }, at);
    if (at < k) step([=](const T* p) { return load_n<V>(p, k - at); }, at);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 16
      for (int j = 0; j < G; ++j) sum[i * NR + g + j] = part[i * G + j];
  }
  return sums(sum);
}

// MR rows of C and a strip of its columns. Rows and columns past the end repeat the last one and are dropped.
constexpr int kStrip = 128;
template <class T, int MR>
void dots_strip(const Gemm<T>& g, int64_t i0, int64_t j0, int64_t j1) {
  using V = vec_of<T>;
  constexpr int NR = lanes<V> / MR;
  const T *a[MR], *b[NR];
  T tile[MR][kStrip + NR];
  const int rows = (int)smaller(MR, g.m - i0);
  for (int i = 0; i < MR; ++i) a[i] = g.a + (i0 + (i < rows ? i : rows - 1)) * g.a_row;
  for (int64_t j = j0; j < j1; j += NR) {
    for (int64_t i = 0; i < NR; ++i) b[i] = g.b + (j + i < j1 ? j + i : j1 - 1) * g.b_col;
    alignas(64) T sum[lanes<V>];
    store<V>(sum, dots<T, MR>(a, b, g.k));
    for (int i = 0; i < MR; ++i) __builtin_memcpy(&tile[i][j - j0], sum + i * NR, NR * sizeof(T));
  }
  finish(tile[0], kStrip + NR, rows, j1 - j0, g.out.at(i0, j0));
}

template <class T, class Run>
void gemm_dots(const Gemm<T>& g, const Run& run) {
  constexpr int L = lanes<vec_of<T>>;
  const int64_t pieces = 1 + g.m * g.n * g.k / kPieceWork;
  const int64_t share = ceil_div(ceil_div(g.n, pieces), L) * L;
  run(ceil_div(g.n, share), [&](int64_t piece, int) {
    // In strips that stay in L1 while the rows of A pass.
    const int64_t strip = smaller(share, ceil_div(smaller(kStrip, 1 + 24576 / (int64_t)sizeof(T) / (g.k + 1)), L) * L);
    for (int64_t j = piece * share, end = smaller(j + share, g.n); j < end; j += strip) {
      const int64_t j1 = smaller(j + strip, end);
      for (int64_t i = 0; i < g.m;) {
        const int64_t left = g.m - i;
        if (left >= 3 && L >= 16) {
          dots_strip<T, 4>(g, i, j, j1);
          i += 4;
        } else if (left >= 2) {
          dots_strip<T, 2>(g, i, j, j1);
          i += 2;
        } else {
          dots_strip<T, 1>(g, i, j, j1);
          i += 1;
        }
      }
    }
  });
}

}  // namespace weft::WEFT_ISA::mm
