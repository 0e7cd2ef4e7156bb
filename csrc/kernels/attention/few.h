// Forward for few rows of a key head, as in generation against a cache: keys and values are read once, where they are,
// for all the heads that share them. The keys are cut into parts, so that few heads have work for all threads; what the
// parts found is put together at the end.
#pragma once

#include "kernels/attention/forward.h"

namespace weft::WEFT_ISA::attention {

constexpr int64_t kFewRows = 8, kFewKeys = 128, kFewScoreRow = kFewKeys + 16;

WEFT_INLINE bool has_few_rows(const AttentionShape& s) { return s.heads / s.kv_heads * s.queries <= kFewRows; }

struct FewCut {
  int64_t rows, end;             // end: of the keys that anybody sees
  int64_t part, parts;           // keys, and how many parts of a key head
  int64_t items_per_piece, row;  // row: of the sums, and then maximum and total
};

template <class T>
WEFT_INLINE FewCut cut_few(const AttentionShape& s) {
  const int64_t heads = s.batch * s.kv_heads;
  FewCut c{s.heads / s.kv_heads * s.queries, s.causal ? smaller(s.queries, s.keys) : s.keys, 0, 0, 0, 0};
  const int64_t wanted = smaller(ceil_div(16, heads), ceil_div(c.end, 2 * kFewKeys));
  c.part = rounded(ceil_div(c.end, wanted), kFewKeys);
  c.parts = ceil_div(c.end, c.part);
  const int64_t work = (s.dim + s.v_dim) * smaller(c.part, c.end);
  c.items_per_piece = work < 32768 ? 32768 / (work + 1) + 1 : 1;
  c.row = padded<T>(s.v_dim) + kPanel<T>;
  return c;
}

template <class T, class S>
struct FewRoom {
  Arena arena;
  T *queries, *scores, *keep, *factor;
  FewRoom(const AttentionShape& s, char* base) : arena{base} {
    queries = arena.take<T>(kFewRows * Form<T, S>::width(s.dim));
    scores = arena.take<T>(kFewRows * kFewScoreRow);
    keep = arena.take<T>(kFewRows);
    factor = arena.take<T>(kFewScoreRow + kPhiloxWords);
  }
};

// scores[r, j] = scale * q[r] k[j] of R rows. As many sums as a vector has lanes are kept, one for each row and key,
// and added up together.
template <class T, class S, int R>
void few_scores(const T* q, const S* k, int64_t stride, int64_t dim, int64_t n, T scale, T* scores) {
  using V = vec_of<T>;
  using F = Form<T, S>;
  constexpr int L = lanes<V>, K = L / R, step = L * F::terms;
  const int64_t width = F::width(dim);
  for (int64_t j = 0; j < n; j += K) {
    const S* at[K];
    for (int t = 0; t < K; ++t) at[t] = k + smaller(j + t, n - 1) * stride;
    V sum[L];
    for (int i = 0; i < L; ++i) sum[i] = V{};
    for (int64_t e = 0; e < dim; e += step) {
      V row[R];
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) row[r] = load<V>(q + r * width + e / F::terms);
#pragma GCC unroll 16
      for (int t = 0; t < K; ++t) {
        V x;
#if WEFT_BF16_DOTS
        if constexpr (F::pairs)
          x = mm::load_pairs(at[t] + e, dim - e);
        else
#endif
          x = mm::load_as<T>(at[t] + e, dim - e);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) sum[r * K + t] = mm::multiply_add<F::pairs>(sum[r * K + t], row[r], x);
      }
    }
    T all[L];
    store<V>(all, mm::sums(sum) * scale);
    for (int r = 0; r < R; ++r)
      for (int t = 0; t < K; ++t) scores[r * kFewScoreRow + j + t] = all[r * K + t];
  }
}

// sums[r] = keep[r] sums[r] + p[r] v for R rows.
template <class T, class S, int R>
void few_sums(const T* p, const S* v, int64_t stride, int64_t v_dim, int64_t n, const T* keep, T* sums, int64_t row) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>, Wide = 4;
  int64_t c = 0;
  for (; c + Wide * L <= v_dim; c += Wide * L) {
    V sum[R][Wide];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int w = 0; w < Wide; ++w) sum[r][w] = load<V>(sums + r * row + c + w * L) * keep[r];
    const S* at = v + c;
    for (int64_t j = 0; j < n; ++j, at += stride)
