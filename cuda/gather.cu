// Elements by an index along one dimension. Scatter: a thread per line along that dimension takes it in order.
#include "kernels/gather.h"

#include "device.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

__global__ void clear_bad(int64_t* bad) { *bad = INT64_MAX; }
__global__ void __launch_bounds__(kThreads) check_index(IndexCheck a) {
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < a.n; i += (int64_t)gridDim.x * kThreads)
    if (a.index[i] < 0 || a.index[i] >= a.size) atomicMin(reinterpret_cast<long long*>(a.bad), (long long)i);
}

template <class T>
__global__ void __launch_bounds__(kThreads) gather_elements(Gather a) {
  int64_t n = a.outer * a.count * a.inner;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    if ((uint64_t)a.index[i] >= (uint64_t)a.size) continue;
    int64_t row = i / a.inner, o = row / a.count, j = i - row * a.inner;
    static_cast<T*>(a.y)[i] = static_cast<const T*>(a.x)[(o * a.size + a.index[i]) * a.inner + j];
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) copy_elements(T* to, const T* from, int64_t n) {
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads)
    to[i] = from[i];
}

template <class W>
__device__ W combine(ScatterOp op, W a, W b) {
  switch (op) {
    case ScatterOp::Add: return a + b;
    case ScatterOp::Mul: return a * b;
    case ScatterOp::Max: return b != b || b > a ? b : a;
    case ScatterOp::Min: return b != b || b < a ? b : a;
    default: return b;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) scatter_lines(Scatter a) {
  int64_t line = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (line >= a.outer * a.inner) return;
  int64_t o = line / a.inner, j = line - o * a.inner;
  T* x = static_cast<T*>(a.x) + o * a.size * a.inner + j;
  for (int64_t k = 0; k < a.count; ++k) {
    int64_t i = (o * a.count + k) * a.inner + j;
    if ((uint64_t)a.index[i] >= (uint64_t)a.size) continue;
    T v = static_cast<const T*>(a.src)[i * a.src_step];
    T& to = x[a.index[i] * a.inner];
    if constexpr (std::is_same_v<T, bool>)
      to = combine<int>(a.op, to, v) != 0;
    else
      to = a.op == ScatterOp::Set ? v : narrow<T>(combine(a.op, widen(to), widen(v)));
  }
}

void check(const IndexCheck& a) {
  WEFT_LAUNCH(clear_bad, 1, 1, 0, a.bad);
  if (a.n) WEFT_LAUNCH(check_index, grid_for(a.n, kThreads), kThreads, 0, a);
}
void gather(const Gather& a) {
  int64_t n = a.outer * a.count * a.inner;
  check({a.bad, a.index, n, a.size});
  if (n == 0) return;
  dispatch_size(size_of(a.dtype), [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((gather_elements<T>), grid_for(n, kThreads), kThreads, 0, a);
  });
}
void scatter(const Scatter& a) {
  if (a.bad) check({a.bad, a.index, a.outer * a.count * a.inner, a.size});
  if (a.outer * a.inner * a.count == 0) return;
  const int64_t n = a.outer * a.size * a.inner;
  if (a.from != a.x && n)
    dispatch_size(size_of(a.dtype), [&](auto type) {
      using T = typename decltype(type)::type;
      WEFT_LAUNCH((copy_elements<T>), grid_for(n, kThreads), kThreads, 0, static_cast<T*>(a.x),
                  static_cast<const T*>(a.from), n);
    });
  dispatch_all(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((scatter_lines<T>), (unsigned)divide_up(a.outer * a.inner, kThreads), kThreads, 0, a);
  });
}

}  // namespace

void fill(GatherKernels& k) {
  k.check = check;
  k.gather = gather;
  k.scatter = scatter;
}

}  // namespace weft::cuda
