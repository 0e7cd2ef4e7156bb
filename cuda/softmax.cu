// Softmax. Rows of up to 32 numbers per lane stay in the registers of one warp and are read once; longer rows take a
// block, one pass for maximum and sum together and one to write.
#include "kernels/softmax.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kWarpsPerBlock = 4;

template <class T, int N, int K>
__global__ void __launch_bounds__(kWarpsPerBlock * 32) softmax_forward_warp(SoftmaxForward a) {
  using C = Wide<T>;
  int64_t row = (int64_t)blockIdx.x * kWarpsPerBlock + threadIdx.x / 32;
  if (row >= a.rows) return;
  int lane = threadIdx.x % 32;
  const T* x = static_cast<const T*>(a.x) + row * a.cols;
  T* y = static_cast<T*>(a.y) + row * a.cols;

  C v[K][N], largest = -INFINITY;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t c = (int64_t)(k * 32 + lane) * N;
    if (c < a.cols) {
      Vec<T, N> in = load<N>(x + c);
#pragma unroll
      for (int i = 0; i < N; ++i) v[k][i] = widen(in.v[i]);
    } else {
#pragma unroll
      for (int i = 0; i < N; ++i) v[k][i] = -INFINITY;
    }
#pragma unroll
    for (int i = 0; i < N; ++i) largest = v[k][i] > largest ? v[k][i] : largest;
  }
  largest = warp_reduce(largest, Larger{});

  C sum = 0;
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int i = 0; i < N; ++i) {
      C shifted = v[k][i] - largest, e = math::vexp(shifted);
      sum += e;
      v[k][i] = a.log ? shifted : e;
    }
  sum = warp_sum(sum);
  C scale = 1 / sum, shift = math::vlog(sum);

#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t c = (int64_t)(k * 32 + lane) * N;
    if (c >= a.cols) continue;
    Vec<T, N> out;
#pragma unroll
    for (int i = 0; i < N; ++i) out.v[i] = narrow<T>(a.log ? v[k][i] - shift : v[k][i] * scale);
    store<N>(y + c, out);
  }
}

// A running maximum and the sum of exp(x - maximum). A piece that is -inf throughout must not turn into NaN before it
// meets the others, hence the test.
template <class C>
struct Running {
  C largest, sum;
};
template <class C>
WEFT_DEVICE C rescale(C from, C to) {
  return to == -INFINITY ? (C)1 : math::vexp(from - to);
}
template <class C>
WEFT_DEVICE Running<C> block_merge(Running<C> r) {
  C m = block_reduce(r.largest, Larger{}, (C)-INFINITY);
  return {m, block_sum(r.sum * rescale(r.largest, m))};
}

template <class T, int N>
__global__ void __launch_bounds__(1024) softmax_forward_block(SoftmaxForward a) {
  using C = Wide<T>;
  const T* x = static_cast<const T*>(a.x) + (int64_t)blockIdx.x * a.cols;
  T* y = static_cast<T*>(a.y) + (int64_t)blockIdx.x * a.cols;
  int64_t step = (int64_t)blockDim.x * N;

  Running<C> r{(C)-INFINITY, 0};
  for (int64_t c = (int64_t)threadIdx.x * N; c < a.cols; c += step) {
    Vec<T, N> in = load<N>(x + c);
    C m = r.largest, sum = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) m = widen(in.v[i]) > m ? widen(in.v[i]) : m;
#pragma unroll
    for (int i = 0; i < N; ++i) sum += rescale((C)widen(in.v[i]), m);
    r = {m, r.sum * rescale(r.largest, m) + sum};
  }
  r = block_merge(r);

  C scale = 1 / r.sum, shift = math::vlog(r.sum);
  for (int64_t c = (int64_t)threadIdx.x * N; c < a.cols; c += step) {
    Vec<T, N> in = load<N>(x + c), out;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      C shifted = widen(in.v[i]) - r.largest;
      out.v[i] = narrow<T>(a.log ? shifted - shift : math::vexp(shifted) * scale);
    }
    store<N>(y + c, out);
  }
}

