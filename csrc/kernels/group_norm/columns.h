// Channels are last in memory: strips of neighbouring channels, one position after another.
#pragma once

#include "kernels/group_norm/statistics.h"

namespace weft::WEFT_ISA {

namespace {

// Vector u of a strip: whole, or as much of it as the strip has channels.
template <class V>
struct WholeStrip {
  template <class T>
  WEFT_INLINE V load(const T* p, int u) {
    return AllLanes::load(p + u * lanes<V>);
  }
  template <class T>
  WEFT_INLINE void store(T* p, int u, V v) {
    AllLanes::store(p + u * lanes<V>, v);
  }
};
template <class V>
struct PartOfStrip {
  int64_t n;
  WEFT_INLINE FirstLanes of(int64_t left) { return {left < 0 ? 0 : least(left, lanes<V>)}; }
  template <class T>
  __attribute__((always_inline)) V load(const T* p, int u) const {
    return of(n - u * lanes<V>).load(p + u * lanes<V>);
  }
  template <class T>
  __attribute__((always_inline)) void store(T* p, int u, V v) const {
    of(n - u * lanes<V>).store(p + u * lanes<V>, v);
  }
};

template <class V>
constexpr int64_t kStrip = kVectors * lanes<V>;

template <class Body>
WEFT_INLINE void each_row(int64_t rows, int64_t step, const Body& body) {
  for (int64_t r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int u = 0; u < kVectors; ++u) body(u, r * step);
}

// Mean and squares of each channel of a strip.
template <class T, class IO>
void strip_statistics(compute_of<T>* mean, compute_of<T>* squares, const T* x, int64_t rows, int64_t step, IO io) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  V means[kVectors] = {}, totals[kVectors] = {};
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t n = least(rows - begin, kRows);
    const T* p = x + begin * step;
    V m[kVectors] = {}, d[kVectors] = {}, q[kVectors] = {};
    each_row(n, step, [&](int u, int64_t at) __attribute__((always_inline)) { m[u] += io.load(p + at, u); });
    const A part = 1 / (A)n, share = (A)n / (A)(begin + n), weight = (A)begin * share;
    for (int u = 0; u < kVectors; ++u) m[u] *= part;
    each_row(n, step, [&](int u, int64_t at) __attribute__((always_inline)) {
      const V v = io.load(p + at, u) - m[u];
      d[u] += v;
      q[u] += v * v;
    });
    for (int u = 0; u < kVectors; ++u) {
      const V moved = m[u] + d[u] * part - means[u];
      means[u] += moved * share;
      totals[u] += q[u] - d[u] * d[u] * part + moved * moved * weight;
    }
  }
  for (int u = 0; u < kVectors; ++u) {
    store<V>(mean + u * lanes<V>, means[u]);
    store<V>(squares + u * lanes<V>, totals[u]);
  }
}

template <class T, class IO>
void strip_apply(T* y, const T* x, const compute_of<T>* mean, const compute_of<T>* scale, const compute_of<T>* shift,
                 int64_t rows, int64_t step, IO io) {
  using V = row_vec<T>;
  V m[kVectors], w[kVectors], b[kVectors];
  for (int u = 0; u < kVectors; ++u) {
    m[u] = load<V>(mean + u * lanes<V>);
    w[u] = load<V>(scale + u * lanes<V>);
    b[u] = load<V>(shift + u * lanes<V>);
  }
  each_row(rows, step, [&](int u, int64_t at) __attribute__((always_inline)) {
    io.store(y + at, u, (io.load(x + at, u) - m[u]) * w[u] + b[u]);
  });
}

// Sums of dy and of dy * (x - mean).
template <class T, class IO>
void strip_sums(compute_of<T>* d, compute_of<T>* dx, const T* dy, const T* x, const compute_of<T>* mean, int64_t rows,
                int64_t step, IO io) {
  using V = row_vec<T>;
  V m[kVectors], first[kVectors] = {}, second[kVectors] = {};
  for (int u = 0; u < kVectors; ++u) m[u] = load<V>(mean + u * lanes<V>);
  for (int64_t begin = 0; begin < rows; begin += 256) {  // a short rounding path
    V p[kVectors] = {}, q[kVectors] = {};
    each_row(least(rows - begin, 256), step, [&](int u, int64_t at) __attribute__((always_inline)) {
      const V v = io.load(dy + begin * step + at, u);
      p[u] += v;
      q[u] += v * (io.load(x + begin * step + at, u) - m[u]);
    });
    for (int u = 0; u < kVectors; ++u) first[u] += p[u], second[u] += q[u];
  }
  for (int u = 0; u < kVectors; ++u) {
    store<V>(d + u * lanes<V>, first[u]);
    store<V>(dx + u * lanes<V>, second[u]);
  }
}

template <class T, class IO>
void strip_gradient(T* dx, const T* dy, const T* x, const compute_of<T>* mean, const compute_of<T>* scale,
                    const compute_of<T>* shift, const compute_of<T>* slope, int64_t rows, int64_t step, IO io) {
  using V = row_vec<T>;
  V m[kVectors], w[kVectors], b[kVectors], k[kVectors];
  for (int u = 0; u < kVectors; ++u) {
    m[u] = load<V>(mean + u * lanes<V>);
    w[u] = load<V>(scale + u * lanes<V>);
    b[u] = load<V>(shift + u * lanes<V>);
    k[u] = load<V>(slope + u * lanes<V>);
  }
  each_row(rows, step, [&](int u, int64_t at) __attribute__((always_inline)) {
    io.store(dx + at, u, w[u] * io.load(dy + at, u) - b[u] - (io.load(x + at, u) - m[u]) * k[u]);
  });
}

