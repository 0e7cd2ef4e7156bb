// Channels are last in memory: items, or parts of large ones, strip by strip.
#pragma once

#include "kernels/group_norm/strips.h"

namespace weft::WEFT_ISA {

namespace {

// Part `index` of all items' parts: `rows` of an item, from element `at` of the whole on.
struct ItemPart {
  int64_t item, index, at, rows;
};
// body(part, sums, result): once for an item that is one part, with both; else first for the sums of each part, and for
// the result after finish(begin, end) has made of them what the groups [begin, end) of all items need.
template <class Body, class Finish>
WEFT_INLINE void in_two_passes(const GroupNormShape& s, bool wanted, const Body& body, const Finish& finish) {
  const GroupNormParts parts = group_norm_parts(s);
  const bool whole = parts.count == 1;
  for (int pass = 0; pass < (whole || !wanted ? 1 : 2); ++pass) {
    if (pass == 1) parallel_ranges(s.n * s.groups, kGrain / (parts.count * s.channels / s.groups * 8), finish);
    const bool sums = pass == 0, result = wanted && (whole || pass == 1);
    parallel_ranges(s.n * parts.count, kGrain / (parts.rows * s.channels + 64), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t item = i / parts.count, from = i % parts.count * parts.rows;
        const ItemPart p{item, i, (item * s.length + from) * s.channels, least(s.length - from, parts.rows)};
        body(p, sums, result);
      }
    });
  }
}
// body(first channel, how many, how far ahead, io)
template <class T, class Body>
WEFT_INLINE void each_strip(const GroupNormShape& s, int64_t rows, const Body& body) {
  using V = row_vec<T>;
  const int64_t all = s.channels, last = all <= kStrip<V> ? kAhead / (int64_t)sizeof(T) : (rows - 1) * all;
  int64_t c = 0;
  for (; c + kStrip<V> <= all; c += kStrip<V>)
    body(c, kStrip<V>, Ahead<T>{c + kStrip<V> < all ? kStrip<V> : last}, WholeStrip<V>{});
  if (c < all) body(c, all - c, Ahead<T>{last}, PartOfStrip<V>{all - c});
}
// body(index in the strip, group among all items' groups) for the channels [c, c + n) of an item.
template <class Body>
WEFT_INLINE void each_channel(const GroupNormShape& s, int64_t item, int64_t c, int64_t n, const Body& body) {
  const int64_t per = s.channels / s.groups;
  int64_t g = c / per, left = (g + 1) * per - c;
  for (int64_t j = 0; j < n; ++j) {
    body(j, item * s.groups + g);
    if (--left == 0) ++g, left = per;
  }
}

// What follows knows of no elements: one copy for all dtypes that are computed in A.

// ---- forward ----

// Mean and squares of groups in each part, from those of the channels [c, c + n); a group may go on in the next strip.
template <class A>
WEFT_ONE_COPY void add_channels(const GroupNormForward& a, const ItemPart& part, int64_t c, int64_t n, const A* means,
                                const A* squares, Spread& spread) {
  const GroupNormShape& s = a.shape;
  const int64_t per = s.channels / s.groups;
  for (int64_t j = 0; j < n;) {  // the channels of one group
    const int64_t g = (c + j) / per, end = least(n, (g + 1) * per - c), begin = j;
    double sum = 0, about = 0;
    for (; j < end; ++j) sum += means[j];
    const double mean = sum / (double)(end - begin);
    for (j = begin; j < end; ++j) about += squares[j] + (means[j] - mean) * (means[j] - mean) * (double)part.rows;
    spread.add((double)((end - begin) * part.rows), mean, about);
    if (c + end < (g + 1) * per) continue;
    double* to = (double*)a.workspace + (part.index * s.groups + g) * 2;
    to[0] = spread.mean;
    to[1] = spread.squares;
    spread = {};
  }
}
template <class A>
WEFT_ONE_COPY void finish_statistics(const GroupNormForward& a, int64_t begin, int64_t end) {
  const GroupNormShape& s = a.shape;
  const GroupNormParts parts = group_norm_parts(s);
  for (int64_t g = begin; g < end; ++g) {
    const double* of = (const double*)a.workspace + (g / s.groups * parts.count * s.groups + g % s.groups) * 2;
    Spread spread;
    for (int64_t p = 0; p < parts.count; ++p, of += s.groups * 2)
      spread.add((double)(s.channels / s.groups * least(s.length - p * parts.rows, parts.rows)), of[0], of[1]);
    put_statistics<A>(a, g, spread);
  }
}
template <class A>
WEFT_ONE_COPY void forward_lines(const GroupNormForward& a, int64_t item, int64_t c, int64_t n, A* mean, A* scale,
                                 A* shift) {
  const A *weight = (const A*)a.weight, *bias = (const A*)a.bias;
  each_channel(a.shape, item, c, n, [&](int64_t j, int64_t g) {
    mean[j] = ((const A*)a.mean)[g];
    scale[j] = ((const A*)a.rstd)[g] * (weight ? weight[c + j] : 1);
    shift[j] = bias ? bias[c + j] : 0;
  });
}

