#include "kernels/grid_sample.h"

#include "base/threads.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int kMost = 16;      // taps of a point
constexpr int kPoints = 32;    // whose taps are found at a time
constexpr int64_t kGroup = 8;  // channels that share a pass over the points in backward

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
Position<T> mirror(Position<T> p, int64_t low2, int64_t high2) {
  if (low2 == high2) return {0, 0};
  T low = (T)low2 / 2, span = (T)(high2 - low2) / 2, x = p.x - low;
  T slope = x < 0 ? -p.slope : p.slope;
  x = x < 0 ? -x : x;
  T flips = (T)__builtin_floor(x / span), rest = x - flips * span;
  bool even = (T)__builtin_floor(flips / 2) * 2 == flips;
  return even ? Position<T>{rest + low, slope} : Position<T>{span - rest + low, -slope};
}

template <class T>
Position<T> inside(Position<T> p, int64_t size, SamplePadding padding, bool align) {
  if (padding == SamplePadding::Zeros) return p;
  if (padding == SamplePadding::Reflection) p = align ? mirror(p, 0, 2 * (size - 1)) : mirror(p, -1, 2 * size - 1);
  if (p.x <= 0) return {0, 0};
  if (p.x >= (T)(size - 1)) return {(T)(size - 1), 0};
  return p;
}

template <class T>
void cubic_weights(T t, T* w, T* slope) {
  constexpr T a = (T)-0.75;
  for (int k = 0; k < 4; ++k) {
    T d = t + 1 - (T)k, x = d < 0 ? -d : d, sign = d < 0 ? (T)-1 : (T)1;
    bool near = k == 1 || k == 2;
    w[k] = near ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    slope[k] = sign * (near ? (3 * (a + 2) * x - 2 * (a + 3)) * x : (3 * a * x - 10 * a) * x + 8 * a);
  }
}