template <class C>
WEFT_DEVICE C backward_term(bool log, C dy, C y) {
  return log ? dy : dy * y;
}
template <class C>
WEFT_DEVICE C backward_result(bool log, C dy, C y, C sum) {
  return log ? dy - math::vexp(y) * sum : y * (dy - sum);
}

template <class T, int N, int K>
__global__ void __launch_bounds__(kWarpsPerBlock * 32) softmax_backward_warp(SoftmaxBackward a) {
  using C = Wide<T>;
  int64_t row = (int64_t)blockIdx.x * kWarpsPerBlock + threadIdx.x / 32;
  if (row >= a.rows) return;
  int lane = threadIdx.x % 32;
  const T* dy = static_cast<const T*>(a.dy) + row * a.cols;
  const T* y = static_cast<const T*>(a.y) + row * a.cols;
  T* dx = static_cast<T*>(a.dx) + row * a.cols;

  Vec<T, N> g[K], v[K];
  C sum = 0;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t c = (int64_t)(k * 32 + lane) * N;
    if (c >= a.cols) continue;
    g[k] = load<N>(dy + c);
    v[k] = load<N>(y + c);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += backward_term<C>(a.log, widen(g[k].v[i]), widen(v[k].v[i]));
  }
  sum = warp_sum(sum);
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t c = (int64_t)(k * 32 + lane) * N;
    if (c >= a.cols) continue;
    Vec<T, N> out;
#pragma unroll
    for (int i = 0; i < N; ++i)
      out.v[i] = narrow<T>(backward_result<C>(a.log, widen(g[k].v[i]), widen(v[k].v[i]), sum));
    store<N>(dx + c, out);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(1024) softmax_backward_block(SoftmaxBackward a) {
  using C = Wide<T>;
  const T* dy = static_cast<const T*>(a.dy) + (int64_t)blockIdx.x * a.cols;
  const T* y = static_cast<const T*>(a.y) + (int64_t)blockIdx.x * a.cols;
  T* dx = static_cast<T*>(a.dx) + (int64_t)blockIdx.x * a.cols;
  int64_t step = (int64_t)blockDim.x * N;

  C sum = 0;
  for (int64_t c = (int64_t)threadIdx.x * N; c < a.cols; c += step) {
    Vec<T, N> g = load<N>(dy + c), v = load<N>(y + c);
#pragma unroll
    for (int i = 0; i < N; ++i) sum += backward_term<C>(a.log, widen(g.v[i]), widen(v.v[i]));
  }
  sum = block_sum(sum);
  for (int64_t c = (int64_t)threadIdx.x * N; c < a.cols; c += step) {
    Vec<T, N> g = load<N>(dy + c), v = load<N>(y + c), out;
#pragma unroll
    for (int i = 0; i < N; ++i) out.v[i] = narrow<T>(backward_result<C>(a.log, widen(g.v[i]), widen(v.v[i]), sum));
    store<N>(dx + c, out);
  }
}

// Slices side by side: a thread for each.
constexpr int kColumnThreads = 128;

template <class T>
__global__ void __launch_bounds__(kColumnThreads) softmax_forward_columns(SoftmaxForward a) {
  using C = Wide<T>;
  int64_t i = (int64_t)blockIdx.x * kColumnThreads + threadIdx.x;
  if (i >= a.rows * a.inner) return;
  int64_t first = i / a.inner * a.cols * a.inner + i % a.inner;
  const T* x = static_cast<const T*>(a.x) + first;
  T* y = static_cast<T*>(a.y) + first;
  C m = -INFINITY, sum = 0;
  for (int64_t c = 0; c < a.cols; ++c) m = widen(x[c * a.inner]) > m ? widen(x[c * a.inner]) : m;
  for (int64_t c = 0; c < a.cols; ++c) sum += math::vexp(widen(x[c * a.inner]) - m);
  C scale = 1 / sum, shift = math::vlog(sum);
  for (int64_t c = 0; c < a.cols; ++c) {
    C shifted = widen(x[c * a.inner]) - m;
    y[c * a.inner] = narrow<T>(a.log ? shifted - shift : math::vexp(shifted) * scale);
  }
}

