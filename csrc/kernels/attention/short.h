// Forward for keys that fit one block, where what rows cost each would weigh: scores stand upright, one row for each
// key and the queries side by side in the lanes, so that the softmax of a vector of queries needs no sum across lanes.
#pragma once

#include "kernels/attention/forward.h"

namespace weft::WEFT_ISA::attention {

constexpr int64_t kShortQueries = 48;  // of a block of scores

// A mask must be the same for all queries.
WEFT_INLINE bool has_short_keys(const AttentionShape& s, const void* mask) {
  return s.heads == s.kv_heads && s.keys <= kKeys && !s.dropout && (!mask || s.mask_row == 0);
}

template <class T, class S>
struct ShortRoom {
  Arena arena;
  T *keys, *values, *queries, *scores, *sums, *inverse;
  ShortRoom(const AttentionShape& s, const ForwardCut& c, char* base) : arena{base} {
    using F = Form<T, S>;
    keys = arena.take<T>(rounded(s.keys, kRows) * F::width(s.dim));
    values = arena.take<T>(s.keys * padded<T>(s.v_dim));
    queries = arena.take<T>(padded<T>(c.rows) * s.dim);
    scores = arena.take<T>(rounded(s.keys, kRows) * kShortQueries);
    sums = arena.take<T>(rounded(kShortQueries, kRows) * padded<T>(s.v_dim));
    inverse = arena.take<T>(kShortQueries);
  }
};

template <class T>
void mask_keys(const AttentionShape& s, const void* mask, const KeyHead& head, T* scores, int64_t width, int64_t n) {
  using V = vec_of<T>;
  const int64_t first = head.b * s.mask_batch + head.first * s.mask_head;
  for (int64_t j = 0; j < n; ++j, scores += width) {
    const int64_t at = first + j * s.mask_col;
    if (s.mask_is_bool && ((const uint8_t*)mask)[at]) continue;
    const V added = splat<V>(s.mask_is_bool ? T(0) : ((const T*)mask)[at] * (T)kLog2E);
    for (int64_t e = 0; e < width; e += lanes<V>)
      store<V>(scores + e, s.mask_is_bool ? splat<V>(-kInfinity<T>) : load<V>(scores + e) + added);
  }
}

// The scores of n keys for a vector of queries, i0 and on, become probabilities up to a factor. lse gets `count` lanes.
template <class T>
void softmax_lanes(T* scores, int64_t width, int64_t n, bool causal, int64_t i0, T* inverse, T* lse, int64_t count) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  const V none = splat<V>(-kInfinity<T>);
  if (causal) {
    const V query = iota<V>() + (T)i0;
    // A tile of queries that begins here and ends among the next reads on, but no further than its rows.
    for (int64_t j = i0 + L; j < smaller(n, i0 + L + kRows); ++j) store<V>(scores + j * width, V{});
    n = smaller(n, i0 + L);
    for (int64_t j = i0 + 1; j < n; ++j)
      store<V>(scores + j * width, query < (T)j ? none : load<V>(scores + j * width));
  }
  V top[2] = {none, none}, sum[2] = {};
  for (int64_t j = 0; j < n; ++j) top[j % 2] = larger(load<V>(scores + j * width), top[j % 2]);
  const V most = larger(top[0], top[1]), shift = most == none ? V{} : most;
  for (int64_t j = 0; j < n; ++j) {
    const V p = exp2_below(load<V>(scores + j * width) - shift);
    store<V>(scores + j * width, p);
    sum[j % 2] += p;
  }
  const V total = sum[0] + sum[1];
  store<V>(inverse, total == 0 ? V{} : 1 / total);
  store_n<V>(lse, total == 0 ? splat<V>(kInfinity<T>) : shift + vlog2(total), count < L ? count : L);
}

// Rows of a head are short and far apart, where no hardware fetches ahead: those of the next head, which lie beside
// them.
template <class S>
WEFT_INLINE void fetch_next(const S* at, const AttentionStrides& s, int64_t rows, int64_t n) {
  if (s.head != n) return;
  for (int64_t r = 0; r < rows; ++r, at += s.row)
    for (int64_t e = 0; e < n; e += 64 / (int64_t)sizeof(S)) __builtin_prefetch(at + n + e);
}

