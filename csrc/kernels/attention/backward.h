// Backward: a piece owns a range of keys of one key head. Key blocks outside, blocks of queries inside, five products
// each. Where there are few heads, several pieces share one, and each has its own dq, added up in order at the end.
#pragma once

#include "kernels/attention/forward.h"

namespace weft::WEFT_ISA::attention {

struct BackwardCut {
  int64_t keys, queries;    // of a block
  int64_t key_blocks;       // of a piece
  int64_t key_pieces;       // per key head
  int64_t items_per_piece;  // key heads of a piece, where they are small
  int64_t pieces;
  int64_t dq_rows, dq_row, dq_size;  // of one head; elements of a row and of all heads
};

template <class T>
WEFT_INLINE BackwardCut cut_backward(const AttentionShape& s) {
  const int64_t heads = s.batch * s.kv_heads, keys = even_block(s.keys, kKeys, 16), blocks = ceil_div(s.keys, keys);
  const int64_t wanted = smaller(ceil_div(8, heads), blocks);
  BackwardCut c{keys, even_block(s.queries, kGradQueries, kRows), ceil_div(blocks, wanted), 0, 1, 0, 0, 0, 0};
  c.key_pieces = ceil_div(blocks, c.key_blocks);
  const double work = (double)(s.heads / s.kv_heads) * s.queries * s.keys * (3 * s.dim + 2 * s.v_dim);
  if (c.key_pieces == 1) c.items_per_piece = work < (1 << 19) ? (int64_t)((1 << 19) / (work + 1)) + 1 : 1;
  c.pieces = ceil_div(heads * c.key_pieces, c.items_per_piece);
  c.dq_rows = rounded(s.queries, kRows);
  c.dq_row = padded<T>(s.dim);
  c.dq_size = s.batch * s.heads * c.dq_rows * c.dq_row;
  return c;
}

template <class T, class S>
struct BackwardRoom {
  Arena arena;
  T *keys_t, *keys, *values_t;  // per block of keys
  T *queries, *douts;           // per block of queries: rows as a left operand
  T *query_pairs, *dout_pairs;  // and to be summed over, where that differs
  T *scores, *dscores, *score_pairs, *dscore_pairs;
  T *dk, *dv, *ones, *factor;
  BackwardRoom(const AttentionShape& s, const BackwardCut& c, char* base) : arena{base} {
    using F = Form<T, S>;
    const int64_t row = padded<T>(s.dim), v_row = padded<T>(s.v_dim), key_rows = rounded(c.keys, kRows);
    const int64_t across = F::pairs ? F::depth(c.queries) : 0;
    keys_t = arena.take<T>(c.keys * F::depth(s.dim));
    keys = arena.take<T>(F::depth(c.keys) * row);
    values_t = arena.take<T>(c.keys * F::depth(s.v_dim));
    queries = arena.take<T>(c.queries * F::width(s.dim));
    douts = arena.take<T>(c.queries * F::width(s.v_dim));
    query_pairs = arena.take<T>(across * row);
    dout_pairs = arena.take<T>(across * v_row);
    scores = arena.take<T>(c.queries * kScoreRow);
    dscores = arena.take<T>(c.queries * kScoreRow);
    score_pairs = arena.take<T>(across * kScoreRow);
    dscore_pairs = arena.take<T>(across * kScoreRow);
    dk = arena.take<T>(key_rows * row);
    dv = arena.take<T>(key_rows * v_row);
    ones = arena.take<T>(kKeys);
    factor = arena.take<T>(kScoreRow + kPhiloxWords);
    if (base)
      for (int64_t i = 0; i < kKeys; ++i) ones[i] = 1;
  }
};

template <class T, class S>
void write_rows(S* to, int64_t stride, const T* from, int64_t from_stride, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; ++r, to += stride, from += from_stride)
    each_vector<vec_of<T>>(
        n, [=](int64_t e, auto io) __attribute__((always_inline)) { io.store(to + e, io.load(from + e)); });
}

// The keys j0 to j0 + n, and the m queries of head h from i0 on. fresh: nothing is in dk and dv yet, or in dq.
struct GradBlock {
  int64_t b, h, i0, m, j0, n;
  bool fresh_keys, fresh_queries;
};

