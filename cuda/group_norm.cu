// Normalisation of groups of channels: a block per group, read again from the cache; a block per channel for the
// gradients of the parameters.
#include "kernels/group_norm.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

// Where the elements of a group lie.
struct Group {
  int64_t first, per, count, channels;
  bool channels_last;
  WEFT_DEVICE Group(const GroupNormShape& s, int64_t at)
      : per(s.channels / s.groups), channels(s.channels), channels_last(s.channels_last) {
    count = per * s.length;
    first = channels_last ? at / s.groups * s.length * channels + at % s.groups * per : at * count;
  }
  WEFT_DEVICE int64_t at(int64_t i) const { return first + (channels_last ? i / per * channels + i % per : i); }
  WEFT_DEVICE int64_t channel(int64_t i) const { return channels_last ? i % per : i / (count / per); }
};

template <class C>
WEFT_DEVICE C parameter(const void* p, int64_t c, C otherwise) {
  return p ? static_cast<const C*>(p)[c] : otherwise;
}

template <class T>
__global__ void __launch_bounds__(kThreads) group_norm_forward_block(GroupNormForward a) {
  using C = Wide<T>;
  const Group g(a.shape, blockIdx.x);
  const int64_t first = blockIdx.x % a.shape.groups * g.per;
  const T* x = static_cast<const T*>(a.x);
  C mean = 0, square = 0;
  for (int64_t i = threadIdx.x; i < g.count; i += kThreads) mean += widen(x[g.at(i)]);
  mean = block_sum(mean) / (C)g.count;
  for (int64_t i = threadIdx.x; i < g.count; i += kThreads) {
    C d = widen(x[g.at(i)]) - mean;
    square += d * d;
  }
  C variance = block_sum(square) / (C)g.count, rstd = 1 / math::vsqrt(variance + (C)a.eps);
  if (threadIdx.x == 0) {
    static_cast<C*>(a.mean)[blockIdx.x] = mean;
    static_cast<C*>(a.rstd)[blockIdx.x] = rstd;
    if (a.variance) static_cast<C*>(a.variance)[blockIdx.x] = variance;
  }
  for (int64_t i = threadIdx.x; i < g.count; i += kThreads) {
    int64_t c = first + g.channel(i), at = g.at(i);
    C xhat = (widen(x[at]) - mean) * rstd;
    static_cast<T*>(a.y)[at] = narrow<T>(xhat * parameter<C>(a.weight, c, 1) + parameter<C>(a.bias, c, 0));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) group_norm_backward_block(GroupNormBackward a) {
  using C = Wide<T>;
  const Group g(a.shape, blockIdx.x);
  const int64_t first = blockIdx.x % a.shape.groups * g.per;
  const T *x = static_cast<const T*>(a.x), *dy = static_cast<const T*>(a.dy);
  C mean = static_cast<const C*>(a.mean)[blockIdx.x], rstd = static_cast<const C*>(a.rstd)[blockIdx.x];
  C sum = 0, sum_x = 0;
  for (int64_t i = threadIdx.x; i < g.count; i += kThreads) {
    C d = widen(dy[g.at(i)]) * parameter<C>(a.weight, first + g.channel(i), 1);
    sum += d;
    sum_x += d * (widen(x[g.at(i)]) - mean) * rstd;
  }
  sum = block_sum(sum) / (C)g.count;
  sum_x = block_sum(sum_x) / (C)g.count;
  for (int64_t i = threadIdx.x; i < g.count; i += kThreads) {
    int64_t at = g.at(i);
    C d = widen(dy[at]) * parameter<C>(a.weight, first + g.channel(i), 1), xhat = (widen(x[at]) - mean) * rstd;
    static_cast<T*>(a.dx)[at] = narrow<T>(rstd * (d - sum - xhat * sum_x));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) group_norm_parameters(GroupNormBackward a) {
  using C = Wide<T>;
  const GroupNormShape& s = a.shape;
  const int64_t c = blockIdx.x, group = c / (s.channels / s.groups);
  C dw = 0, db = 0;
  for (int64_t i = threadIdx.x; i < s.n * s.length; i += kThreads) {
    int64_t item = i / s.length, j = i % s.length, of = item * s.groups + group;
    int64_t at = s.channels_last ? i * s.channels + c : (item * s.channels + c) * s.length + j;
    C d = widen(static_cast<const T*>(a.dy)[at]), x = widen(static_cast<const T*>(a.x)[at]);
    dw += d * (x - static_cast<const C*>(a.mean)[of]) * static_cast<const C*>(a.rstd)[of];
    db += d;
  }
  dw = block_sum(dw);
  db = block_sum(db);
  if (threadIdx.x) return;
  static_cast<C*>(a.dweight)[c] = dw;
  static_cast<C*>(a.dbias)[c] = db;
}

void group_norm_forward(const GroupNormForward& a) {
  dispatch_floating(a.shape.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((group_norm_forward_block<T>), (unsigned)(a.shape.n * a.shape.groups), kThreads, 0, a);
  });
}
void group_norm_backward(const GroupNormBackward& a) {
  dispatch_floating(a.shape.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (a.dx) WEFT_LAUNCH((group_norm_backward_block<T>), (unsigned)(a.shape.n * a.shape.groups), kThreads, 0, a);
    if (a.dweight) WEFT_LAUNCH((group_norm_parameters<T>), (unsigned)a.shape.channels, kThreads, 0, a);
  });
}

}  // namespace

void fill(GroupNormKernels& k) {
  k.forward = group_norm_forward;
  k.backward = group_norm_backward;
}

}  // namespace weft::cuda