template <class T>
void forward_last(const GroupNormForward& a) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const GroupNormShape& s = a.shape;
  const auto body = [&](const ItemPart& part, bool sums, bool result) {
    const T* x = (const T*)a.x + part.at;
    T* y = (T*)a.y + part.at;
    alignas(64) A p[kStrip<V>], q[kStrip<V>], r[kStrip<V>];
    Spread spread;
    if (sums)
      each_strip<T>(s, part.rows, [&](int64_t c, int64_t n, Ahead<T>, auto io) {
        strip_statistics(p, q, x + c, part.rows, s.channels, io);
        add_channels(a, part, c, n, p, q, spread);
      });
    if (sums && result) finish_statistics<A>(a, part.item * s.groups, (part.item + 1) * s.groups);
    if (result)
      each_strip<T>(s, part.rows, [&](int64_t c, int64_t n, Ahead<T> ahead, auto io) {
        forward_lines(a, part.item, c, n, p, q, r);
        strip_apply(y + c, x + c, p, q, r, part.rows, s.channels, ahead, io);
      });
  };
  in_two_passes(s, true, body, [&](int64_t begin, int64_t end) { finish_statistics<A>(a, begin, end); });
}

// ---- backward ----

template <class A>
WEFT_ONE_COPY void means_of(const GroupNormBackward& a, int64_t item, int64_t c, int64_t n, A* mean) {
  each_channel(a.shape, item, c, n, [&](int64_t j, int64_t g) { mean[j] = ((const A*)a.mean)[g]; });
}
template <class A>
WEFT_ONE_COPY void put_shares(const GroupNormBackward& a, const ItemPart& part, int64_t c, int64_t n, const A* d,
                              const A* dx) {
  A* share = shares_of<A>(a) + part.index * 2 * a.shape.channels + c;
  each_channel(a.shape, part.item, c, n, [&](int64_t j, int64_t g) {
    share[j] = d[j];
    share[a.shape.channels + j] = dx[j] * ((const A*)a.rstd)[g];
  });
}
// Sums of g and g * xhat.
template <class A>
WEFT_ONE_COPY void finish_sums(const GroupNormBackward& a, int64_t begin, int64_t end) {
  const GroupNormShape& s = a.shape;
  const int64_t per = s.channels / s.groups, parts = group_norm_parts(s).count;
  const A* weight = (const A*)a.weight;
  for (int64_t group = begin; group < end; ++group) {
    double g = 0, gx = 0;
    for (int64_t p = 0; p < parts; ++p) {
      const A* share = shares_of<A>(a) + (group / s.groups * parts + p) * 2 * s.channels;
      for (int64_t c = group % s.groups * per, last = c + per; c < last; ++c) {
        const double w = weight ? weight[c] : 1;
        g += w * share[c];
        gx += w * share[s.channels + c];
      }
    }
    double* to = (double*)a.workspace + 2 * group;
    to[0] = g;
    to[1] = gx;
  }
}
template <class A>
WEFT_ONE_COPY void backward_lines(const GroupNormBackward& a, int64_t item, int64_t c, int64_t n, A* mean, A* scale,
                                  A* shift, A* slope) {
  const GroupNormShape& s = a.shape;
  const A *rstd = (const A*)a.rstd, *weight = (const A*)a.weight;
  const double share = (double)s.groups / (double)(s.channels * s.length);
  each_channel(s, item, c, n, [&](int64_t j, int64_t g) {
    const double* sums = (const double*)a.workspace + 2 * g;
    const Slope<A> line(sums[0], sums[1], rstd[g], share);
    mean[j] = ((const A*)a.mean)[g];
    scale[j] = weight ? rstd[g] * weight[c + j] : rstd[g];
    shift[j] = line.shift;
    slope[j] = line.slope;
  });
}

template <class T>
void backward_last(const GroupNormBackward& a) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const GroupNormShape& s = a.shape;
  const auto body = [&](const ItemPart& part, bool sums, bool result) {
    const T *x = (const T*)a.x + part.at, *dy = (const T*)a.dy + part.at;
    alignas(64) A m[kStrip<V>], p[kStrip<V>], q[kStrip<V>], k[kStrip<V>];
    if (sums)
      each_strip<T>(s, part.rows, [&](int64_t c, int64_t n, Ahead<T>, auto io) {
        means_of(a, part.item, c, n, m);
        strip_sums(p, q, dy + c, x + c, m, part.rows, s.channels, io);
        put_shares(a, part, c, n, p, q);
      });
    if (sums && result) finish_sums<A>(a, part.item * s.groups, (part.item + 1) * s.groups);
    if (result)
      each_strip<T>(s, part.rows, [&](int64_t c, int64_t n, Ahead<T> ahead, auto io) {
        backward_lines(a, part.item, c, n, m, p, q, k);
        strip_gradient((T*)a.dx + part.at + c, dy + c, x + c, m, p, q, k, part.rows, s.channels, ahead, io);
      });
  };
  in_two_passes(s, a.dx, body, [&](int64_t begin, int64_t end) { finish_sums<A>(a, begin, end); });
}

}  // namespace

}  // namespace weft::WEFT_ISA