// The channels [from, from + width) of an item: the groups from first on.
struct ChannelBlock {
  int64_t item, first, from, width, per;
};
// A block fills whole strips where it can. Whole items where there are several: neighbouring blocks of one item would
// have two threads write to neighbouring lines.
constexpr int64_t kGroups = 512, kWhole = 64;
template <class Body>
void each_block(const GroupNormShape& s, const Body& body) {
  const int64_t per = s.channels / s.groups;
  int64_t together = 1;
  while (together * per % kWhole) together *= 2;  // at most kWhole
  if (s.n >= 4) together *= kGroups / together;
  together = least(together, s.groups);
  const int64_t blocks = (s.groups + together - 1) / together;
  parallel_ranges(s.n * blocks, kGrain / (s.length * per * together + 64), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % blocks * together;
      body(ChannelBlock{i / blocks, first, first * per, least(s.groups - first, together) * per, per});
    }
  });
}
// body(first channel within the block, how many, io)
template <class V, class Body>
WEFT_INLINE void each_strip(const ChannelBlock& b, const Body& body) {
  int64_t c = 0;
  for (; c + kStrip<V> <= b.width; c += kStrip<V>) body(c, kStrip<V>, WholeStrip<V>{});
  if (c < b.width) body(c, b.width - c, PartOfStrip<V>{b.width - c});
}
// body(index in the strip, group within the block) for the channels [c, c + n) of a block.
template <class Body>
WEFT_INLINE void each_channel(const ChannelBlock& b, int64_t c, int64_t n, const Body& body) {
  int64_t g = c / b.per, left = (g + 1) * b.per - c;
  for (int64_t j = 0; j < n; ++j) {
    body(j, g);
    if (--left == 0) ++g, left = b.per;
  }
}

template <class T>
void forward_last(const GroupNormForward& a) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const GroupNormShape& s = a.shape;
  each_block(s, [&](const ChannelBlock& b) {
    const int64_t at = b.item * s.length * s.channels + b.from, group = b.item * s.groups + b.first;
    const T* x = (const T*)a.x + at;
    alignas(64) A p[kStrip<V>], q[kStrip<V>], r[kStrip<V>];
    Spread spread;
    each_strip<V>(b, [&](int64_t c, int64_t n, auto io) {
      strip_statistics(p, q, x + c, s.length, s.channels, io);
      for (int64_t j = 0; j < n;) {  // the channels of one group
        const int64_t g = (c + j) / b.per, end = least(n, (g + 1) * b.per - c), begin = j;
        double sum = 0, squares = 0;
        for (; j < end; ++j) sum += p[j];
        const double mean = sum / (double)(end - begin);
        for (j = begin; j < end; ++j) squares += q[j] + (p[j] - mean) * (p[j] - mean) * (double)s.length;
        spread.add((double)((end - begin) * s.length), mean, squares);
        if (c + end < (g + 1) * b.per) continue;
        put_statistics<A>(a, group + g, spread);
        spread = {};
      }
    });
    each_strip<V>(b, [&](int64_t c, int64_t n, auto io) {
      each_channel(b, c, n, [&](int64_t j, int64_t g) {
        const int64_t channel = b.from + c + j;
        p[j] = ((const A*)a.mean)[group + g];
        q[j] = ((const A*)a.rstd)[group + g] * (a.weight ? ((const A*)a.weight)[channel] : 1);
        r[j] = a.bias ? ((const A*)a.bias)[channel] : 0;
      });
      strip_apply((T*)a.y + at + c, x + c, p, q, r, s.length, s.channels, io);
    });
  });
}

template <class T>
void backward_last(const GroupNormBackward& a) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const GroupNormShape& s = a.shape;
  each_block(s, [&](const ChannelBlock& b) {
    const int64_t at = b.item * s.length * s.channels + b.from, group = b.item * s.groups + b.first;
    const T *x = (const T*)a.x + at, *dy = (const T*)a.dy + at;
    const A *mean = (const A*)a.mean + group, *rstd = (const A*)a.rstd + group;
    const A* weight = a.weight ? (const A*)a.weight + b.from : nullptr;
    A* sums = a.dweight ? (A*)a.workspace + b.item * 2 * s.channels + b.from : nullptr;
    alignas(64) A m[kStrip<V>], p[kStrip<V>], q[kStrip<V>], k[kStrip<V>];
    double g[kGroups] = {}, gx[kGroups] = {};
    each_strip<V>(b, [&](int64_t c, int64_t n, auto io) {
      each_channel(b, c, n, [&](int64_t j, int64_t of) { m[j] = mean[of]; });
      strip_sums(p, q, dy + c, x + c, m, s.length, s.channels, io);
      each_channel(b, c, n, [&](int64_t j, int64_t of) {
        const double w = weight ? weight[c + j] : 1;
        if (sums) sums[c + j] = p[j], sums[s.channels + c + j] = q[j] * rstd[of];
        g[of] += w * p[j];
        gx[of] += w * q[j];
      });
    });
    if (!a.dx) return;
    const double part = 1 / (double)(b.per * s.length);
    each_strip<V>(b, [&](int64_t c, int64_t n, auto io) {
      each_channel(b, c, n, [&](int64_t j, int64_t of) {
        const Slope<A> line(g[of], gx[of], rstd[of], part);
        m[j] = mean[of];
        p[j] = weight ? rstd[of] * weight[c + j] : rstd[of];
        q[j] = line.shift;
        k[j] = line.slope;
      });
      strip_gradient((T*)a.dx + at + c, dy + c, x + c, m, p, q, k, s.length, s.channels, io);
    });
  });
}

}  // namespace

}  // namespace weft::WEFT_ISA
