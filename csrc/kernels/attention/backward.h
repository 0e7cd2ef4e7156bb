// Backward: a piece owns a range of keys of one key head. Key blocks outside, blocks of queries inside, five products
// each. Where there are few heads, several pieces share one, and each has its own dq, added up in order at the end.
#pragma once

#include "kernels/attention/block.h"

namespace weft::WEFT_ISA::attention {

struct BackwardCut {
  int64_t key_blocks;       // of a piece
  int64_t key_pieces;       // per key head
  int64_t items_per_piece;  // key heads of a piece, where they are small
  int64_t pieces;
  int64_t dq_size;  // elements
};

WEFT_INLINE BackwardCut cut_backward(const AttentionShape& s) {
  const int64_t heads = s.batch * s.kv_heads, blocks = ceil_div(s.keys, kKeys);
  const int64_t wanted = smaller(ceil_div(8, heads), blocks);
  BackwardCut c{ceil_div(blocks, wanted), 0, 1, 0, s.batch * s.heads * s.queries * s.dim};
  c.key_pieces = ceil_div(blocks, c.key_blocks);
  const double work = (double)(s.heads / s.kv_heads) * s.queries * s.keys * (3 * s.dim + 2 * s.v_dim);
  if (c.key_pieces == 1) c.items_per_piece = work < (1 << 19) ? (int64_t)((1 << 19) / (work + 1)) + 1 : 1;
  c.pieces = ceil_div(heads * c.key_pieces, c.items_per_piece);
  return c;
}

template <class T>
struct BackwardRoom {
  Arena arena;
  T *keys_t, *keys, *values_t;  // packed, per block of keys
  T *scaled, *queries, *douts;  // per block of queries: rows, panels, panels
  T *scores, *dscores, *dk, *dv, *factor;
  BackwardRoom(const AttentionShape& s, char* base) : arena{base} {
    keys_t = arena.take<T>(kKeys * s.dim);
    keys = arena.take<T>(kKeys * padded<T>(s.dim));
    values_t = arena.take<T>(kKeys * s.v_dim);
    scaled = arena.take<T>(kQueries * s.dim);
    queries = arena.take<T>(kQueries * padded<T>(s.dim));
    douts = arena.take<T>(kQueries * padded<T>(s.v_dim));
    scores = arena.take<T>(kQueries * kScoreRow);
    dscores = arena.take<T>(kQueries * kScoreRow);
    dk = arena.take<T>(kKeys * s.dim);
    dv = arena.take<T>(kKeys * s.v_dim);
    factor = arena.take<T>(kKeys + kPhiloxWords);
  }
};

// The part of the workspace that all threads share.
template <class T>
struct BackwardShared {
  Arena arena;
  T *delta, *dq;  // rows' sums of dout * out; the pieces' dq beyond the first
  BackwardShared(const AttentionShape& s, const BackwardCut& c, char* base) : arena{base} {
    delta = arena.take<T>(s.batch * s.heads * s.queries);
    dq = arena.take<T>((c.key_pieces - 1) * c.dq_size);
  }
};

// scores become the probabilities after dropout, dscores (which come in as dout v) the gradient of the products q k.
template <class T>
WEFT_INLINE void gradient_row(const AttentionShape& s, T* p, T* d, int64_t n, T lse, T delta, const T* factor) {
  using V = vec_of<T>;
  const T scale = (T)s.scale;
  each_vector<V>(n, [=](int64_t j, auto io) __attribute__((always_inline)) {
    const V prob = vexp2(io.load(p + j) - lse);
    V dprob = io.load(d + j);
    if (factor) {
      const V f = io.load(factor + j);
      dprob *= f;
      io.store(p + j, prob * f);
    } else {
      io.store(p + j, prob);
    }
    // Where nothing is attended to, dprob may be anything.
    io.store(d + j, prob == 0 ? V{} : prob * (dprob - delta) * scale);
  });
}

template <class T>
void backward_keys(const AttentionBackward& a, const BackwardRoom<T>& room, const T* delta, T* dq, int64_t kv_head,
                   int64_t j0) {
  const AttentionShape& s = a.shape;
  const int64_t b = kv_head / s.kv_heads, kv = kv_head % s.kv_heads, group = s.heads / s.kv_heads;
  const int64_t n = smaller(kKeys, s.keys - j0);
  const T* k = (const T*)a.k + b * s.k_batch + kv * s.k_head + j0 * s.k_row;
  const T* v = (const T*)a.v + b * s.v_batch + kv * s.v_head + j0 * s.v_row;
  pack(room.keys_t, k, 1, s.k_row, s.dim, n);
  pack(room.keys, k, s.k_row, 1, n, s.dim);
  pack(room.values_t, v, 1, s.v_row, s.v_dim, n);
  T *dk = room.dk, *dv = room.dv;
  for (int64_t i = 0; i < n * s.dim; ++i) dk[i] = 0;
  for (int64_t i = 0; i < n * s.v_dim; ++i) dv[i] = 0;
  for (int64_t h = kv * group; h < (kv + 1) * group; ++h)
    for (int64_t i = s.causal ? j0 / kQueries * kQueries : 0; i < s.queries; i += kQueries) {
      const Window w{b, h, i, smaller(kQueries, s.queries - i), j0, n};
      const int64_t row = (b * s.heads + h) * s.queries + i;
      const T* q = (const T*)a.q + b * s.q_batch + h * s.q_head + i * s.q_row;
      const T* dout = (const T*)a.dout + row * s.v_dim;
      for (int64_t r = 0; r < w.rows; ++r)
        for (int64_t e = 0; e < s.dim; ++e) room.scaled[r * s.dim + e] = q[r * s.q_row + e] * (T)(s.scale * kLog2E);
      pack(room.queries, q, s.q_row, 1, w.rows, s.dim);
      pack(room.douts, dout, s.v_dim, 1, w.rows, s.v_dim);
      multiply(w.rows, n, s.dim, room.scaled, s.dim, 1, room.keys_t, room.scores, kScoreRow, false);
      if (a.mask || (s.causal && j0 + n > i)) apply_mask(s, a.mask, w, room.scores);
      multiply(w.rows, n, s.v_dim, dout, s.v_dim, 1, room.values_t, room.dscores, kScoreRow, false);
      for (int64_t r = 0; r < w.rows; ++r) {
        if (s.dropout) dropout_factors(s, row + r, j0, n, room.factor);
        gradient_row(s, room.scores + r * kScoreRow, room.dscores + r * kScoreRow, n, ((const T*)a.lse)[row + r],
                     delta[row + r], s.dropout ? room.factor : nullptr);
      }
      multiply(n, s.v_dim, w.rows, room.scores, 1, kScoreRow, room.douts, dv, s.v_dim, true);
      multiply(n, s.dim, w.rows, room.dscores, 1, kScoreRow, room.queries, dk, s.dim, true);
      multiply(w.rows, s.dim, n, room.dscores, kScoreRow, 1, room.keys, dq + row * s.dim, s.dim, true);
    }
  T* to_k = (T*)a.dk + (kv_head * s.keys + j0) * s.dim;
  T* to_v = (T*)a.dv + (kv_head * s.keys + j0) * s.v_dim;
  for (int64_t i = 0; i < n * s.dim; ++i) to_k[i] = dk[i];
  for (int64_t i = 0; i < n * s.v_dim; ++i) to_v[i] = dv[i];
}

template <class T>
void backward(const AttentionBackward& a) {
  using V = vec_of<T>;
  const AttentionShape& s = a.shape;
  const BackwardCut c = cut_backward(s);
  const BackwardShared<T> shared(s, c, (char*)a.workspace);
  const int64_t rows = s.batch * s.heads * s.queries, heads = s.batch * s.kv_heads;
  T *delta = shared.delta, *first = (T*)a.dq;
  parallel_ranges(rows, 32768 / (s.v_dim + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T *x = (const T*)a.dout + r * s.v_dim, *y = (const T*)a.out + r * s.v_dim;
      delta[r] = hsum(sum_over<V>(s.v_dim, [=](V& sum, int64_t e, auto io) __attribute__((always_inline)) {
        sum += io.load(x + e) * io.load(y + e);
      }));
    }
  });
  const int64_t bytes = BackwardRoom<T>(s, nullptr).arena.used, group_size = c.dq_size / heads;
  parallel(
      c.pieces,
      [&](int64_t piece, int worker) {
        const BackwardRoom<T> room(s, (char*)a.workspace + shared.arena.used + worker * bytes);
        const int64_t end = smaller(heads * c.key_pieces, (piece + 1) * c.items_per_piece);
        for (int64_t item = piece * c.items_per_piece; item < end; ++item) {
          const int64_t head = item / c.key_pieces, part = item % c.key_pieces;
          T* dq = part ? shared.dq + (part - 1) * c.dq_size : first;
          for (int64_t i = 0; i < group_size; ++i) dq[head * group_size + i] = 0;
          const int64_t last = smaller(s.keys, (part + 1) * c.key_blocks * kKeys);
          for (int64_t j0 = part * c.key_blocks * kKeys; j0 < last; j0 += kKeys)
            backward_keys(a, room, delta, dq, head, j0);
        }
      },
      a.workers);
  if (c.key_pieces > 1)
    parallel_ranges(c.dq_size, 32768, [&](int64_t begin, int64_t end) {
      for (int64_t part = 1; part < c.key_pieces; ++part) {
        const T* from = shared.dq + (part - 1) * c.dq_size;
        for (int64_t i = begin; i < end; ++i) first[i] += from[i];
      }
    });
}

template <class T>
int64_t backward_room(const AttentionBackward& a) {
  return BackwardShared<T>(a.shape, cut_backward(a.shape), nullptr).arena.used +
         a.workers * BackwardRoom<T>(a.shape, nullptr).arena.used;
}

}  // namespace weft::WEFT_ISA::attention