template <class T>
__global__ void __launch_bounds__(kColumnThreads) softmax_backward_columns(SoftmaxBackward a) {
  using C = Wide<T>;
  int64_t i = (int64_t)blockIdx.x * kColumnThreads + threadIdx.x;
  if (i >= a.rows * a.inner) return;
  int64_t first = i / a.inner * a.cols * a.inner + i % a.inner;
  const T *dy = static_cast<const T*>(a.dy) + first, *y = static_cast<const T*>(a.y) + first;
  T* dx = static_cast<T*>(a.dx) + first;
  C sum = 0;
  for (int64_t c = 0; c < a.cols; ++c) sum += backward_term<C>(a.log, widen(dy[c * a.inner]), widen(y[c * a.inner]));
  for (int64_t c = 0; c < a.cols; ++c)
    dx[c * a.inner] = narrow<T>(backward_result<C>(a.log, widen(dy[c * a.inner]), widen(y[c * a.inner]), sum));
}

#define LAUNCH_ROWS(direction, K)                                                                                      \
  WEFT_LAUNCH((softmax_##direction##_warp<T, N, K>), (unsigned)divide_up(a.rows, kWarpsPerBlock), kWarpsPerBlock * 32, \
              0, a)

template <class T, int N>
void forward_rows(const SoftmaxForward& a) {
  int64_t vectors = divide_up(a.cols, N);
  if (vectors <= 32) {
    LAUNCH_ROWS(forward, 1);
  } else if (vectors <= 64) {
    LAUNCH_ROWS(forward, 2);
  } else if (vectors <= 128) {
    LAUNCH_ROWS(forward, 4);
  } else {
    WEFT_LAUNCH((softmax_forward_block<T, N>), (unsigned)a.rows, threads_per_row(vectors), 0, a);
  }
}
template <class T, int N>
void backward_rows(const SoftmaxBackward& a) {
  int64_t vectors = divide_up(a.cols, N);
  if (vectors <= 32) {
    LAUNCH_ROWS(backward, 1);
  } else if (vectors <= 64) {
    LAUNCH_ROWS(backward, 2);
  } else if (vectors <= 128) {
    LAUNCH_ROWS(backward, 4);
  } else {
    WEFT_LAUNCH((softmax_backward_block<T, N>), (unsigned)a.rows, threads_per_row(vectors), 0, a);
  }
}

void softmax_forward(const SoftmaxForward& a) {
  if (a.rows == 0 || a.cols == 0 || a.inner == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (a.inner > 1)
      WEFT_LAUNCH((softmax_forward_columns<T>), (unsigned)divide_up(a.rows * a.inner, kColumnThreads), kColumnThreads,
                  0, a);
    else if (vectorizable<T>(a.cols, a.x, a.y))
      forward_rows<T, kVector<T>>(a);
    else
      forward_rows<T, 1>(a);
  });
}
void softmax_backward(const SoftmaxBackward& a) {
  if (a.rows == 0 || a.cols == 0 || a.inner == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (a.inner > 1)
      WEFT_LAUNCH((softmax_backward_columns<T>), (unsigned)divide_up(a.rows * a.inner, kColumnThreads), kColumnThreads,
                  0, a);
    else if (vectorizable<T>(a.cols, a.dx, a.dy, a.y))
      backward_rows<T, kVector<T>>(a);
    else
      backward_rows<T, 1>(a);
  });
}

}  // namespace

void fill(SoftmaxKernels& k) {
  k.forward = softmax_forward;
  k.backward = softmax_backward;
}

}  // namespace weft::cuda
