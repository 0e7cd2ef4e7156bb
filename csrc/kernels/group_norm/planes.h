// Channels are planes: a group is a row of elements that follow each other.
#pragma once

#include "kernels/group_norm/statistics.h"

namespace weft::WEFT_ISA {

namespace {

template <class T>
Spread statistics(const T* x, int64_t count) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  Spread total;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t n = least(count - begin, kBlock);
    const T* p = x + begin;
    const A m = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) { s += io.load(p + j); })) / (A)n;
    const auto about = sum_over<V, Sums<V>>(n, [=](Sums<V>& s, int64_t j, auto io) {
      const V v = io.keep(io.load(p + j) - m);
      s.a += v;
      s.b += v * v;
    });
    const double d = (double)hsum(about.a);  // m is rounded
    total.add((double)n, m + d / (double)n, (double)hsum(about.b) - d * d / (double)n);
  }
  return total;
}

template <class T>
void forward_planes(const GroupNormForward& a) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const GroupNormShape& s = a.shape;
  const int64_t per = s.channels / s.groups, count = per * s.length;
  parallel_ranges(s.n * s.groups, kGrain / (count + 64), [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      const T* x = (const T*)a.x + g * count;
      T* y = (T*)a.y + g * count;
      put_statistics<A>(a, g, statistics(x, count));
      const A mean = ((const A*)a.mean)[g], rstd = ((const A*)a.rstd)[g];
      for (int64_t c = g % s.groups * per, last = c + per; c < last; ++c, x += s.length, y += s.length) {
        const A scale = a.weight ? rstd * ((const A*)a.weight)[c] : rstd, shift = a.bias ? ((const A*)a.bias)[c] : 0;
        each_vector<V>(s.length, [=](int64_t j, auto io) { io.store(y + j, (io.load(x + j) - mean) * scale + shift); });
      }
    }
  });
}

template <class T>
void backward_planes(const GroupNormBackward& a) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const GroupNormShape& s = a.shape;
  const int64_t per = s.channels / s.groups, count = per * s.length;
  parallel_ranges(s.n * s.groups, kGrain / (count + 64), [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      const A mean = ((const A*)a.mean)[group], rstd = ((const A*)a.rstd)[group];
      const int64_t first = group % s.groups * per;
      const A* weight = a.weight ? (const A*)a.weight + first : nullptr;
      A* sums = a.dweight ? shares_of<A>(a) + group / s.groups * 2 * s.channels + first : nullptr;
      const T *x = (const T*)a.x + group * count, *dy = (const T*)a.dy + group * count;
      double g = 0, gx = 0;
      for (int64_t c = 0; c < per; ++c, x += s.length, dy += s.length) {
        const auto plane = sum_over<V, Sums<V>>(s.length, [=](Sums<V>& sum, int64_t j, auto io) {
          const V d = io.load(dy + j);
          sum.a += d;
          sum.b += d * (io.load(x + j) - mean);
        });
        const A d = hsum(plane.a), dx = hsum(plane.b), w = weight ? weight[c] : 1;
        if (sums) sums[c] = d, sums[s.channels + c] = dx * rstd;
        g += (double)w * d;
        gx += (double)w * dx;
      }
      if (!a.dx) continue;
      const Slope<A> of(g, gx * rstd, rstd, 1 / (double)count);
      T* dx = (T*)a.dx + group * count;
      x -= count, dy -= count;
      for (int64_t c = 0; c < per; ++c, x += s.length, dy += s.length, dx += s.length) {
        const A scale = weight ? rstd * weight[c] : rstd;
        each_vector<V>(s.length, [=](int64_t j, auto io) {
          io.store(dx + j, scale * io.load(dy + j) - of.shift - (io.load(x + j) - mean) * of.slope);
        });
      }
    }
  });
}

}  // namespace

}  // namespace weft::WEFT_ISA
