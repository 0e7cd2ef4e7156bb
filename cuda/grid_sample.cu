// Reading an image at arbitrary positions: a thread per position; backward to the image, a warp per plane, without
// atomics.
#include "math.cuh"

namespace weft::cuda::math {

template <class T>
using scalar_or_itself = T;
WEFT_HD WEFT_INLINE int64_t to_index(float x) { return (int64_t)x; }
WEFT_HD WEFT_INLINE int64_t to_index(double x) { return (int64_t)x; }

}  // namespace weft::cuda::math

#define WEFT_TAPS weft::cuda::math
#include "kernels/grid_sample_taps.h"

namespace weft::cuda {
namespace {

using math::PointTaps;
constexpr int kThreads = 128;

template <class T>
__global__ void __launch_bounds__(kThreads) sample(GridSampleForward a) {
  const GridSampleShape& s = a.shape;
  int64_t item = s.channels * s.size[0] * s.size[1] * s.size[2], points = s.batch * s.outputs;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < points; i += (int64_t)gridDim.x * kThreads) {
    int64_t n = i / s.outputs, o = i - n * s.outputs;
    PointTaps<T> taps;
    math::taps_of(static_cast<const T*>(a.grid) + i * s.axes, s, taps);
    for (int64_t c = 0; c < s.channels; ++c) {
      const T* x = static_cast<const T*>(a.x) + n * item + c * s.channel;
      T sum = 0;
      for (int k = 0; k < taps.count; ++k)
        if (taps.at[k] >= 0) sum += taps.weight[k] * x[taps.at[k] * s.element];
      static_cast<T*>(a.y)[(n * s.channels + c) * s.outputs + o] = sum;
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) grid_gradient(GridSampleBackward a) {
  const GridSampleShape& s = a.shape;
  int64_t item = s.channels * s.size[0] * s.size[1] * s.size[2], points = s.batch * s.outputs;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < points; i += (int64_t)gridDim.x * kThreads) {
    int64_t n = i / s.outputs, o = i - n * s.outputs;
    PointTaps<T> taps;
    math::taps_of(static_cast<const T*>(a.grid) + i * s.axes, s, taps);
    T sums[3] = {};
    for (int64_t c = 0; c < s.channels; ++c) {
      const T* x = static_cast<const T*>(a.x) + n * item + c * s.channel;
      T d = static_cast<const T*>(a.dy)[(n * s.channels + c) * s.outputs + o];
      for (int k = 0; k < taps.count; ++k) {
        if (taps.at[k] < 0) continue;
        T v = d * x[taps.at[k] * s.element];
        for (int axis = 0; axis < 3; ++axis) sums[axis] += v * taps.slope[axis][k];
      }
    }
    for (int axis = 0; axis < s.axes; ++axis) static_cast<T*>(a.dgrid)[i * s.axes + axis] = sums[axis];
  }
}

// 32 positions at a time, tap by tap. Where several lanes add to one place, the lowest adds for all, in order.
template <class T>
__global__ void __launch_bounds__(kThreads) input_gradient(GridSampleBackward a) {
  const GridSampleShape& s = a.shape;
  int64_t plane = s.size[0] * s.size[1] * s.size[2], c = (int64_t)blockIdx.x * (kThreads / 32) + threadIdx.x / 32;
  if (c >= s.batch * s.channels) return;
  int lane = threadIdx.x % 32;
  int64_t n = c / s.channels;
  const T* grid = static_cast<const T*>(a.grid) + n * s.outputs * s.axes;
  const T* dy = static_cast<const T*>(a.dy) + c * s.outputs;
  T* dx = static_cast<T*>(a.dx) + n * s.channels * plane + (c - n * s.channels) * s.channel;
  for (int64_t base = 0; base < s.outputs; base += 32) {
    int64_t o = base + lane;
    PointTaps<T> taps;
    taps.count = 0;
    if (o < s.outputs) math::taps_of(grid + o * s.axes, s, taps);
    for (int k = 0; __any_sync(kAllLanes, k < taps.count); ++k) {
      bool inside = k < taps.count && taps.at[k] >= 0;
      int64_t to = inside ? taps.at[k] : -1 - lane;
      T v = inside ? taps.weight[k] * dy[o] : (T)0, sum = 0;
      unsigned same = __match_any_sync(kAllLanes, to);
      for (int l = 0; l < 32; ++l) {
        T other = __shfl_sync(kAllLanes, v, l);
        if (same >> l & 1) sum += other;
      }
      if (inside && __ffs((int)same) - 1 == lane) dx[to * s.element] += sum;
      __syncwarp();
    }
  }
}

template <class T>
void run_forward(const GridSampleForward& a) {
  WEFT_LAUNCH((sample<T>), grid_for(a.shape.batch * a.shape.outputs, kThreads), kThreads, 0, a);
}
void forward(const GridSampleForward& a) { a.dtype == DType::Float64 ? run_forward<double>(a) : run_forward<float>(a); }

template <class T>
void run_backward(const GridSampleBackward& a) {
  const GridSampleShape& s = a.shape;
  unsigned planes = (unsigned)divide_up(s.batch * s.channels, kThreads / 32);
  if (a.dx) WEFT_LAUNCH((input_gradient<T>), planes, kThreads, 0, a);
  if (a.dgrid && s.mode != SampleMode::Nearest)
    WEFT_LAUNCH((grid_gradient<T>), grid_for(s.batch * s.outputs, kThreads), kThreads, 0, a);
}
void backward(const GridSampleBackward& a) {
  a.dtype == DType::Float64 ? run_backward<double>(a) : run_backward<float>(a);
}

}  // namespace

void fill(GridSampleKernels& k) {
  k.forward = forward;
  k.backward = backward;
}

}  // namespace weft::cuda
