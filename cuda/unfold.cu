// Unfold: a thread per element of the columns. Fold: a thread per element of the image, which asks the windows that
// hold it, in the CPU's order.
#include "kernels/unfold.h"

#include "device.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) unfold_columns(UnfoldArgs a) {
  int64_t n = a.planes * a.rows.kernel * a.cols.kernel * a.rows.out * a.cols.out;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t j = i % a.cols.out, rest = i / a.cols.out, row = rest % a.rows.out;
    rest /= a.rows.out;
    int64_t l = rest % a.cols.kernel, k = rest / a.cols.kernel % a.rows.kernel;
    int64_t plane = rest / a.cols.kernel / a.rows.kernel;
    int64_t r = row * a.rows.stride + k * a.rows.dilation - a.rows.pad;
    int64_t c = j * a.cols.stride + l * a.cols.dilation - a.cols.pad;
    bool inside = r >= 0 && r < a.rows.in && c >= 0 && c < a.cols.in;
    static_cast<T*>(a.columns)[i] =
        inside ? static_cast<const T*>(a.image)[(plane * a.rows.in + r) * a.cols.in + c] : (T)0;
  }
}

// The position whose tap k is element i; false if there is none.
WEFT_DEVICE bool position(const ConvAxis& a, int64_t i, int64_t k, int64_t* at) {
  int64_t from = i + a.pad - k * a.dilation;
  *at = from / a.stride;
  return from >= 0 && *at * a.stride == from && *at < a.out;
}

template <class T>
__global__ void __launch_bounds__(kThreads) fold_columns(UnfoldArgs a) {
  int64_t n = a.planes * a.rows.in * a.cols.in;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t c = i % a.cols.in, r = i / a.cols.in % a.rows.in, plane = i / a.cols.in / a.rows.in, row, col;
    T sum = 0;
    for (int64_t k = 0; k < a.rows.kernel; ++k) {
      if (!position(a.rows, r, k, &row)) continue;
      for (int64_t l = 0; l < a.cols.kernel; ++l)
        if (position(a.cols, c, l, &col))
          sum += static_cast<const T*>(
              a.columns)[(((plane * a.rows.kernel + k) * a.cols.kernel + l) * a.rows.out + row) * a.cols.out + col];
    }
    static_cast<T*>(a.image)[i] = sum;
  }
}

void unfold(const UnfoldArgs& a) {
  int64_t n = a.planes * a.rows.kernel * a.cols.kernel * a.rows.out * a.cols.out;
  if (n == 0) return;
  if (a.dtype == DType::Float64)
    WEFT_LAUNCH((unfold_columns<double>), grid_for(n, kThreads), kThreads, 0, a);
  else
    WEFT_LAUNCH((unfold_columns<float>), grid_for(n, kThreads), kThreads, 0, a);
}
void fold(const UnfoldArgs& a) {
  int64_t n = a.planes * a.rows.in * a.cols.in;
  if (n == 0) return;
  if (a.dtype == DType::Float64)
    WEFT_LAUNCH((fold_columns<double>), grid_for(n, kThreads), kThreads, 0, a);
  else
    WEFT_LAUNCH((fold_columns<float>), grid_for(n, kThreads), kThreads, 0, a);
}

}  // namespace

void fill(UnfoldKernels& k) {
  k.unfold = unfold;
  k.fold = fold;
}

}  // namespace weft::cuda