template <class T, class S>
void backward_block(const AttentionBackward& a, const BackwardRoom<T, S>& room, const GradBlock& g, Panels<T> keys,
                    T* dq, T* deltas) {
  using F = Form<T, S>;
  using V = vec_of<T>;
  constexpr int P = kPanel<T>;
  const AttentionShape& s = a.shape;
  const int64_t row = padded<T>(s.dim), v_row = padded<T>(s.v_dim), depth = F::depth(s.dim),
                v_depth = F::depth(s.v_dim);
  const int64_t width = F::width(s.dim), v_width = F::width(s.v_dim), m = g.m, n = g.n;
  const S* q = (const S*)a.q + offset(s.q, g.b, g.h, g.i0);
  const S* out = (const S*)a.out + offset(s.out, g.b, g.h, g.i0);
  const S* dout = (const S*)a.dout + offset(a.dout_at, g.b, g.h, g.i0);
  const int64_t first = (g.b * s.heads + g.h) * s.queries + g.i0;
  F::copy_rows(room.queries, q, s.q.row, m, rounded(m, kRows), s.dim);
  F::copy_rows(room.douts, dout, a.dout_at.row, m, rounded(m, kRows), s.v_dim);
  // Causal: how many of these keys the rows before r see.
  auto seen = [&](int64_t r) {
    const int64_t left = s.causal ? g.i0 + smaller(r, m) - g.j0 : n;
    return left < 0 ? 0 : smaller(left, n);
  };

  const Product<T> qk{room.queries, width, 1, {room.keys_t, P, P * depth}, room.scores, kScoreRow};
  multiply<F::pairs>(m, ceil_div(n, P), qk, [&](int64_t i) { return Span{0, depth, ceil_div(seen(i + kRows), P)}; });
  const Product<T> dv_t{room.douts, v_width, 1, {room.values_t, P, P * v_depth}, room.dscores, kScoreRow};
  multiply<F::pairs>(m, ceil_div(n, P), dv_t,
                     [&](int64_t i) { return Span{0, v_depth, ceil_div(seen(i + kRows), P)}; });

  const int64_t all = rounded(n, kStep<T>);
  const T scale = (T)(s.scale * kLog2E), d_scale = (T)s.scale;
  for (int64_t r = 0; r < m; ++r) {
    const int64_t count = seen(r + 1);
    T *p = room.scores + r * kScoreRow, *d = room.dscores + r * kScoreRow;
    if (g.fresh_queries) {
      const S *x = dout + r * a.dout_at.row, *y = out + r * s.out.row;
      deltas[r] = d_scale * hsum(sum_over<V>(s.v_dim, [=](V& sum, int64_t e, auto io) __attribute__((always_inline)) {
                    sum += io.load(x + e) * io.load(y + e);
                  }));
    }
    if (a.mask) mask_row(s, a.mask, {g.b, g.h, g.i0 + r, g.j0}, scale, p, count);
    if (s.dropout) dropout_factors(s, first + r, g.j0, count, room.factor);
    gradient_row(p, d, count, all, a.mask ? T(1) : scale, ((const T*)a.lse)[first + r], d_scale, deltas[r],
                 s.dropout ? room.factor : nullptr);
  }

  T *scores = room.scores, *dscores = room.dscores;
  Panels<T> queries{room.queries, width, P}, douts{room.douts, v_width, P};
#if WEFT_BF16_DOTS
  if constexpr (F::pairs) {
    scores = room.score_pairs;
    dscores = room.dscore_pairs;
    if (m % 2)  // the last row's neighbour
      for (int64_t j = 0; j < all; ++j) room.scores[m * kScoreRow + j] = room.dscores[m * kScoreRow + j] = 0;
    for (int64_t r = 0; r < m; r += 2) {
      T *p = room.scores + r * kScoreRow, *d = room.dscores + r * kScoreRow;
      pair_across(scores + r / 2 * kScoreRow, p, p + kScoreRow, all);
      pair_across(dscores + r / 2 * kScoreRow, d, d + kScoreRow, all);
      pair_along(d, all);
      pair_along(d + kScoreRow, all);
    }
    mm::Packing<T, S>::pack(room.query_pairs, P, q, s.q.row, 1, m, s.dim);
    mm::Packing<T, S>::pack(room.dout_pairs, P, dout, a.dout_at.row, 1, m, s.v_dim);
    queries = {room.query_pairs, P, P * F::depth(m)};
    douts = {room.dout_pairs, P, P * F::depth(m)};
  }
#endif
  const int64_t panels = row / P, v_panels = v_row / P;
  // Causal: the first query that sees any of the tile's keys.
  auto first_of = [&](int64_t j) {
    const int64_t skipped = s.causal ? g.j0 + j - g.i0 : 0;
    return skipped < 0 ? 0 : smaller(skipped, m) / F::terms;
  };
  const T* keep = g.fresh_keys ? nullptr : room.ones;
  const Product<T> dv{scores, 1, kScoreRow, douts, room.dv, v_row, keep};
  multiply<F::pairs>(n, v_panels, dv, [&](int64_t j) { return Span{first_of(j), F::depth(m), v_panels}; });
  const Product<T> dk{dscores, 1, kScoreRow, queries, room.dk, row, keep};
  multiply<F::pairs>(n, panels, dk, [&](int64_t j) { return Span{first_of(j), F::depth(m), panels}; });
  const Product<T> dq_t{room.dscores, kScoreRow, 1, keys, dq, row, g.fresh_queries ? nullptr : room.ones};
  multiply<F::pairs>(m, panels, dq_t, [&](int64_t i) { return Span{0, F::depth(seen(i + kRows)), panels}; });
}