#pragma GCC unroll 16
      for (int w = 0; w < Wide; ++w) {
        const V x = mm::load_as<T>(at + w * L, L);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) sum[r][w] += p[r * kFewScoreRow + j] * x;
      }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
      for (int w = 0; w < Wide; ++w) store<V>(sums + r * row + c + w * L, sum[r][w]);
  }
  for (; c < v_dim; c += L) {
    V sum[R];
    for (int r = 0; r < R; ++r) sum[r] = load<V>(sums + r * row + c) * keep[r];
    for (int64_t j = 0; j < n; ++j) {
      const V x = mm::load_as<T>(v + j * stride + c, v_dim - c);
      for (int r = 0; r < R; ++r) sum[r] += p[r * kFewScoreRow + j] * x;
    }
    for (int r = 0; r < R; ++r) store<V>(sums + r * row + c, sum[r]);
  }
}

// Keys begin to end of a key head: the sums of its rows, with their maxima and totals.
template <class T, class S>
void few_part(const AttentionForward& a, const FewRoom<T, S>& room, const FewCut& c, const KeyHead& head, int64_t begin,
              int64_t end, T* sums) {
  using F = Form<T, S>;
  constexpr int Most = lanes<vec_of<T>> < 4 ? 2 : 4;
  const AttentionShape& s = a.shape;
  const int64_t b = head.b, kv = head.kv, width = F::width(s.dim);
  const int64_t v_row = padded<T>(s.v_dim), step = c.rows >= Most ? Most : c.rows >= 2 ? 2 : 1;
  for (int64_t r = 0; r < kFewRows; ++r) {
    const Place at = place_of(s, head, smaller(r, c.rows - 1), 0);
    F::copy_rows(room.queries + r * width, (const S*)a.q + offset(s.q, b, at.h, at.i), 0, r < c.rows, 1, s.dim);
    T* to = sums + r * c.row;
    for (int64_t e = 0; e < v_row; ++e) to[e] = 0;
    to[v_row] = -kInfinity<T>;
    to[v_row + 1] = 0;
  }
  for (int64_t j0 = begin; j0 < end; j0 += kFewKeys) {
    const int64_t n = smaller(kFewKeys, end - j0);
    const S* k = (const S*)a.k + offset(s.k, b, kv, j0);
    const S* v = (const S*)a.v + offset(s.v, b, kv, j0);
    for (int64_t r = 0; r < c.rows; r += step) {
      const T *q = room.queries + r * width, scale = (T)(s.scale * kLog2E);
      T* scores = room.scores + r * kFewScoreRow;
      if (step == 1)
        few_scores<T, S, 1>(q, k, s.k.row, s.dim, n, scale, scores);
      else if (step == 2)
        few_scores<T, S, 2>(q, k, s.k.row, s.dim, n, scale, scores);
      else
        few_scores<T, S, Most>(q, k, s.k.row, s.dim, n, scale, scores);
    }
    for (int64_t r = 0; r < rounded(c.rows, step); ++r) {
      T *row = room.scores + r * kFewScoreRow, *state = sums + r * c.row + v_row;
      room.keep[r] = 1;
      if (r >= c.rows) {
        for (int64_t j = 0; j < n; ++j) row[j] = 0;
        continue;
      }
      const Place at = place_of(s, head, r, j0);
      int64_t count = n;
      if (s.causal) count = at.i + 1 < j0 ? 0 : smaller(at.i + 1 - j0, n);
      if (a.mask) mask_row(s, a.mask, at, T(1), row, count);
      softmax_rows<1>(row, &count, rounded(count, kStep<T>), state, state + 1, room.keep + r);
      for (int64_t j = count; j < n; ++j) row[j] = 0;
      if (!s.dropout) continue;
      dropout_factors(s, (b * s.heads + at.h) * s.queries + at.i, j0, count, room.factor);
      for (int64_t j = 0; j < count; ++j) row[j] *= room.factor[j];
    }
    for (int64_t r = 0; r < c.rows; r += step) {
      const T *p = room.scores + r * kFewScoreRow, *keep = room.keep + r;
      T* to = sums + r * c.row;
      if (step == 1)
        few_sums<T, S, 1>(p, v, s.v.row, s.v_dim, n, keep, to, c.row);
      else if (step == 2)
        few_sums<T, S, 2>(p, v, s.v.row, s.v_dim, n, keep, to, c.row);
      else
        few_sums<T, S, Most>(p, v, s.v.row, s.v_dim, n, keep, to, c.row);
    }
  }
}

