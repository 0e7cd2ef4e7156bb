// Forward: a piece owns some rows of one key head and walks its keys once. The rows are the queries of all the heads
// that share the key head, one head after the other.
#pragma once

#include "kernels/attention/rows.h"

namespace weft::WEFT_ISA::attention {

struct ForwardCut {
  int64_t rows;             // of a piece
  int64_t row_pieces;       // per key head
  int64_t items_per_piece;  // where heads are small
  int64_t pieces;
  int64_t keys;  // of a block
};

WEFT_INLINE ForwardCut cut_forward(const AttentionShape& s) {
  const int64_t heads = s.batch * s.kv_heads, all = s.heads / s.kv_heads * s.queries;
  int64_t most = 24 * kQueries;
  while (most > 3 * kQueries && heads * ceil_div(all, most) < 16) most /= 2;
  ForwardCut c{even_block(all, most, kRows), 1, 1, 1, even_block(s.keys, kKeys, 16)};
  c.row_pieces = ceil_div(all, c.rows);
  const double work = (double)smaller(all, c.rows) * s.keys * (s.dim + s.v_dim);
  if (c.row_pieces == 1) c.items_per_piece = work < (1 << 19) ? (int64_t)((1 << 19) / (work + 1)) + 1 : 1;
  c.pieces = ceil_div(heads * c.row_pieces, c.items_per_piece);
  return c;
}

template <class T, class S>
struct ForwardRoom {
  Arena arena;
  T *keys, *values, *queries, *scores, *sums, *top, *total, *keep, *factor;
  ForwardRoom(const AttentionShape& s, const ForwardCut& c, char* base) : arena{base} {
    using F = Form<T, S>;
    keys = arena.take<T>(c.keys * F::depth(s.dim));
    values = arena.take<T>(F::depth(c.keys) * padded<T>(s.v_dim));
    queries = arena.take<T>(c.rows * F::width(s.dim));
    scores = arena.take<T>(kQueries * kScoreRow);
    sums = arena.take<T>(c.rows * padded<T>(s.v_dim));
    top = arena.take<T>(c.rows);
    total = arena.take<T>(c.rows);
    keep = arena.take<T>(kQueries);
    factor = arena.take<T>(kScoreRow + kPhiloxWords);
  }
};

// A key head of a batch item, and the first of the query heads that share it.
struct KeyHead {
  int64_t b, kv, first;
};
WEFT_INLINE KeyHead key_head(const AttentionShape& s, int64_t head) {
  const int64_t kv = head % s.kv_heads;
  return {head / s.kv_heads, kv, kv * (s.heads / s.kv_heads)};
}
// Row r of a key head. Asked for each row, so that it should not divide.
WEFT_INLINE Place place_of(const AttentionShape& s, const KeyHead& head, int64_t r, int64_t j0) {
  if (r < s.queries) return {head.b, head.first, r, j0};
  return {head.b, head.first + r / s.queries, r % s.queries, j0};
}
// How many keys the rows before `end` and not before `begin` may see, each or together.
WEFT_INLINE int64_t visible(const AttentionShape& s, int64_t begin, int64_t end) {
  if (!s.causal) return s.keys;
  if (end <= s.queries) return smaller(end, s.keys);
  if (begin / s.queries != (end - 1) / s.queries) return s.keys;
  return smaller((end - 1) % s.queries + 1, s.keys);
}
WEFT_INLINE int64_t offset(const AttentionStrides& s, int64_t batch, int64_t head, int64_t row) {
  return batch * s.batch + head * s.head + row * s.row;
}

// n, in whole panels, elements of queries: once, and not in each product with keys.
template <class T>
WEFT_INLINE void scale_by(T* x, int64_t n, T scale) {
  using V = vec_of<T>;
  for (int64_t i = 0; i < n; i += lanes<V>) store<V>(x + i, load<V>(x + i) * scale);
}

template <int N>
struct Number {
  static constexpr int value = N;
};

// The block of keys j0 to j0 + n, for the rows r0 to r0 + m of a piece.
template <class T, class S>
void forward_block(const AttentionForward& a, const ForwardRoom<T, S>& room, const Panels<T>& values,
                   const KeyHead& head, int64_t row0, int64_t r0, int64_t m, int64_t j0, int64_t n) {
  using F = Form<T, S>;
  constexpr int P = kPanel<T>;
  const AttentionShape& s = a.shape;
  auto seen = [&](int64_t i) {
    const int64_t begin = row0 + r0 + i, left = visible(s, begin, begin + smaller(kRows, m - i)) - j0;
    return left < 0 ? 0 : smaller(left, n);
  };
  const int64_t panels = ceil_div(n, P), v_panels = ceil_div(s.v_dim, P), depth = F::depth(s.dim);
  const int64_t width = F::width(s.dim), v_width = v_panels * P;
  Product<T> p{room.queries + r0 * width, width, 1, {room.keys, P, P * depth}, room.scores, kScoreRow};
  if constexpr (F::pairs) p.scale = (T)(s.scale * kLog2E);
  multiply<F::pairs>(m, panels, p, [&](int64_t i) { return Span{0, depth, ceil_div(seen(i), P)}; });

  int64_t count[kQueries];
  for (int64_t r = 0; r < m; ++r) {
    const Place at = place_of(s, head, row0 + r0 + r, j0);
    count[r] = seen(r / kRows * kRows);
    if (s.causal) count[r] = at.i + 1 < j0 ? 0 : smaller(at.i + 1 - j0, count[r]);
    if (a.mask) mask_row(s, a.mask, at, T(1), room.scores + r * kScoreRow, count[r]);
  }
  // Zeros for as much as the row's tile reads.
  auto width_of = [&](int64_t r) { return rounded(seen(r / kRows * kRows), kStep<T>); };
  auto soften = [&](int64_t r, auto rows) __attribute__((always_inline)) {
    constexpr int R = decltype(rows)::value;
    const int64_t first = width_of(r), last = width_of(r + R - 1), at = r0 + r;
    softmax_rows<R>(room.scores + r * kScoreRow, count + r, first > last ? first : last, room.top + at, room.total + at,
                    room.keep + r);
  };
  int64_t done = 0;
  for (; done + kRowsAtOnce <= m; done += kRowsAtOnce) soften(done, Number<kRowsAtOnce>{});
  for (; done < m; ++done) soften(done, Number<1>{});
  for (int64_t r = 0; r < m; ++r) {
    T* row = room.scores + r * kScoreRow;
    if (s.dropout) {
      const Place at = place_of(s, head, row0 + r0 + r, j0);
      dropout_factors(s, (at.b * s.heads + at.h) * s.queries + at.i, j0, count[r], room.factor);
      for (int64_t j = 0; j < count[r]; ++j) row[j] *= room.factor[j];
    }
#if WEFT_BF16_DOTS
    if constexpr (F::pairs) pair_along(row, width_of(r));
#endif
  }

  Product<T> sum{room.scores, kScoreRow, 1, values, room.sums + r0 * v_width, v_width};
  if (j0 > 0) sum.keep = room.keep;
  multiply<F::pairs>(m, v_panels, sum, [&](int64_t i) { return Span{0, F::depth(seen(i)), v_panels}; });
}

// n rows into the second-level cache.
template <class S>
WEFT_INLINE void fetch_rows(const S* at, int64_t stride, int64_t n, int64_t dim) {
  for (int64_t r = 0; r < n; ++r, at += stride)
    for (int64_t e = 0; e < dim; e += 64 / (int64_t)sizeof(S)) __builtin_prefetch(at + e, 0, 2);
}

template <class T, class S>
void forward_piece(const AttentionForward& a, const ForwardRoom<T, S>& room, const ForwardCut& c, const KeyHead& head,
                   int64_t row0, int64_t rows) {
  using F = Form<T, S>;
  using V = vec_of<T>;
  const AttentionShape& s = a.shape;
  const int64_t b = head.b, end = visible(s, row0, row0 + rows);
  const int64_t width = F::width(s.dim), v_width = padded<T>(s.v_dim);
  const S* k = (const S*)a.k + offset(s.k, b, head.kv, 0);
  const S* v = (const S*)a.v + offset(s.v, b, head.kv, 0);
  for (int64_t r = 0; r < rounded(rows, kRows); ++r) {
    const Place at = place_of(s, head, row0 + r, 0);
    T* const to = room.queries + r * width;
    F::copy_rows(to, (const S*)a.q + offset(s.q, b, at.h, at.i), 0, r < rows, 1, s.dim);
    if constexpr (!F::pairs) scale_by(to, width, (T)(s.scale * kLog2E));
    room.top[r] = -kInfinity<T>;
    room.total[r] = 0;
  }
  for (int64_t r = 0; r < kQueries; ++r) room.keep[r] = 1;
  for (int64_t j0 = 0; j0 < end; j0 += c.keys) {
    const int64_t n = smaller(c.keys, end - j0);
    F::pack_turned(room.keys, k + j0 * s.k.row, s.k.row, n, s.dim);
    const Panels<T> values = right_rows<T, S>(room.values, v + j0 * s.v.row, s.v.row, n, s.v_dim);
    // The next keys and values come while these are used.
    int64_t next = j0 + n;
    const int64_t after = smaller(c.keys, end - next), share = ceil_div(after, ceil_div(rows, kQueries));
    for (int64_t r0 = 0; r0 < rows; r0 += kQueries, next += share) {
      const int64_t m = smaller(kQueries, rows - r0), count = smaller(share, j0 + n + after - next);
      fetch_rows(k + next * s.k.row, s.k.row, count, s.dim);
      fetch_rows(v + next * s.v.row, s.v.row, count, s.v_dim);
      if (j0 < visible(s, row0 + r0, row0 + r0 + m)) forward_block(a, room, values, head, row0, r0, m, j0, n);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    const Place at = place_of(s, head, row0 + r, 0);
    const T total = room.total[r], inverse = total == 0 ? T(0) : T(1) / total;
    const T* from = room.sums + r * v_width;
    S* to = (S*)a.out + offset(s.out, b, at.h, at.i);
    each_vector<V>(s.v_dim, [=](int64_t e, auto io)
                                __attribute__((always_inline)) { io.store(to + e, io.load(from + e) * inverse); });
    ((T*)a.lse)[(b * s.heads + at.h) * s.queries + at.i] =
        total == 0 ? kInfinity<T> : room.top[r] + vlog2(splat<V>(total))[0];
  }
}

// piece(room, cut, key head, first row, rows) for all of them, where Room is a thread's scratch.
template <class Room, class Piece>
WEFT_INLINE void over_pieces(const AttentionForward& a, const Piece& piece) {
  const AttentionShape& s = a.shape;
  const ForwardCut c = cut_forward(s);
  const int64_t bytes = Room(s, c, nullptr).arena.used, items = s.batch * s.kv_heads * c.row_pieces;
  const int64_t all = s.heads / s.kv_heads * s.queries;
  parallel(
      c.pieces,
      [&](int64_t index, int worker) {
        const Room room(s, c, (char*)a.workspace + worker * bytes);
        for (int64_t i = index * c.items_per_piece; i < smaller(items, (index + 1) * c.items_per_piece); ++i) {
          // Long rows of a causal mask first, so that no thread waits for the last of them.
          const int64_t row0 = (c.row_pieces - 1 - i % c.row_pieces) * c.rows;
          piece(room, c, key_head(s, i / c.row_pieces), row0, smaller(c.rows, all - row0));
        }
      },
      a.workers);
}

template <class T, class S>
void forward(const AttentionForward& a) {
  over_pieces<ForwardRoom<T, S>>(
      a, [&](const ForwardRoom<T, S>& room, const ForwardCut& c, const KeyHead& head, int64_t row0, int64_t rows)
             __attribute__((always_inline)) { forward_piece(a, room, c, head, row0, rows); });
}

template <class T, class S>
int64_t forward_room(const AttentionForward& a) {
  return a.workers * ForwardRoom<T, S>(a.shape, cut_forward(a.shape), nullptr).arena.used;
}

}  // namespace weft::WEFT_ISA::attention
