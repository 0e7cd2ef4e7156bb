#include "kernels/grid_sample.h"

#include "base/threads.h"
#include "simd/vec.h"

#define WEFT_TAPS weft::WEFT_ISA

namespace weft::WEFT_ISA {

WEFT_INLINE float vfloor(float x) { return __builtin_floorf(x); }
WEFT_INLINE double vfloor(double x) { return __builtin_floor(x); }
WEFT_INLINE float vrint(float x) { return __builtin_rintf(x); }
WEFT_INLINE double vrint(double x) { return __builtin_rint(x); }

}  // namespace weft::WEFT_ISA

#include "kernels/grid_sample_taps.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int kPoints = 32;    // whose taps are found at a time
constexpr int64_t kGroup = 8;  // channels that share a pass over the points in backward

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
