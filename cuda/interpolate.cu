// Resampling along two axes: a thread per output.
#include "kernels/interpolate.h"

#include "device.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) resample(Interpolate a) {
  const InterpolateAxis &rows = a.rows, &cols = a.cols;
  const T *wr = static_cast<const T*>(rows.weights), *wc = static_cast<const T*>(cols.weights);
  int64_t n = a.outer * rows.out * cols.out * a.inner;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t pixel = i / a.inner, line = pixel / cols.out, q = pixel - line * cols.out, o = line / rows.out;
    int64_t p = line - o * rows.out, nr = rows.count(p), nc = cols.count(q);
    const T* x = static_cast<const T*>(a.x) + o * rows.in * cols.in * a.inner + (i - pixel * a.inner);
    T sum = 0;
    for (int64_t l = 0; l < nc; ++l) {
      int64_t to = cols.at[cols.tap(q, l)];
      if (to < 0) continue;
      T column = 0;
      for (int64_t k = 0; k < nr; ++k)
        if (int64_t row = rows.at[rows.tap(p, k)]; row >= 0)
          column += wr[rows.tap(p, k)] * x[(row * cols.in + to) * a.inner];
      sum += wc[cols.tap(q, l)] * column;
    }
    static_cast<T*>(a.y)[i] = sum;
  }
}

void apply(const Interpolate& a) {
  unsigned grid = grid_for(a.outer * a.rows.out * a.cols.out * a.inner, kThreads);
  if (a.dtype == DType::Float64)
    WEFT_LAUNCH((resample<double>), grid, kThreads, 0, a);
  else
    WEFT_LAUNCH((resample<float>), grid, kThreads, 0, a);
}

}  // namespace

void fill(InterpolateKernels& k) { k.apply = apply; }

}  // namespace weft::cuda
