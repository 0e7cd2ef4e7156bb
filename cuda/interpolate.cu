// Resampling along one axis: a thread per output.
#include "kernels/interpolate.h"

#include "device.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) resample(Interpolate a) {
  int64_t n = a.outer * a.out * a.inner;
  const T* w = static_cast<const T*>(a.weights);
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t row = i / a.inner, o = row / a.out, j = row - o * a.out;
    const T* x = static_cast<const T*>(a.x) + o * a.in * a.inner + (i - row * a.inner);
    T sum = 0;
    for (int32_t k = a.starts[j]; k < a.starts[j + 1]; ++k) sum += w[k] * x[a.at[k] * a.inner];
    static_cast<T*>(a.y)[i] = sum;
  }
}

void apply(const Interpolate& a) {
  unsigned grid = grid_for(a.outer * a.out * a.inner, kThreads);
  if (a.dtype == DType::Float64)
    WEFT_LAUNCH((resample<double>), grid, kThreads, 0, a);
  else
    WEFT_LAUNCH((resample<float>), grid, kThreads, 0, a);
}

}  // namespace

void fill(InterpolateKernels& k) { k.apply = apply; }

}  // namespace weft::cuda
