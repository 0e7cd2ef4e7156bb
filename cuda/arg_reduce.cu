// Positions of extremes: a warp per row where the reduced dimension is innermost, else a thread per column.
#include "kernels/arg_reduce.h"

#include "block.cuh"
#include "convert.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

template <class V>
struct Best {
  V value;
  int64_t index;  // -1: none yet
};

// The larger value, the earlier position among equals; a NaN beats every number. `max` false: the smaller value.
template <class V>
WEFT_DEVICE Best<V> better(bool max, Best<V> a, Best<V> b) {
  if (a.index < 0 || b.index < 0) return a.index < 0 ? b : a;
  bool a_nan = a.value != a.value, b_nan = b.value != b.value;
  bool equal = (a_nan && b_nan) || a.value == b.value;
  bool a_wins = equal ? a.index < b.index : a_nan || (!b_nan && (max ? a.value > b.value : a.value < b.value));
  return a_wins ? a : b;
}

template <class V>
__global__ void __launch_bounds__(kThreads) arg_rows(ArgReduce a) {
  int64_t row = (int64_t)blockIdx.x * (kThreads / 32) + threadIdx.x / 32;
  if (row >= a.outer) return;
  Best<V> best{0, -1};
  for (int64_t i = threadIdx.x % 32; i < a.n; i += 32)
    best = better(a.max, best, {load_scalar<V>(a.x, a.dtype, row * a.n + i), i});
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2)
    best = better(a.max, best,
                  {__shfl_xor_sync(kAllLanes, best.value, lanes), __shfl_xor_sync(kAllLanes, best.index, lanes)});
  if (threadIdx.x % 32 == 0) a.indices[row] = best.index;
}

template <class V>
__global__ void __launch_bounds__(kThreads) arg_columns(ArgReduce a) {
  int64_t k = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (k >= a.outer * a.inner) return;
  int64_t outer = k / a.inner, at = outer * a.n * a.inner + k - outer * a.inner;
  Best<V> best{0, -1};
  for (int64_t i = 0; i < a.n; ++i) best = better(a.max, best, {load_scalar<V>(a.x, a.dtype, at + i * a.inner), i});
  a.indices[k] = best.index;
}

template <class T>
__global__ void __launch_bounds__(kThreads) take_elements(ArgMove a) {
  int64_t k = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (k >= a.outer * a.inner) return;
  int64_t outer = k / a.inner, i = k - outer * a.inner;
  static_cast<T*>(a.y)[k] = static_cast<const T*>(a.x)[(outer * a.n + a.indices[k]) * a.inner + i];
}
// One pass over x: each element is its y or zero.
template <class T>
__global__ void __launch_bounds__(kThreads) put_elements(ArgMove a) {
  int64_t total = a.outer * a.n * a.inner;
  for (int64_t e = (int64_t)blockIdx.x * kThreads + threadIdx.x; e < total; e += (int64_t)gridDim.x * kThreads) {
    int64_t row = e / a.inner, i = e - row * a.inner, outer = row / a.n, k = outer * a.inner + i;
    static_cast<T*>(a.x)[e] = a.indices[k] == row - outer * a.n ? static_cast<const T*>(a.y)[k] : T{};
  }
}

template <class V>
void arg_reduce_as(const ArgReduce& a) {
  if (a.inner == 1)
    WEFT_LAUNCH((arg_rows<V>), (unsigned)divide_up(a.outer, kThreads / 32), kThreads, 0, a);
  else
    WEFT_LAUNCH((arg_columns<V>), (unsigned)divide_up(a.outer * a.inner, kThreads), kThreads, 0, a);
}
void arg_reduce(const ArgReduce& a) {
  if (a.outer * a.inner == 0) return;
  if (a.dtype == DType::Float64) return arg_reduce_as<double>(a);
  if (is_floating(a.dtype)) return arg_reduce_as<float>(a);
  arg_reduce_as<int64_t>(a);
}

void take(const ArgMove& a) {
  if (a.outer * a.inner == 0) return;
  dispatch_size(size_of(a.dtype), [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((take_elements<T>), (unsigned)divide_up(a.outer * a.inner, kThreads), kThreads, 0, a);
  });
}
void put(const ArgMove& a) {
  if (a.outer * a.n * a.inner == 0) return;
  dispatch_size(size_of(a.dtype), [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((put_elements<T>), grid_for(a.outer * a.n * a.inner, kThreads), kThreads, 0, a);
  });
}

}  // namespace

void fill(ArgReduceKernels& k) {
  k.arg_reduce = arg_reduce;
  k.take = take;
  k.put = put;
}

}  // namespace weft::cuda
