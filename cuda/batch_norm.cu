// Batch normalisation: a block takes one channel's planes, or 32 neighbouring channels where each pixel's channels are
// neighbours in memory (length 1). Statistics, then the result, from the cache where the channel fits it.
#include "kernels/batch_norm.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

// The elements of one channel, dealt out to kThreads / W threads.
template <int W>
struct Channel {
  static constexpr int kLanes = kThreads / W;
  int64_t c, channels, length, count;
  int lane;
  WEFT_DEVICE Channel(int64_t n, int64_t channels, int64_t length)
      : c((int64_t)blockIdx.x * W + threadIdx.x % W),
        channels(channels),
        length(length),
        count(n * length),
        lane((int)threadIdx.x / W) {}
  WEFT_DEVICE bool inside() const { return c < channels; }
  template <class F>
  WEFT_DEVICE void each(const F& f) const {
    if (!inside()) return;
    for (int64_t m = lane; m < count; m += kLanes) {
      int64_t item = m / length;
      f((item * channels + c) * length + m - item * length);
    }
  }
  // The sum over the threads of this channel, for each of them.
  WEFT_DEVICE double sum(double v) const {
    WEFT_SHARED(double, partial, [kThreads]);
    __syncthreads();
    partial[threadIdx.x] = v;
    __syncthreads();
    for (int s = kLanes / 2; s > 0; s /= 2) {
      if (lane < s) partial[threadIdx.x] += partial[threadIdx.x + s * W];
      __syncthreads();
    }
    return partial[threadIdx.x % W];
  }
};

template <class C>
WEFT_DEVICE C at_channel(const void* p, int64_t c, C otherwise) {
  return p ? static_cast<const C*>(p)[c] : otherwise;
}

template <class T, int W>
__global__ void __launch_bounds__(kThreads) batch_norm_forward(BatchNormForward a) {
  using C = Wide<T>;
  Channel<W> channel(a.n, a.channels, a.length);
  int64_t c = channel.c;
  const T* x = static_cast<const T*>(a.x);
  double mean = 0, rstd = 0;
  if (a.training) {
    C sum = 0, squares = 0;
    channel.each([&](int64_t i) { sum += widen(x[i]); });
    mean = channel.sum((double)sum) / (double)channel.count;
    channel.each([&](int64_t i) {
      C d = widen(x[i]) - (C)mean;
      squares += d * d;
    });
    double total = channel.sum((double)squares);
    rstd = 1 / ::sqrt(total / (double)channel.count + a.eps);
    if (channel.inside() && channel.lane == 0 && a.running_mean) {
      C *running_mean = static_cast<C*>(a.running_mean) + c, *running_var = static_cast<C*>(a.running_var) + c;
      *running_mean = (C)(*running_mean + a.momentum * (mean - *running_mean));
      *running_var = (C)(*running_var + a.momentum * (total / (double)(channel.count - 1) - *running_var));
    }
  } else if (channel.inside()) {
    mean = (double)static_cast<const C*>(a.running_mean)[c];
    rstd = 1 / ::sqrt((double)static_cast<const C*>(a.running_var)[c] + a.eps);
  }
  if (!channel.inside()) return;
  if (channel.lane == 0) {
    static_cast<C*>(a.mean)[c] = (C)mean;
    static_cast<C*>(a.rstd)[c] = (C)rstd;
  }
  C m = (C)mean, scale = (C)rstd * at_channel<C>(a.weight, c, 1), shift = at_channel<C>(a.bias, c, 0);
  channel.each([&](int64_t i) {
    C v = (widen(x[i]) - m) * scale + shift;
    if (a.residual) v += widen(static_cast<const T*>(a.residual)[i]);
    static_cast<T*>(a.y)[i] = narrow<T>(a.relu && v < 0 ? (C)0 : v);
  });
}

template <class T, int W>
__global__ void __launch_bounds__(kThreads) batch_norm_backward(BatchNormBackward a) {
  using C = Wide<T>;
  Channel<W> channel(a.n, a.channels, a.length);
  int64_t c = channel.c;
  const T *x = static_cast<const T*>(a.x), *dy = static_cast<const T*>(a.dy);
  C mean = channel.inside() ? static_cast<const C*>(a.mean)[c] : (C)0;
  C rstd = channel.inside() ? static_cast<const C*>(a.rstd)[c] : (C)0;
  C scale = channel.inside() ? at_channel<C>(a.weight, c, 1) * rstd : (C)0;
  C shift = channel.inside() ? at_channel<C>(a.bias, c, 0) : (C)0;
  auto incoming = [&](int64_t i) {
    if (!a.relu) return widen(dy[i]);
    C v = a.y ? widen(static_cast<const T*>(a.y)[i]) : (widen(x[i]) - mean) * scale + shift;
    return v > 0 ? widen(dy[i]) : (C)0;
  };
  C bias = 0, weight = 0;
  channel.each([&](int64_t i) {
    C d = incoming(i);
    if (a.dresidual) static_cast<T*>(a.dresidual)[i] = narrow<T>(d);
    bias += d;
    weight += d * (widen(x[i]) - mean) * rstd;
  });
  double sum = channel.sum((double)bias), product = channel.sum((double)weight);
  if (!channel.inside()) return;
  if (a.dweight && channel.lane == 0) {
    static_cast<C*>(a.dweight)[c] = (C)product;
    static_cast<C*>(a.dbias)[c] = (C)sum;
  }
  if (!a.dx) return;
  C m = a.training ? (C)(sum / (double)channel.count) : (C)0,
    p = a.training ? (C)(product / (double)channel.count) : (C)0;
  channel.each([&](int64_t i) {
    static_cast<T*>(a.dx)[i] = narrow<T>(scale * (incoming(i) - m - (widen(x[i]) - mean) * rstd * p));
  });
}

void forward(const BatchNormForward& a) {
  if (a.channels == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (a.length == 1)
      WEFT_LAUNCH((batch_norm_forward<T, 32>), (unsigned)divide_up(a.channels, 32), kThreads, 0, a);
    else
      WEFT_LAUNCH((batch_norm_forward<T, 1>), (unsigned)a.channels, kThreads, 0, a);
  });
}
void backward(const BatchNormBackward& a) {
  if (a.channels == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (a.length == 1)
      WEFT_LAUNCH((batch_norm_backward<T, 32>), (unsigned)divide_up(a.channels, 32), kThreads, 0, a);
    else
      WEFT_LAUNCH((batch_norm_backward<T, 1>), (unsigned)a.channels, kThreads, 0, a);
  });
}

}  // namespace

void fill(BatchNormKernels& k) {
  k.forward = forward;
  k.backward = backward;
}

}  // namespace weft::cuda