// Puts the parts of a row together, in the first.
template <class T, class S>
void few_result(const AttentionForward& a, const FewCut& c, const KeyHead& head, int64_t r, T* first) {
  using V = vec_of<T>;
  const AttentionShape& s = a.shape;
  const int64_t v_row = padded<T>(s.v_dim), part_size = kFewRows * c.row;
  T top = -kInfinity<T>, total = 0;
  for (int64_t i = 0; i < c.parts; ++i) {
    const T here = first[i * part_size + v_row];
    top = here > top ? here : top;
  }
  const T shift = top == -kInfinity<T> ? T(0) : top;
  for (int64_t i = 0; i < c.parts; ++i) {
    const T* part = first + i * part_size;
    const T weight = exp2_below(splat<V>(part[v_row] - shift))[0];
    total += weight * part[v_row + 1];
    for (int64_t e = 0; e < s.v_dim; ++e) first[e] = weight * part[e] + (i == 0 ? T(0) : first[e]);
  }
  const Place at = place_of(s, head, r, 0);
  const T inverse = total == 0 ? T(0) : T(1) / total;
  S* to = (S*)a.out + offset(s.out, at.b, at.h, at.i);
  each_vector<V>(s.v_dim, [=](int64_t e, auto io)
                              __attribute__((always_inline)) { io.store(to + e, io.load(first + e) * inverse); });
  ((T*)a.lse)[(at.b * s.heads + at.h) * s.queries + at.i] = total == 0 ? kInfinity<T> : top + vlog2(splat<V>(total))[0];
}

template <class T, class S>
void forward_few(const AttentionForward& a) {
  const AttentionShape& s = a.shape;
  const FewCut c = cut_few<T>(s);
  const int64_t heads = s.batch * s.kv_heads, items = heads * c.parts, part_size = kFewRows * c.row;
  T* const sums = (T*)a.workspace;
  char* const rooms = (char*)a.workspace + items * part_size * (int64_t)sizeof(T);
  const int64_t bytes = FewRoom<T, S>(s, nullptr).arena.used;
  parallel(
      ceil_div(items, c.items_per_piece),
      [&](int64_t piece, int worker) {
        const FewRoom<T, S> room(s, rooms + worker * bytes);
        for (int64_t i = piece * c.items_per_piece; i < smaller(items, (piece + 1) * c.items_per_piece); ++i) {
          const int64_t begin = i % c.parts * c.part;
          few_part(a, room, c, key_head(s, i / c.parts), begin, smaller(c.end, begin + c.part), sums + i * part_size);
        }
      },
      a.workers);
  parallel_ranges(heads, 16384 / (c.parts * c.rows * s.v_dim) + 1, [&](int64_t first, int64_t last) {
    for (int64_t head = first; head < last; ++head)
      for (int64_t r = 0; r < c.rows; ++r)
        few_result<T, S>(a, c, key_head(s, head), r, sums + head * c.parts * part_size + r * c.row);
  });
}

template <class T, class S>
int64_t few_room(const AttentionForward& a) {
  const FewCut c = cut_few<T>(a.shape);
  return a.shape.batch * a.shape.kv_heads * c.parts * kFewRows * c.row * (int64_t)sizeof(T) +
         a.workers * FewRoom<T, S>(a.shape, nullptr).arena.used;
}

}  // namespace weft::WEFT_ISA::attention
