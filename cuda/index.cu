// Rows by offset. Gather and plain scatter: a thread per element of a row. Scatter with addition goes over the rows in
// order for each element of the destination that it touches, so that sums have one order and need no atomics: the first
// row that names an offset adds all the others to it.
#include "kernels/index.h"

#include "convert.cuh"

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

// A block per row: whether another row writes the same place decides what this one does.
struct Same {
  bool earlier, later;
};
WEFT_DEVICE Same look_for_same(const ScatterRows& a, int64_t row) {
  WEFT_SHARED(int, found, [2]);
  if (threadIdx.x < 2) found[threadIdx.x] = 0;
  __syncthreads();
  int64_t mine = a.offsets[row];
  bool earlier = false, later = false;
  for (int64_t r = threadIdx.x; r < a.rows; r += blockDim.x)
    if (r != row && a.offsets[r] == mine) (r < row ? earlier : later) = true;
  if (earlier) found[0] = 1;
  if (later) found[1] = 1;
  __syncthreads();
  return {found[0] != 0, found[1] != 0};
}