template <class T, class S>
void short_piece(const AttentionForward& a, const ShortRoom<T, S>& room, const KeyHead& head, int64_t row0,
                 int64_t rows) {
  using F = Form<T, S>;
  using V = vec_of<T>;
  constexpr int P = kPanel<T>, L = lanes<V>;
  const AttentionShape& s = a.shape;
  const int64_t all = visible(s, row0, row0 + rows), v_width = padded<T>(s.v_dim), v_panels = v_width / P;
  const S *k = (const S*)a.k + offset(s.k, head.b, head.kv, 0), *v = (const S*)a.v + offset(s.v, head.b, head.kv, 0);
  const S* q = (const S*)a.q + offset(s.q, head.b, head.first, row0);
  const T* keys = room.keys;
  int64_t key_row = F::width(s.dim);
  if constexpr (F::same)
    if (all % kRows == 0) keys = k, key_row = s.k.row;
  if (keys == room.keys) F::copy_rows(room.keys, k, s.k.row, all, rounded(all, kRows), s.dim);
  const Panels<T> values = right_rows<T, S>(room.values, v, s.v.row, all, s.v_dim);
  F::pack_turned(room.queries, q, s.q.row, rows, s.dim);
  scale_by(room.queries, padded<T>(rows) * s.dim, (T)(s.scale * kLog2E));
  fetch_next(q, s.q, rows, s.dim);

  const int64_t block = even_block(rows, kShortQueries, P);
  for (int64_t r0 = 0; r0 < rows; r0 += block) {
    const int64_t m = smaller(block, rows - r0), first = row0 + r0, n = visible(s, first, first + m);
    const int64_t panels = ceil_div(m, P), width = panels * P;
    const Product<T> p{keys, key_row, 1, {room.queries + r0 * s.dim, P, P * s.dim}, room.scores, width};
    multiply<false>(n, panels, p, [&](int64_t) { return Span{0, s.dim, panels}; });
    if (r0 == 0) fetch_next(k, s.k, all, s.dim);
    if (a.mask) mask_keys(s, a.mask, head, room.scores, width, n);
    T* const lse = (T*)a.lse + (head.b * s.heads + head.first) * s.queries + first;
    for (int64_t i = 0; i < m; i += L)
      softmax_lanes(room.scores + i, width, n, s.causal, first + i, room.inverse + i, lse + i, m - i);
    if (r0 == 0) fetch_next(v, s.v, all, s.v_dim);
    const Product<T> sum{room.scores, 1, width, values, room.sums, v_width};
    multiply<false>(m, v_panels, sum,
                    [&](int64_t i) { return Span{0, visible(s, first + i, first + smaller(i + kRows, m)), v_panels}; });
    for (int64_t r = 0; r < m; ++r) {
      S* to = (S*)a.out + offset(s.out, head.b, head.first, first + r);
      const T *from = room.sums + r * v_width, inverse = room.inverse[r];
      each_vector<V>(s.v_dim, [=](int64_t e, auto io)
                                  __attribute__((always_inline)) { io.store(to + e, io.load(from + e) * inverse); });
    }
  }
}

// Pairs of bfloat16 stay with their rows.
template <class T, class S>
void forward_short(const AttentionForward& a) {
  if constexpr (Form<T, S>::pairs)
    forward<T, S>(a);
  else
    over_pieces<ShortRoom<T, S>>(
        a, [&](const ShortRoom<T, S>& room, const ForwardCut&, const KeyHead& head, int64_t row0, int64_t rows)
               __attribute__((always_inline)) { short_piece(a, room, head, row0, rows); });
}
template <class T, class S>
int64_t short_room(const AttentionForward& a) {
  if constexpr (Form<T, S>::pairs)
    return forward_room<T, S>(a);
  else
    return a.workers * ShortRoom<T, S>(a.shape, cut_forward(a.shape), nullptr).arena.used;
}

}  // namespace weft::WEFT_ISA::attention
