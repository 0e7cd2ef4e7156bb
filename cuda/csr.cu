// Sparse by dense: a thread for an element of the product, a warp for a sampled value.
#include "kernels/csr.h"

#include "block.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

// The row of the k-th value: the last whose start is not beyond k.
WEFT_DEVICE int64_t row_at(const int64_t* crow, int64_t rows, int64_t k) {
  int64_t low = 0, high = rows;
  while (high - low > 1) {
    int64_t middle = (low + high) / 2;
    (crow[middle] <= k ? low : high) = middle;
  }
  return low;
}

template <class T>
__global__ void __launch_bounds__(kThreads) csr_product(CsrProduct a) {
  using C = Wide<T>;
  const T *values = static_cast<const T*>(a.values), *dense = static_cast<const T*>(a.dense);
  int64_t n = a.rows * a.cols;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t r = i / a.cols, c = i - r * a.cols;
    C sum = 0;
    for (int64_t k = a.crow[r]; k < a.crow[r + 1]; ++k)
      sum += (C)widen(values[k]) * (C)widen(dense[a.col[k] * a.cols + c]);
    static_cast<T*>(a.y)[i] = narrow<T>(sum);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) csr_sampled(CsrSampled a) {
  using C = Wide<T>;
  constexpr int warps = kThreads / 32;
  int lane = threadIdx.x % 32;
  for (int64_t k = (int64_t)blockIdx.x * warps + threadIdx.x / 32; k < a.nonzero; k += (int64_t)gridDim.x * warps) {
    const T* left = static_cast<const T*>(a.left) + row_at(a.crow, a.rows, k) * a.cols;
    const T* right = static_cast<const T*>(a.right) + a.col[k] * a.cols;
    C sum = 0;
    for (int64_t j = lane; j < a.cols; j += 32) sum += (C)widen(left[j]) * (C)widen(right[j]);
    sum = warp_sum(sum);
    if (lane == 0) static_cast<T*>(a.values)[k] = narrow<T>(sum);
  }
}

__global__ void __launch_bounds__(kThreads) csr_row_of(CsrRowOf a) {
  for (int64_t k = (int64_t)blockIdx.x * kThreads + threadIdx.x; k < a.nonzero; k += (int64_t)gridDim.x * kThreads)
    a.row[k] = row_at(a.crow, a.rows, k);
}

void product(const CsrProduct& a) {
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((csr_product<T>), grid_for(a.rows * a.cols, kThreads), kThreads, 0, a);
  });
}

void sampled(const CsrSampled& a) {
  if (a.nonzero == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((csr_sampled<T>), grid_for(a.nonzero, kThreads / 32), kThreads, 0, a);
  });
}

void row_of(const CsrRowOf& a) {
  if (a.nonzero) WEFT_LAUNCH(csr_row_of, grid_for(a.nonzero, kThreads), kThreads, 0, a);
}

}  // namespace

void fill(CsrKernels& k) {
  k.product = product;
  k.sampled = sampled;
  k.row_of = row_of;
}

}  // namespace weft::cuda
