// Which elements grid_sample reads for a position, and with what weights: for a vector of positions on the CPU, for one
// in CUDA.
//
// The includer defines WEFT_TAPS as a namespace where, for the types of positions, vfloor, vrint and to_index (an
// integer, towards 0) are declared, and scalar_or_itself, the type of one position.
#pragma once

#include "kernels/grid_sample.h"

namespace WEFT_TAPS {

constexpr int kMost = 16;  // taps of a point

template <class T>
using IndexOf = decltype(to_index(T{}));

// The taps of one position along one axis: where, with what weight, and the weight's derivative by the grid.
template <class T>
struct AxisTaps {
  int count;
  IndexOf<T> at[4];  // -1: outside
  T weight[4], slope[4];
};

template <class T>
struct Position {
  T x, slope;  // slope: dx / dgrid
};

// Mirrored at low2 / 2 and high2 / 2, as often as it takes.
template <class T>
WEFT_HD WEFT_INLINE Position<T> mirror(Position<T> p, int64_t low2, int64_t high2) {
  using S = scalar_or_itself<T>;
  if (low2 == high2) return {T{}, T{}};
  const S low = (S)low2 / 2, span = (S)(high2 - low2) / 2;
  T x = p.x - low;
  const T slope = x < S(0) ? -p.slope : p.slope;
  x = x < S(0) ? -x : x;
  const T flips = vfloor(x / span), rest = x - flips * span;
  const T pairs = vfloor(flips / S(2)) * S(2);
  return {(pairs == flips ? rest : span - rest) + low, pairs == flips ? slope : -slope};
}

template <class T>
WEFT_HD WEFT_INLINE Position<T> inside(Position<T> p, int64_t size, SamplePadding padding, bool align) {
  using S = scalar_or_itself<T>;
  if (padding == SamplePadding::Zeros) return p;
  if (padding == SamplePadding::Reflection) p = align ? mirror(p, 0, 2 * (size - 1)) : mirror(p, -1, 2 * size - 1);
  const S last = (S)(size - 1);
  const T x = p.x > S(0) ? p.x : T{};
  return {x < last ? x : T{} + last, (p.x > S(0)) & (p.x < last) ? p.slope : T{}};
}

template <class T>
WEFT_HD WEFT_INLINE void cubic_weights(T t, T* w, T* slope) {
  using S = scalar_or_itself<T>;
  constexpr S a = (S)-0.75;
  for (int k = 0; k < 4; ++k) {
    const T d = t + (S)(1 - k), x = d < S(0) ? -d : d;
    const bool near = k == 1 || k == 2;
    w[k] = near ? ((a + 2) * x - (a + 3)) * x * x + S(1) : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    slope[k] = near ? (3 * (a + 2) * x - 2 * (a + 3)) * x : (3 * a * x - 10 * a) * x + 8 * a;
    slope[k] = d < S(0) ? -slope[k] : slope[k];
  }
}

template <class T>
WEFT_HD WEFT_INLINE AxisTaps<T> taps_along(T g, int64_t size, const GridSampleShape& s) {
  using S = scalar_or_itself<T>;
  g = g - g == S(0) ? g : T{} - S(1);
  const S n = (S)size, half = s.align_corners ? (n - 1) / 2 : n / 2;
  Position<T> p{s.align_corners ? (g + S(1)) / S(2) * (n - 1) : ((g + S(1)) * n - S(1)) / S(2), T{} + half};
  AxisTaps<T> r{};
  if (s.mode == SampleMode::Cubic) {
    constexpr S far = (S)1e9;
    p.x = p.x < -far ? T{} - far : p.x > far ? T{} + far : p.x;
    const T floor = vfloor(p.x);
    r.count = 4;
    cubic_weights(T(p.x - floor), r.weight, r.slope);
    for (int k = 0; k < 4; ++k) {
      r.slope[k] *= half;
      const T x = inside(Position<T>{floor + (S)(k - 1), T{}}, size, s.padding, s.align_corners).x;
      r.at[k] = (x >= S(0)) & (x <= n - 1) ? to_index(x) : IndexOf<T>{} - 1;
    }
    return r;
  }
  p = inside(p, size, s.padding, s.align_corners);
  p.x = p.x < S(-2) ? T{} - S(2) : p.x;  // as far outside as can be told, and an index
  p.x = p.x > n + 2 ? T{} + (n + 2) : p.x;
  const bool nearest = s.mode == SampleMode::Nearest;
  const T floor = nearest ? vrint(p.x) : vfloor(p.x);
  r.count = nearest ? 1 : 2;
  for (int k = 0; k < r.count; ++k) {
    const IndexOf<T> i = to_index(floor) + k, none = IndexOf<T>{} - 1;
    r.at[k] = (i > none) & (i < none + (int)size + 1) ? i : none;
  }
  r.weight[1] = p.x - floor;
  r.weight[0] = nearest ? T{} + S(1) : S(1) - r.weight[1];
  r.slope[1] = p.slope;
  r.slope[0] = nearest ? T{} : -p.slope;
  return r;
}

// The taps: where in the image, -1 for outside, each with its weight and that weight's derivatives by x, y and z.
template <class T>
struct PointTaps {
  int count;
  IndexOf<T> at[kMost];
  T weight[kMost], slope[3][kMost];
};

// g: the position along each axis.
template <class T>
WEFT_HD WEFT_INLINE void taps_of(const T* g, const GridSampleShape& s, PointTaps<T>& r) {
  using I = IndexOf<T>;
  const int width = (int)s.size[0], height = (int)s.size[1];  // images have fewer than 2^31 elements
  AxisTaps<T> u = taps_along(g[0], s.size[0], s), v = taps_along(g[1], s.size[1], s), w{};
  if (s.axes == 3) {
    w = taps_along(g[2], s.size[2], s);
  } else {
    w.count = 1;
    w.weight[0] = T{} + 1;
  }
  r.count = 0;
  for (int k = 0; k < w.count; ++k)
    for (int j = 0; j < v.count; ++j)
      for (int i = 0; i < u.count; ++i) {
        const int c = r.count++;
        const I at = (w.at[k] * height + v.at[j]) * width + u.at[i];
        r.at[c] = (w.at[k] | v.at[j] | u.at[i]) < I{} ? I{} - 1 : at;
        r.weight[c] = u.weight[i] * v.weight[j] * w.weight[k];
        r.slope[0][c] = u.slope[i] * v.weight[j] * w.weight[k];
        r.slope[1][c] = u.weight[i] * v.slope[j] * w.weight[k];
        r.slope[2][c] = u.weight[i] * v.weight[j] * w.slope[k];
      }
}

}  // namespace WEFT_TAPS
