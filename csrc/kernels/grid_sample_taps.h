// Which elements grid_sample reads for a position, and with what weights: for the CPU and for CUDA.
//
// The includer defines WEFT_TAPS as a namespace where vfloor and vrint of float and double are declared.
#pragma once

#include "kernels/grid_sample.h"

namespace WEFT_TAPS {

constexpr int kMost = 16;  // taps of a point

// The taps of one position along one axis: where, with what weight, and the weight's derivative by the grid.
template <class T>
struct AxisTaps {
  int count;
  int64_t at[4];  // -1: outside
  T weight[4], slope[4];
};

template <class T>
struct Position {
  T x, slope;  // slope: dx / dgrid
};

// Mirrored at low2 / 2 and high2 / 2, as often as it takes.
template <class T>
WEFT_HD WEFT_INLINE Position<T> mirror(Position<T> p, int64_t low2, int64_t high2) {
  if (low2 == high2) return {0, 0};
  T low = (T)low2 / 2, span = (T)(high2 - low2) / 2, x = p.x - low;
  T slope = x < 0 ? -p.slope : p.slope;
  x = x < 0 ? -x : x;
  T flips = vfloor(x / span), rest = x - flips * span;
  bool even = vfloor(flips / 2) * 2 == flips;
  return even ? Position<T>{rest + low, slope} : Position<T>{span - rest + low, -slope};
}

template <class T>
WEFT_HD WEFT_INLINE Position<T> inside(Position<T> p, int64_t size, SamplePadding padding, bool align) {
  if (padding == SamplePadding::Zeros) return p;
  if (padding == SamplePadding::Reflection) p = align ? mirror(p, 0, 2 * (size - 1)) : mirror(p, -1, 2 * size - 1);
  if (p.x <= 0) return {0, 0};
  if (p.x >= (T)(size - 1)) return {(T)(size - 1), 0};
  return p;
}

template <class T>
WEFT_HD WEFT_INLINE void cubic_weights(T t, T* w, T* slope) {
  constexpr T a = (T)-0.75;
  for (int k = 0; k < 4; ++k) {
    T d = t + 1 - (T)k, x = d < 0 ? -d : d, sign = d < 0 ? (T)-1 : (T)1;
    bool near = k == 1 || k == 2;
    w[k] = near ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    slope[k] = sign * (near ? (3 * (a + 2) * x - 2 * (a + 3)) * x : (3 * a * x - 10 * a) * x + 8 * a);
  }
}

template <class T>
WEFT_HD WEFT_INLINE AxisTaps<T> taps_along(T g, int64_t size, const GridSampleShape& s) {
  if (!(g - g == 0)) g = -1;
  T n = (T)size, half = s.align_corners ? (n - 1) / 2 : n / 2;
  Position<T> p{s.align_corners ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2, half};
  AxisTaps<T> r{};
  if (s.mode == SampleMode::Cubic) {
    p.x = p.x < -1e9 ? (T)-1e9 : p.x > 1e9 ? (T)1e9 : p.x;
    T floor = vfloor(p.x);
    r.count = 4;
    cubic_weights(p.x - floor, r.weight, r.slope);
    for (int k = 0; k < 4; ++k) {
      r.slope[k] *= half;
      T x = inside(Position<T>{floor + (T)(k - 1), 1}, size, s.padding, s.align_corners).x;
      r.at[k] = x >= 0 && x <= n - 1 ? (int64_t)x : -1;
    }
    return r;
  }
  p = inside(p, size, s.padding, s.align_corners);
  if (p.x < -2) p.x = -2;  // as far outside as can be told, and within int64
  if (p.x > n + 2) p.x = n + 2;
  if (s.mode == SampleMode::Nearest) {
    int64_t i = (int64_t)vrint(p.x);
    r.count = 1;
    r.at[0] = i >= 0 && i < size ? i : -1;
    r.weight[0] = 1;
    return r;
  }
  T floor = vfloor(p.x);
  int64_t i = (int64_t)floor;
  r.count = 2;
  for (int k = 0; k < 2; ++k) r.at[k] = i + k >= 0 && i + k < size ? i + k : -1;
  r.weight[1] = p.x - floor;
  r.weight[0] = 1 - r.weight[1];
  r.slope[1] = p.slope;
  r.slope[0] = -p.slope;
  return r;
}

// The taps inside the image, each with its weight and that weight's derivatives by x, y and z.
template <class T>
struct PointTaps {
  int count;
  int64_t at[kMost];
  T weight[kMost], slope[3][kMost];
};

template <class T>
WEFT_HD WEFT_INLINE void taps_of(const T* g, const GridSampleShape& s, PointTaps<T>& r) {
  AxisTaps<T> u = taps_along(g[0], s.size[0], s), v = taps_along(g[1], s.size[1], s), w{1, {0}, {1}, {0}};
  if (s.axes == 3) w = taps_along(g[2], s.size[2], s);
  r.count = 0;
  for (int k = 0; k < w.count; ++k)
    for (int j = 0; j < v.count; ++j)
      for (int i = 0; i < u.count; ++i) {
        if (u.at[i] < 0 || v.at[j] < 0 || w.at[k] < 0) continue;
        int c = r.count++;
        r.at[c] = (w.at[k] * s.size[1] + v.at[j]) * s.size[0] + u.at[i];
        r.weight[c] = u.weight[i] * v.weight[j] * w.weight[k];
        r.slope[0][c] = u.slope[i] * v.weight[j] * w.weight[k];
        r.slope[1][c] = u.weight[i] * v.slope[j] * w.weight[k];
        r.slope[2][c] = u.weight[i] * v.weight[j] * w.slope[k];
      }
}

}  // namespace WEFT_TAPS