template <class T>
AxisTaps<T> taps_along(T g, int64_t size, const GridSampleShape& s) {
  if (!(g - g == 0)) g = -1;
  T n = (T)size, half = s.align_corners ? (n - 1) / 2 : n / 2;
  Position<T> p{s.align_corners ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2, half};
  AxisTaps<T> r{};
  if (s.mode == SampleMode::Cubic) {
    p.x = p.x < -1e9 ? (T)-1e9 : p.x > 1e9 ? (T)1e9 : p.x;
    T floor = (T)__builtin_floor(p.x);
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
    int64_t i = (int64_t)__builtin_rint(p.x);
    r.count = 1;
    r.at[0] = i >= 0 && i < size ? i : -1;
    r.weight[0] = 1;
    return r;
  }
  T floor = (T)__builtin_floor(p.x);
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
void taps_of(const T* g, const GridSampleShape& s, PointTaps<T>& r) {
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

// body(first, count, taps) for the points [begin, end) of batch item n, a block at a time.
template <class T, class F>
void over_points(const void* grid, const GridSampleShape& s, int64_t n, int64_t begin, int64_t end, const F& body) {
  PointTaps<T> taps[kPoints];
  const T* g = static_cast<const T*>(grid) + n * s.outputs * s.axes;
  for (int64_t first = begin; first < end; first += kPoints) {
    int64_t count = end - first < kPoints ? end - first : kPoints;
    for (int64_t p = 0; p < count; ++p) taps_of(g + (first + p) * s.axes, s, taps[p]);
    body(first, count, taps);
  }
}

int64_t plane_of(const GridSampleShape& s) { return s.size[0] * s.size[1] * s.size[2]; }

// body(n, begin, end) for ranges of the points of each batch item.
template <class F>
void parallel_points(const GridSampleShape& s, const F& body) {
  Pieces cuts = cut(s.outputs, 4096 / s.channels + kPoints);
  parallel(s.batch * cuts.count, [&](int64_t piece, int) {
    int64_t n = piece / cuts.count, begin = piece % cuts.count * cuts.size, end = begin + cuts.size;
    body(n, begin, end < s.outputs ? end : s.outputs);
  });
}

template <class T>
void forward(const GridSampleForward& a) {
  const GridSampleShape& s = a.shape;
  int64_t plane = plane_of(s);
  parallel_points(s, [&](int64_t n, int64_t begin, int64_t end) {
    over_points<T>(a.grid, s, n, begin, end, [&](int64_t first, int64_t count, const PointTaps<T>* taps) {
      for (int64_t c = n * s.channels; c < (n + 1) * s.channels; ++c) {
        const T* x = static_cast<const T*>(a.x) + c * plane;
        T* y = static_cast<T*>(a.y) + c * s.outputs + first;
        for (int64_t p = 0; p < count; ++p) {
          T sum = 0;
          for (int k = 0; k < taps[p].count; ++k) sum += taps[p].weight[k] * x[taps[p].at[k]];
          y[p] = sum;
        }
      }
    });
  });
}

// A group of planes on its own, so that no two threads add to one place.
template <class T>
void backward_input(const GridSampleBackward& a) {
  const GridSampleShape& s = a.shape;
  int64_t plane = plane_of(s), groups = (s.channels + kGroup - 1) / kGroup;
  parallel(s.batch * groups, [&](int64_t piece, int) {
    int64_t n = piece / groups, from = piece % groups * kGroup;
    int64_t to = from + kGroup < s.channels ? from + kGroup : s.channels;
    T* dx = static_cast<T*>(a.dx) + n * s.channels * plane;
    const T* dy = static_cast<const T*>(a.dy) + n * s.channels * s.outputs;
    __builtin_memset(dx + from * plane, 0, (size_t)((to - from) * plane) * sizeof(T));
    over_points<T>(a.grid, s, n, 0, s.outputs, [&](int64_t first, int64_t count, const PointTaps<T>* taps) {
      for (int64_t c = from; c < to; ++c)
        for (int64_t p = 0; p < count; ++p) {
          T d = dy[c * s.outputs + first + p];
          for (int k = 0; k < taps[p].count; ++k) dx[c * plane + taps[p].at[k]] += d * taps[p].weight[k];
        }
    });
  });
}

template <class T>
void backward_grid(const GridSampleBackward& a) {
  const GridSampleShape& s = a.shape;
  int64_t plane = plane_of(s);
  parallel_points(s, [&](int64_t n, int64_t begin, int64_t end) {
    const T* x = static_cast<const T*>(a.x) + n * s.channels * plane;
    const T* dy = static_cast<const T*>(a.dy) + n * s.channels * s.outputs;
    over_points<T>(a.grid, s, n, begin, end, [&](int64_t first, int64_t count, const PointTaps<T>* taps) {
      T sums[kPoints][3] = {};
      for (int64_t c = 0; c < s.channels; ++c)
        for (int64_t p = 0; p < count; ++p) {
          T d = dy[c * s.outputs + first + p];
          for (int k = 0; k < taps[p].count; ++k) {
            T v = d * x[c * plane + taps[p].at[k]];
            for (int axis = 0; axis < 3; ++axis) sums[p][axis] += v * taps[p].slope[axis][k];
          }
        }
      T* dgrid = static_cast<T*>(a.dgrid) + (n * s.outputs + first) * s.axes;
      for (int64_t p = 0; p < count; ++p)
        for (int axis = 0; axis < s.axes; ++axis) dgrid[p * s.axes + axis] = sums[p][axis];
    });
  });
}

void run_forward(const GridSampleForward& a) { a.dtype == DType::Float64 ? forward<double>(a) : forward<float>(a); }

template <class T>
void backward(const GridSampleBackward& a) {
  if (a.dx) backward_input<T>(a);
  if (a.dgrid) backward_grid<T>(a);
}
void run_backward(const GridSampleBackward& a) { a.dtype == DType::Float64 ? backward<double>(a) : backward<float>(a); }

}  // namespace

void fill(GridSampleKernels& k) {
  k.forward = run_forward;
  k.backward = run_backward;
}

}  // namespace weft::WEFT_ISA