// Keys j0 to j0 + n of a key head. dq and deltas: of the heads that share it. fresh: nothing is in them yet.
template <class T, class S>
void backward_keys(const AttentionBackward& a, const BackwardRoom<T, S>& room, const BackwardCut& c, T* dq, T* deltas,
                   int64_t kv_head, int64_t j0, int64_t n, bool fresh) {
  using F = Form<T, S>;
  const AttentionShape& s = a.shape;
  const int64_t b = kv_head / s.kv_heads, kv = kv_head % s.kv_heads, group = s.heads / s.kv_heads;
  const int64_t row = padded<T>(s.dim), v_row = padded<T>(s.v_dim);
  const S* k = (const S*)a.k + offset(s.k, b, kv, j0);
  F::pack_turned(room.keys_t, k, s.k.row, n, s.dim);
  F::pack_turned(room.values_t, (const S*)a.v + offset(s.v, b, kv, j0), s.v.row, n, s.v_dim);
  const Panels<T> keys = right_rows<T, S>(room.keys, k, s.k.row, n, s.dim);
  // Causal: queries before `from` see none of these keys.
  const int64_t from = s.causal ? smaller(j0 / c.queries * c.queries, s.queries) : 0;
  bool first = true;
  for (int64_t h = 0; h < group; ++h) {
    T* dq_head = dq + h * c.dq_rows * c.dq_row;
    if (fresh)
      for (int64_t i = 0; i < from * c.dq_row; ++i) dq_head[i] = 0;
    for (int64_t i = from; i < s.queries; i += c.queries, first = false)
      backward_block(a, room, {b, kv * group + h, i, smaller(c.queries, s.queries - i), j0, n, first, fresh}, keys,
                     dq_head + i * c.dq_row, deltas + h * c.dq_rows + i);
  }
  if (first) {
    for (int64_t i = 0; i < n * row; ++i) room.dk[i] = 0;
    for (int64_t i = 0; i < n * v_row; ++i) room.dv[i] = 0;
  }
  write_rows((S*)a.dk + offset(a.dk_at, b, kv, j0), a.dk_at.row, room.dk, row, n, s.dim);
  write_rows((S*)a.dv + offset(a.dv_at, b, kv, j0), a.dv_at.row, room.dv, v_row, n, s.v_dim);
}

// dq of a head, from the float sums.
template <class T, class S>
void write_queries(const AttentionBackward& a, const BackwardCut& c, const T* dq, int64_t head) {
  const AttentionShape& s = a.shape;
  write_rows((S*)a.dq + offset(a.dq_at, head / s.heads, head % s.heads, 0), a.dq_at.row,
             dq + head * c.dq_rows * c.dq_row, c.dq_row, s.queries, s.dim);
}

template <class T, class S>
void backward(const AttentionBackward& a) {
  const AttentionShape& s = a.shape;
  const BackwardCut c = cut_backward<T>(s);
  const int64_t heads = s.batch * s.kv_heads, group = s.heads / s.kv_heads, head_size = c.dq_rows * c.dq_row;
  T* const sums = (T*)a.workspace;
  const int64_t rows = s.batch * s.heads * c.dq_rows;
  T* const deltas = sums + c.key_pieces * c.dq_size;
  char* const rooms = (char*)(deltas + c.key_pieces * padded<T>(rows));
  const int64_t bytes = BackwardRoom<T, S>(s, c, nullptr).arena.used;
  parallel(
      c.pieces,
      [&](int64_t piece, int worker) {
        const BackwardRoom<T, S> room(s, c, rooms + worker * bytes);
        const int64_t end = smaller(heads * c.key_pieces, (piece + 1) * c.items_per_piece);
        for (int64_t item = piece * c.items_per_piece; item < end; ++item) {
          const int64_t head = item / c.key_pieces, part = item % c.key_pieces;
          T* dq = sums + part * c.dq_size;
          const int64_t begin = part * c.key_blocks * c.keys, last = smaller(s.keys, begin + c.key_blocks * c.keys);
          for (int64_t j0 = begin; j0 < last; j0 += c.keys)
            backward_keys(a, room, c, dq + head * group * head_size, deltas + part * rows + head * group * c.dq_rows,
                          head, j0, smaller(c.keys, last - j0), j0 == begin);
          for (int64_t h = 0; c.key_pieces == 1 && h < group; ++h) write_queries<T, S>(a, c, dq, head * group + h);
        }
      },
      a.workers);
  if (c.key_pieces > 1)
    parallel(s.batch * s.heads, [&](int64_t head, int) {
      T* to = sums + head * head_size;
      for (int64_t part = 1; part < c.key_pieces; ++part)
        for (int64_t i = 0; i < s.queries * c.dq_row; ++i) to[i] += to[part * c.dq_size + i];
      write_queries<T, S>(a, c, sums, head);
    });
}

template <class T, class S>
int64_t backward_room(const AttentionBackward& a) {
  const BackwardCut c = cut_backward<T>(a.shape);
  const int64_t sums = c.dq_size + padded<T>(a.shape.batch * a.shape.heads * c.dq_rows);
  return c.key_pieces * sums * (int64_t)sizeof(T) + a.workers * BackwardRoom<T, S>(a.shape, c, nullptr).arena.used;
}

}  // namespace weft::WEFT_ISA::attention
