// The five loops around the micro-kernel ("BLIS: A Framework for Rapidly Instantiating BLAS Functionality", Van Zee
// and van de Geijn 2015): column blocks of nc, blocks of the sum of kc, row blocks of mc, then tiles. Inside one
// (nc, kc, mc) block, pieces of mb x nb share what was packed.
#pragma once

#include "base/threads.h"
#include "kernels/matmul/pairs.h"
#include "kernels/matmul/tile.h"

namespace weft::WEFT_ISA::mm {

// S: the type in memory, where it is not the type of the arithmetic.
template <class T, class S = T>
struct Gemm {
  int64_t m, n, k;
  const S* a;
  int64_t a_row, a_k;
  const S* b;
  int64_t b_k, b_col;
  Out<T> out;
  const T* b_packed = nullptr;  // B in panels over all of k
};

// C^T = B^T A^T
template <class T, class S>
WEFT_INLINE Gemm<T, S> transposed(const Gemm<T, S>& g) {
  Gemm<T, S> t{g.n, g.m, g.k, g.b, g.b_col, g.b_k, g.a, g.a_k, g.a_row, g.out};
  t.out.c_row = g.out.c_col;
  t.out.c_col = g.out.c_row;
  t.out.bias_n = g.out.bias_m;
  t.out.bias_m = g.out.bias_n;
  return t;
}

struct Serial {
  static constexpr int workers = 1;
  template <class F>
  inline __attribute__((always_inline)) void operator()(int64_t pieces, const F& body) const {
    for (int64_t i = 0; i < pieces; ++i) body(i, 0);
  }
};
struct Threaded {
  int workers;  // at most
  template <class F>
  inline __attribute__((always_inline)) void operator()(int64_t pieces, const F& body) const {
    if (pieces == 1) return body((int64_t)0, 0);
    parallel(pieces, body, workers);
  }
};

WEFT_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
WEFT_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// n items in `count` nearly equal parts: part i begins here.
WEFT_INLINE int64_t part(int64_t n, int64_t count, int64_t i) {
  int64_t base = n / count, rest = n % count;
  return i * base + smaller(i, rest);
}

template <class T>
WEFT_INLINE int64_t whole_lines(int64_t elements) {
  return ceil_div(elements, kPanel<T>) * kPanel<T>;
}

constexpr int64_t kPieceWork = 1 << 18;  // multiply-adds of the smallest piece worth handing to a thread

// A is packed in panels too: as wide as one of B where that holds whole tiles, so that its rows are copied by lines.
template <class T>
constexpr int kTallTiles = kPanel<T> % kRows == 0 ? kPanel<T> / kRows : 1;
template <class T>
constexpr int kTall = kTallTiles<T> * kRows;

// A row of A that is contiguous along k can stay where it is: a tile reads few enough streams.
template <class T, class S>
WEFT_INLINE bool packs_a(const Gemm<T, S>& g) {
  using Pack = Packing<T, S>;
  return !Pack::as_is || g.a_k != 1 || g.k % Pack::terms != 0 || g.a_row % Pack::terms != 0;
}

// Tiles of rows, or panels, that a piece keeps in the second-level cache: half as many where they are twice as long.
WEFT_INLINE int64_t kept_near(int64_t kc_bytes) { return kc_bytes > 4096 ? 6 : 12; }

struct Blocking {
  int64_t kc, nc, mc;  // kc in packed elements, nc in panels, mc in tiles of rows
  int64_t own;  // tiles of A that a piece packs for itself, in memory of its worker; 0: packed beforehand for all
  int64_t b, a, sums;  // elements of scratch
  int64_t scratch() const { return b + a + sums; }
};
template <class T>
WEFT_INLINE int64_t room_for_a(int64_t tiles, int64_t kc) {
  return whole_lines<T>(ceil_div(tiles, kTallTiles<T>) * kTall<T> * kc);
}
template <class T, class S>
WEFT_INLINE Blocking blocking(const Gemm<T, S>& g, int workers) {
  constexpr int terms = Packing<T, S>::terms;
  constexpr int64_t kMost = kWide > 1 ? 1024 : 4096 / (int64_t)sizeof(T);
  const int64_t k = ceil_div(g.k, terms), tiles = ceil_div(g.m, kRows);
  Blocking s;
  s.kc = k > 0 ? ceil_div(k, ceil_div(k, kMost)) : 1;
  s.nc = smaller(ceil_div(g.n, kPanel<T>), 16384 / (int64_t)sizeof(T) / kPanel<T>);
  s.b = g.b_packed ? 0 : s.kc * s.nc * kPanel<T>;
  // Enough rows for blocks that stay in the second-level cache from packing to the last multiplication?
  s.own = smaller(ceil_div(ceil_div(tiles, 16), kTallTiles<T>) * kTallTiles<T>, kept_near(s.kc * (int64_t)sizeof(T)));
  if (s.own < 6) s.own = 6;
  if (!packs_a(g) || ceil_div(tiles, s.own) < 8) s.own = 0;
  s.mc = s.own ? tiles : smaller(tiles, 3072 / kRows);
  s.a = s.own ? workers * room_for_a<T>(s.own, s.kc) : packs_a(g) ? room_for_a<T>(s.mc, s.kc) : 0;
  // Sums of several blocks that are to be rounded once wait in full precision.
  s.sums = g.out.narrow() && k > s.kc ? whole_lines<T>(g.m * g.n) : 0;
  return s;
}

constexpr int64_t kFewPieces = 16;  // of a block of few rows

// How a block of tiles x panels x kc is cut into pieces: enough of them for many threads, none below a million
// multiply-adds where that can be had.
struct Cut {
  int64_t mb, nb;  // in tiles and panels
};
template <class T>
WEFT_INLINE Cut cut_block(int64_t tiles, int64_t panels, int64_t kc) {
  // All rows meet panels together where they are few: what takes longest then is the panels' way from memory.
  if (tiles <= 8 && panels >= 2 * kFewPieces)
    return {tiles, panels < 4 * kFewPieces ? 4 : ceil_div(panels, kFewPieces)};
  const int64_t most = kept_near(kc * (int64_t)sizeof(T));
  Cut c{smaller(tiles, most), smaller(panels, most)};
  const int64_t tile_work = kRows * kPanel<T> * kc;
  while (ceil_div(tiles, c.mb) * ceil_div(panels, c.nb) < 24 && c.mb * c.nb * tile_work > (1 << 20)) {
    if (c.nb * kPanel<T> > 3 * c.mb * kRows && c.nb > kWide)
      c.nb = ceil_div(ceil_div(c.nb, 2), kWide) * kWide;
    else if (c.mb > 1)
      c.mb = ceil_div(c.mb, 2);
    else
      break;
  }
  return c;
}

// The next group of panels: full tiles, and no lonely panel at the end.
WEFT_INLINE int group(int64_t left) {
  if (left == kWide + 1 && kWide > 2) return 2;
  return left < kWide ? (int)left : kWide;
}

template <class T, class S>
WEFT_INLINE void set_a(TileArgs<T>& args, const Gemm<T, S>& g, const T* packed, int64_t i, int64_t k) {
  args.a_row = 1;
  args.a_k = kTall<T>;
  args.a = packed;
  if (!packed) {
    args.a = (const T*)(g.a + i * g.a_row + k);
    args.a_row = g.a_row / Packing<T, S>::terms;
    args.a_k = 1;
  }
}

// Rows of A that stay in place are new to the cache on the first pass: the first lines of some of them, from row i on.
template <class T, class S>
WEFT_INLINE void fetch_rows(const Gemm<T, S>& g, int64_t i, int64_t k) {
  const int64_t rows = smaller(kRows, g.m - i);
  for (int64_t r = 0; r < rows; ++r) {
    const S* row = g.a + (i + r) * g.a_row + k;
    for (int line = 0; line < 8; ++line) __builtin_prefetch(row + line * kPanel<S>);
  }
}

template <class T, class S, class Run>
void gemm_blocked(const Gemm<T, S>& g, T* scratch, const Run& run) {
  using Pack = Packing<T, S>;
  constexpr int P = kPanel<T>, terms = Pack::terms;
  const Blocking s = blocking(g, run.workers);
  const int64_t all_panels = ceil_div(g.n, P), all_tiles = ceil_div(g.m, kRows), all_depth = ceil_div(g.k, terms);
  T *const b_room = scratch, *const a_room = b_room + s.b, *const sums = a_room + s.a;
  const bool pack_a = packs_a(g);
  const Out<T> whole = s.sums ? Out<T>{sums, g.n, 1} : g.out;

  for (int64_t jc = 0; jc < all_panels; jc += s.nc) {
    const int64_t panels = smaller(s.nc, all_panels - jc);
    for (int64_t pc = 0; pc == 0 || pc < g.k; pc += s.kc * terms) {
      const int64_t depth = smaller(s.kc * terms, g.k - pc), kc = ceil_div(depth, terms);
      const Out<T> out = whole.block(pc == 0, pc + depth >= g.k);
      const T* const bp = g.b_packed ? g.b_packed + (jc * all_depth + pc / terms) * P : b_room;
      const int64_t b_panel = P * (g.b_packed ? all_depth : kc);
      if (!g.b_packed)
        run(ceil_div(panels, 6), [&](int64_t piece, int) {
          const int64_t p = piece * 6, j = (jc + p) * P, columns = smaller(smaller(6, panels - p) * P, g.n - j);
          Pack::pack(b_room + p * b_panel, P, g.b + pc * g.b_k + j * g.b_col, g.b_k, g.b_col, depth, columns);
        });
      for (int64_t ic = 0; ic < all_tiles; ic += s.mc) {
        const int64_t tiles = smaller(s.mc, all_tiles - ic);
        auto pack_rows = [&](T* to, int64_t t, int64_t count) {
          const int64_t i = (ic + t) * kRows;
          const S* from = g.a + i * g.a_row + pc * g.a_k;
          const int64_t rows = smaller(count * kRows, g.m - i);
          Pack::pack(to, kTall<T>, from, g.a_k, g.a_row, depth, rows);
        };
        constexpr int64_t share = 12;
        if (pack_a && !s.own)
          run(ceil_div(tiles, share), [&](int64_t piece, int) {
            const int64_t t = piece * share;
            pack_rows(a_room + t * kRows * kc, t, smaller(share, tiles - t));
          });
        const Cut c = s.own ? Cut{s.own, panels} : cut_block<T>(tiles, panels, kc);
        const int64_t row_blocks = ceil_div(tiles, c.mb), column_blocks = ceil_div(panels, c.nb);
        run(row_blocks * column_blocks, [&](int64_t piece, int worker) {
          const int64_t t0 = piece / column_blocks * c.mb, t1 = smaller(t0 + c.mb, tiles);
          const int64_t p0 = piece % column_blocks * c.nb, p1 = smaller(p0 + c.nb, panels);
          T* const ap = s.own ? a_room + worker * room_for_a<T>(s.own, s.kc) : a_room;
          if (s.own) pack_rows(ap, t0, t1 - t0);
          TileArgs<T> args;
          args.k = kc;
          args.b_k = P;
          args.flips_a = Pack::flips;
          args.b_panel = b_panel;
          const int64_t parts = t1 - t0 >= 4 ? 4 : t1 - t0 >= 2 ? 2 : 1;
          for (int64_t p = p0; p < p1;) {
            const int np = group(p1 - p);
            const int64_t j = (jc + p) * P;
            args.b = bp + p * b_panel;
            args.cols = (int)smaller(np * P, g.n - j);
            for (int64_t t = t0; t < t1; ++t) {
              const int64_t i = (ic + t) * kRows, rows = smaller(kRows, g.m - i), at = s.own ? t - t0 : t;
              const T* packed = ap + at / kTallTiles<T> * kTall<T> * kc + at % kTallTiles<T> * kRows;
              set_a(args, g, pack_a ? packed : nullptr, i, pc);
              if (!pack_a && p == p0 && t + 1 < t1) fetch_rows(g, i + kRows, pc);
              // The next panels come while these are used, a part of their lines with each of the first tiles.
              const bool fetches = t - t0 < parts && p + np < p1;
              args.fetch = fetches ? args.b + np * b_panel + (t - t0) * (kc / parts) * P : args.b;
              args.fetch_k = fetches ? P / parts : 0;
              run_tile<T, Pack::pairs>(np, (int)rows, args, out.at(i, j));
            }
            p += np;
          }
        });
      }
    }
  }
  if (s.sums)
    run(ceil_div(g.m, 16), [&](int64_t piece, int) {
      const int64_t i = piece * 16;
      finish(sums + i * g.n, g.n, smaller(16, g.m - i), g.n, g.out.at(i, 0));
    });
}

// All of B for b_packed: elements, and the copy.
template <class T, class S>
WEFT_INLINE int64_t packed_elements(const Gemm<T, S>& g) {
  return whole_lines<T>(g.n) * ceil_div(g.k, Packing<T, S>::terms);
}
template <class T, class S, class Run>
void pack_all(T* to, const Gemm<T, S>& g, const Run& run) {
  constexpr int P = kPanel<T>;
  const int64_t depth = ceil_div(g.k, Packing<T, S>::terms);
  run(ceil_div(g.n, 6 * P), [&](int64_t piece, int) {
    const int64_t j = piece * 6 * P;
    Packing<T, S>::pack(to + j * depth, P, g.b + j * g.b_col, g.b_k, g.b_col, g.k, smaller(6 * P, g.n - j));
  });
}

}  // namespace weft::WEFT_ISA::mm
