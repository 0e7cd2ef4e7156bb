// Strips of neighbouring channels, one position after another.
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

// body(vector, offset) for the vectors of a strip in each row.
template <class Body>
WEFT_INLINE void each_row(int64_t rows, int64_t step, const Body& body) {
  for (int64_t r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int u = 0; u < kVectors; ++u) body(u, r * step);
}

// A strip's lines lie far apart, and those to be written in the next strip, which are `ahead`, are asked for by hand.
template <class T>
struct Ahead {
  int64_t elements;
  __attribute__((always_inline)) void fetch_to_write(T* p, int u) const {
    __builtin_prefetch(p + elements + u * lanes<row_vec<T>>, 1);
  }
};

// Mean and squares of each channel of a strip. A block is taken about the mean of those before it, the first one about
// its own: what that costs in precision is little beside what their distance adds to the squares.
template <class T, class IO>
void strip_statistics(compute_of<T>* mean, compute_of<T>* squares, const T* x, int64_t rows, int64_t step, IO io) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  V means[kVectors] = {}, totals[kVectors] = {};
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t n = least(rows - begin, kRows);
    const T* p = x + begin * step;
    V d[kVectors] = {}, q[kVectors] = {};
    const A part = 1 / (A)n, share = (A)n / (A)(begin + n), weight = (A)begin * share;
    if (begin == 0) {
      each_row(n, step, [&](int u, int64_t at) __attribute__((always_inline)) { means[u] += io.load(p + at, u); });
      for (int u = 0; u < kVectors; ++u) means[u] *= part;
    }
    each_row(n, step, [&](int u, int64_t at) __attribute__((always_inline)) {
      const V v = io.load(p + at, u) - means[u];
      d[u] += v;
      q[u] += v * v;
    });
    for (int u = 0; u < kVectors; ++u) {
      const V moved = d[u] * part;
      means[u] += moved * share;
      totals[u] += q[u] - d[u] * moved + moved * moved * weight;
    }
  }
  for (int u = 0; u < kVectors; ++u) {
    store<V>(mean + u * lanes<V>, means[u]);
    store<V>(squares + u * lanes<V>, totals[u]);
  }
}

template <class T, class IO>
void strip_apply(T* y, const T* x, const compute_of<T>* mean, const compute_of<T>* scale, const compute_of<T>* shift,
                 int64_t rows, int64_t step, Ahead<T> ahead, IO io) {
  using V = row_vec<T>;
  V m[kVectors], w[kVectors], b[kVectors];
  for (int u = 0; u < kVectors; ++u) {
    m[u] = load<V>(mean + u * lanes<V>);
    w[u] = load<V>(scale + u * lanes<V>);
    b[u] = load<V>(shift + u * lanes<V>);
  }
  each_row(rows, step, [&](int u, int64_t at) __attribute__((always_inline)) {
    ahead.fetch_to_write(y + at, u);
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
    each_row(least(rows - begin, 256), step, [&](int u, int64_t r) __attribute__((always_inline)) {
      const int64_t at = begin * step + r;
      const V v = io.load(dy + at, u);
      p[u] += v;
      q[u] += v * (io.load(x + at, u) - m[u]);
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
                    const compute_of<T>* shift, const compute_of<T>* slope, int64_t rows, int64_t step, Ahead<T> ahead,
                    IO io) {
  using V = row_vec<T>;
  V m[kVectors], w[kVectors], b[kVectors], k[kVectors];
  for (int u = 0; u < kVectors; ++u) {
    m[u] = load<V>(mean + u * lanes<V>);
    w[u] = load<V>(scale + u * lanes<V>);
    b[u] = load<V>(shift + u * lanes<V>);
    k[u] = load<V>(slope + u * lanes<V>);
  }
  each_row(rows, step, [&](int u, int64_t at) __attribute__((always_inline)) {
    ahead.fetch_to_write(dx + at, u);
    io.store(dx + at, u, w[u] * io.load(dy + at, u) - b[u] - (io.load(x + at, u) - m[u]) * k[u]);
  });
}

}  // namespace

}  // namespace weft::WEFT_ISA
