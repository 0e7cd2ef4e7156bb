// Forward: a piece owns up to kRowBlocks blocks of queries of one head, walks the keys once and packs each block of
// them for all its queries. The output rows serve as accumulators.
#pragma once

#include "kernels/attention/block.h"

namespace weft::WEFT_ISA::attention {

struct ForwardCut {
  int64_t rows;             // queries of a piece
  int64_t row_pieces;       // per head
  int64_t items_per_piece;  // where heads are small
  int64_t pieces;
};

WEFT_INLINE ForwardCut cut_forward(const AttentionShape& s) {
  ForwardCut c{4 * kQueries, 1, 1, 1};
  const int64_t heads = s.batch * s.heads;
  while (c.rows > kQueries && heads * ceil_div(s.queries, c.rows) < 16) c.rows /= 2;
  c.row_pieces = ceil_div(s.queries, c.rows);
  const double work = (double)smaller(s.queries, c.rows) * s.keys * (s.dim + s.v_dim);
  if (c.row_pieces == 1) c.items_per_piece = work < (1 << 19) ? (int64_t)((1 << 19) / (work + 1)) + 1 : 1;
  c.pieces = ceil_div(heads * c.row_pieces, c.items_per_piece);
  return c;
}

template <class T>
struct ForwardRoom {
  Arena arena;
  T *keys, *values, *queries, *scores, *top, *total, *factor;
  ForwardRoom(const AttentionShape& s, const ForwardCut& c, char* base) : arena{base} {
    keys = arena.take<T>(kKeys * s.dim);
    values = arena.take<T>(kKeys * padded<T>(s.v_dim));
    queries = arena.take<T>(c.rows * s.dim);
    scores = arena.take<T>(kQueries * kScoreRow);
    top = arena.take<T>(c.rows);
    total = arena.take<T>(c.rows);
    factor = arena.take<T>(kKeys + kPhiloxWords);
  }
};

template <class T>
WEFT_INLINE void scale_row(T* to, const T* from, T factor, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = from[i] * factor;
}

// Turns a row of scores into probabilities relative to the running maximum. Returns what earlier sums are to be
// multiplied by.
template <class T>
WEFT_INLINE T softmax_row(T* row, int64_t n, T* top, T* total) {
  using V = vec_of<T>;
  const T before = *top, here = max_over(row, n);
  const T now = here > before || here != here ? here : before;
  const T shift = now == -kInfinity<T> ? T(0) : now;  // nothing allowed so far
  const T sum = hsum(sum_over<V>(n, [=](V& sum, int64_t j, auto io) __attribute__((always_inline)) {
    V p = vexp2(io.load(row + j) - shift);
    io.store(row + j, p);
    sum += io.keep(p);
  }));
  const T correction = now == before ? T(1) : vexp2(splat<V>(before - shift))[0];
  *top = now;
  *total = *total * correction + sum;
  return correction;
}

template <class T>
void forward_piece(const AttentionForward& a, const ForwardRoom<T>& room, int64_t head, int64_t row0, int64_t rows) {
  using V = vec_of<T>;
  const AttentionShape& s = a.shape;
  const int64_t b = head / s.heads, h = head % s.heads, kv = h / (s.heads / s.kv_heads);
  const T* q = (const T*)a.q + b * s.q_batch + h * s.q_head + row0 * s.q_row;
  const T* k = (const T*)a.k + b * s.k_batch + kv * s.k_head;
  const T* v = (const T*)a.v + b * s.v_batch + kv * s.v_head;
  T* out = (T*)a.out + (head * s.queries + row0) * s.v_dim;
  T* lse = (T*)a.lse + head * s.queries + row0;
  for (int64_t r = 0; r < rows; ++r) {
    scale_row(room.queries + r * s.dim, q + r * s.q_row, (T)(s.scale * kLog2E), s.dim);
    room.top[r] = -kInfinity<T>;
    room.total[r] = 0;
    for (int64_t e = 0; e < s.v_dim; ++e) out[r * s.v_dim + e] = 0;
  }
  for (int64_t j0 = 0; j0 < visible(s, row0 + rows); j0 += kKeys) {
    const int64_t n = smaller(kKeys, s.keys - j0);
    pack(room.keys, k + j0 * s.k_row, 1, s.k_row, s.dim, n);
    pack(room.values, v + j0 * s.v_row, s.v_row, 1, n, s.v_dim);
    for (int64_t r0 = 0; r0 < rows; r0 += kQueries) {
      const Window w{b, h, row0 + r0, smaller(kQueries, rows - r0), j0, n};
      if (j0 >= visible(s, w.i + w.rows)) continue;
      multiply(w.rows, n, s.dim, room.queries + r0 * s.dim, s.dim, 1, room.keys, room.scores, kScoreRow, false);
      if (a.mask || (s.causal && j0 + n > w.i)) apply_mask(s, a.mask, w, room.scores);
      for (int64_t r = 0; r < w.rows; ++r) {
        T* row = room.scores + r * kScoreRow;
        T* to = out + (r0 + r) * s.v_dim;
        const T correction = softmax_row(row, n, room.top + r0 + r, room.total + r0 + r);
        if (correction != 1) scale_row(to, to, correction, s.v_dim);
        if (s.dropout) {
          dropout_factors(s, head * s.queries + w.i + r, j0, n, room.factor);
          for (int64_t j = 0; j < n; ++j) row[j] *= room.factor[j];
        }
      }
      multiply(w.rows, s.v_dim, n, room.scores, kScoreRow, 1, room.values, out + r0 * s.v_dim, s.v_dim, true);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    const T total = room.total[r];
    T* to = out + r * s.v_dim;
    scale_row(to, to, total == 0 ? T(0) : T(1) / total, s.v_dim);
    lse[r] = total == 0 ? kInfinity<T> : room.top[r] + vlog2(splat<V>(total))[0];
  }
}

template <class T>
void forward(const AttentionForward& a) {
  const AttentionShape& s = a.shape;
  const ForwardCut c = cut_forward(s);
  const int64_t bytes = ForwardRoom<T>(s, c, nullptr).arena.used, items = s.batch * s.heads * c.row_pieces;
  parallel(
      c.pieces,
      [&](int64_t piece, int worker) {
        const ForwardRoom<T> room(s, c, (char*)a.workspace + worker * bytes);
        for (int64_t i = piece * c.items_per_piece; i < smaller(items, (piece + 1) * c.items_per_piece); ++i) {
          // Long rows of a causal mask first, so that no thread waits for the last of them.
          const int64_t row0 = (c.row_pieces - 1 - i % c.row_pieces) * c.rows;
          forward_piece(a, room, i / c.row_pieces, row0, smaller(c.rows, s.queries - row0));
        }
      },
      a.workers);
}

template <class T>
int64_t forward_room(const AttentionForward& a) {
  return a.workers * ForwardRoom<T>(a.shape, cut_forward(a.shape), nullptr).arena.used;
}

}  // namespace weft::WEFT_ISA::attention
