// Pooling: a thread per output; backward of the average, a thread per input, which asks the outputs that look at it.
#include "kernels/pool.h"

#include "device.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

struct Span {
  int64_t begin, end, step;
  int64_t padded;  // positions when the padding counts
};
WEFT_DEVICE Span span(const PoolAxis& a, int64_t o, bool adaptive) {
  if (adaptive) {
    int64_t begin = o * a.n / a.outputs, end = ((o + 1) * a.n + a.outputs - 1) / a.outputs;
    return {begin, end, 1, end - begin};
  }
  int64_t begin = o * a.stride - a.pad, end = begin + (a.kernel - 1) * a.dilation + 1;
  int64_t padded = (end < a.n + a.pad ? end : a.n + a.pad) - begin;
  if (begin < 0) begin += (-begin + a.dilation - 1) / a.dilation * a.dilation;
  return {begin, end < a.n ? end : a.n, a.dilation, padded};
}
WEFT_DEVICE int64_t count(const Span& s) { return s.end > s.begin ? (s.end - s.begin + s.step - 1) / s.step : 0; }
WEFT_DEVICE bool looks_at(const Span& s, int64_t i) { return i >= s.begin && i < s.end && (i - s.begin) % s.step == 0; }

// The outputs among which those that look at input i are: [first, last].
WEFT_DEVICE void outputs_of(const PoolAxis& a, int64_t i, bool adaptive, int64_t* first, int64_t* last) {
  if (adaptive) {
    *first = i * a.outputs / a.n;
    *last = ((i + 1) * a.outputs + a.n - 1) / a.n - 1;
  } else {
    int64_t low = i + a.pad - (a.kernel - 1) * a.dilation;
    *first = low > 0 ? (low + a.stride - 1) / a.stride : 0;
    *last = (i + a.pad) / a.stride;
  }
  if (*last >= a.outputs) *last = a.outputs - 1;
}

struct Output {
  int64_t plane, row, col;
};
WEFT_DEVICE Output output_at(int64_t i, int64_t rows, int64_t cols) {
  int64_t line = i / cols, plane = line / rows;
  return {plane, line - plane * rows, i - line * cols};
}

template <class T>
__global__ void __launch_bounds__(kThreads) max_pool(MaxPool a) {
  const PoolShape& s = a.shape;
  int64_t n = s.planes * s.rows.outputs * s.cols.outputs;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    Output o = output_at(i, s.rows.outputs, s.cols.outputs);
    Span h = span(s.rows, o.row, s.adaptive), w = span(s.cols, o.col, s.adaptive);
    const T* x = static_cast<const T*>(a.x) + o.plane * s.rows.n * s.cols.n;
    int64_t at = h.begin * s.cols.n + w.begin;
    T best = x[at];
    for (int64_t r = h.begin; r < h.end; r += h.step)
      for (int64_t c = w.begin; c < w.end; c += w.step) {
        T v = x[r * s.cols.n + c];
        if (v > best || v != v) {
          best = v;
          at = r * s.cols.n + c;
        }
      }
    static_cast<T*>(a.y)[i] = best;
    if (a.index) a.index[i] = (int32_t)at;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) pool_gather(PoolMove a) {
  int64_t n = a.planes * a.plane_out;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads)
    static_cast<T*>(a.y)[i] = static_cast<const T*>(a.x)[i / a.plane_out * a.plane_in + a.index[i]];
}

// A warp per plane takes 32 outputs at a time. Where several of them go to one place, the lowest lane adds them all, in
// order.
template <class T>
__global__ void __launch_bounds__(kThreads) pool_scatter(PoolMove a) {
  int64_t plane = (int64_t)blockIdx.x * (kThreads / 32) + threadIdx.x / 32;
  if (plane >= a.planes) return;
  int lane = threadIdx.x % 32;
  T* x = static_cast<T*>(a.x) + plane * a.plane_in;
  const T* y = static_cast<const T*>(a.y) + plane * a.plane_out;
  const int32_t* index = a.index + plane * a.plane_out;
  for (int64_t i = lane; i < a.plane_in; i += 32) x[i] = 0;
  __syncwarp();
  for (int64_t base = 0; base < a.plane_out; base += 32) {
    bool inside = base + lane < a.plane_out;
    int32_t to = inside ? index[base + lane] : -1 - lane;
    T v = inside ? y[base + lane] : (T)0, sum = v;
    unsigned same = __match_any_sync(kAllLanes, to);
    if (__any_sync(kAllLanes, __popc(same) > 1)) {
      sum = 0;
      for (int l = 0; l < 32; ++l) {
        T other = __shfl_sync(kAllLanes, v, l);
        if (same >> l & 1) sum += other;
      }
    }
    if (inside && __ffs((int)same) - 1 == lane) x[to] += sum;
    __syncwarp();
  }
}

