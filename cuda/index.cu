// Rows by offset. Gather: a thread per element. Scatter: a block per row.
#include "kernels/index.h"

#include "same.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void clear_bad(int64_t* bad) { *bad = INT64_MAX; }

__global__ void __launch_bounds__(kThreads) compute_offsets(const __grid_constant__ IndexOffsets a) {
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < a.count; i += (int64_t)gridDim.x * kThreads) {
    int64_t offset = 0;
    for (int k = 0; k < a.indices; ++k) {
      int64_t v = a.index[k][i];
      if (v < -a.size[k] || v >= a.size[k]) {
        atomicMin(reinterpret_cast<long long*>(a.bad), (long long)(kMaxDims * i + k));
        v = 0;
      }
      offset += (v < 0 ? v + a.size[k] : v) * a.stride[k];
    }
    a.offsets[i] = offset;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) gather_rows(GatherRows a) {
  int64_t n = a.rows * a.cols;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t row = i / a.cols, col = i - row * a.cols;
    static_cast<T*>(a.y)[i] = static_cast<const T*>(a.x)[a.offsets[row] + col];
  }
}

// Plain scatter: of several rows for one place the last one stays.
template <class T>
__global__ void __launch_bounds__(kThreads) scatter_rows(ScatterRows a) {
  auto key = [&](int64_t i) { return a.offsets[i]; };
  bool last = true;
  int64_t row = blockIdx.x;
  for_each_later(row, a.rows, key, [&](int64_t) { last = false; });
  if (!last) return;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads)
    static_cast<T*>(a.y)[a.offsets[row] + c] = static_cast<const T*>(a.x)[row * a.cols + c];
}

template <class T>
WEFT_DEVICE T add_elements(T y, T x) {
  if constexpr (std::is_same_v<T, bool>)
    return y || x;
  else
    return narrow<T>(widen(y) + widen(x));
}

// The first row of a place adds all of them, in order.
template <class T>
__global__ void __launch_bounds__(kThreads) scatter_add_rows(ScatterRows a) {
  auto key = [&](int64_t i) { return a.offsets[i]; };
  int64_t row = blockIdx.x;
  if (!first_of_its_key(row, key)) return;
  T* y = static_cast<T*>(a.y) + a.offsets[row];
  auto add = [&](int64_t i) {
    const T* x = static_cast<const T*>(a.x) + i * a.cols;
    for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) y[c] = add_elements(y[c], x[c]);
  };
  add(row);
  for_each_later(row, a.rows, key, add);
}

void offsets(const IndexOffsets& a) {
  WEFT_LAUNCH(clear_bad, 1, 1, 0, a.bad);
  if (a.count) WEFT_LAUNCH(compute_offsets, grid_for(a.count, kThreads), kThreads, 0, a);
}
void gather(const GatherRows& a) {
  if (a.rows == 0 || a.cols == 0) return;
  dispatch_size(size_of(a.dtype), [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((gather_rows<T>), grid_for(a.rows * a.cols, kThreads), kThreads, 0, a);
  });
}
void scatter(const ScatterRows& a) {
  if (a.rows == 0 || a.cols == 0) return;
  if (a.add)
    dispatch_all(a.dtype, [&](auto type) {
      using T = typename decltype(type)::type;
      WEFT_LAUNCH((scatter_add_rows<T>), (unsigned)a.rows, kThreads, 0, a);
    });
  else
    dispatch_size(size_of(a.dtype), [&](auto type) {
      using T = typename decltype(type)::type;
      WEFT_LAUNCH((scatter_rows<T>), (unsigned)a.rows, kThreads, 0, a);
    });
}

}  // namespace

void fill(IndexKernels& k) {
  k.offsets = offsets;
  k.gather = gather;
  k.scatter = scatter;
}

}  // namespace weft::cuda