template <class T>
WEFT_DEVICE T inverse_divisor(const AveragePool& a, const Span& h, const Span& w) {
  if (a.divisor > 0) return (T)1 / (T)a.divisor;
  int64_t n = a.count_pad ? h.padded * w.padded : count(h) * count(w);
  return n > 0 ? (T)1 / (T)n : (T)0;
}

template <class T>
__global__ void __launch_bounds__(kThreads) average_pool(AveragePool a) {
  const PoolShape& s = a.shape;
  int64_t n = s.planes * s.rows.outputs * s.cols.outputs;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    Output o = output_at(i, s.rows.outputs, s.cols.outputs);
    Span h = span(s.rows, o.row, s.adaptive), w = span(s.cols, o.col, s.adaptive);
    const T* x = static_cast<const T*>(a.x) + o.plane * s.rows.n * s.cols.n;
    T sum = 0;
    for (int64_t r = h.begin; r < h.end; r += h.step)
      for (int64_t c = w.begin; c < w.end; c += w.step) sum += x[r * s.cols.n + c];
    static_cast<T*>(a.y)[i] = sum * inverse_divisor<T>(a, h, w);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) average_pool_backward(AveragePool a) {
  const PoolShape& s = a.shape;
  int64_t n = s.planes * s.rows.n * s.cols.n;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    Output at = output_at(i, s.rows.n, s.cols.n);  // here: a place of the input
    const T* dy = static_cast<const T*>(a.y) + at.plane * s.rows.outputs * s.cols.outputs;
    int64_t top, bottom, left, right;
    outputs_of(s.rows, at.row, s.adaptive, &top, &bottom);
    outputs_of(s.cols, at.col, s.adaptive, &left, &right);
    T sum = 0;
    for (int64_t r = top; r <= bottom; ++r) {
      Span h = span(s.rows, r, s.adaptive);
      if (!looks_at(h, at.row)) continue;
      for (int64_t c = left; c <= right; ++c) {
        Span w = span(s.cols, c, s.adaptive);
        if (looks_at(w, at.col)) sum += dy[r * s.cols.outputs + c] * inverse_divisor<T>(a, h, w);
      }
    }
    static_cast<T*>(a.x)[i] = sum;
  }
}

template <class F>
void dispatch_real(DType t, const F& f) {
  if (t == DType::Float64)
    f(Type<double>{});
  else
    f(Type<float>{});
}

void max(const MaxPool& a) {
  int64_t n = a.shape.planes * a.shape.rows.outputs * a.shape.cols.outputs;
  if (n == 0) return;
  auto launch = [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((max_pool<T>), grid_for(n, kThreads), kThreads, 0, a);
  };
  switch (a.dtype) {
    case DType::Int32: return launch(Type<int32_t>{});
    case DType::Int64: return launch(Type<int64_t>{});
    case DType::Float64: return launch(Type<double>{});
    default: launch(Type<float>{});
  }
}
void gather(const PoolMove& a) {
  if (a.planes * a.plane_out == 0) return;
  dispatch_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((pool_gather<T>), grid_for(a.planes * a.plane_out, kThreads), kThreads, 0, a);
  });
}
void scatter(const PoolMove& a) {
  if (a.planes * a.plane_in == 0) return;
  dispatch_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((pool_scatter<T>), (unsigned)divide_up(a.planes, kThreads / 32), kThreads, 0, a);
  });
}
void average(const AveragePool& a) {
  int64_t n = a.shape.planes * a.shape.rows.outputs * a.shape.cols.outputs;
  if (n == 0) return;
  dispatch_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((average_pool<T>), grid_for(n, kThreads), kThreads, 0, a);
  });
}
void average_backward(const AveragePool& a) {
  int64_t n = a.shape.planes * a.shape.rows.n * a.shape.cols.n;
  if (n == 0) return;
  dispatch_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((average_pool_backward<T>), grid_for(n, kThreads), kThreads, 0, a);
  });
}

}  // namespace

void fill(PoolKernels& k) {
  k.max = max;
  k.gather = gather;
  k.scatter = scatter;
  k.average = average;
  k.average_backward = average_backward;
}

}  // namespace weft::cuda
