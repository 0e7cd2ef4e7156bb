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

struct Place {
  int64_t volume, depth, row, col;
};
WEFT_DEVICE Place place_at(int64_t i, int64_t depths, int64_t rows, int64_t cols) {
  int64_t line = i / cols, plane = line / rows, volume = plane / depths;
  return {volume, plane - volume * depths, line - plane * rows, i - line * cols};
}
WEFT_DEVICE Place output_at(const PoolShape& s, int64_t i) {
  return place_at(i, s.depths.outputs, s.rows.outputs, s.cols.outputs);
}
WEFT_HD int64_t elements_in(const PoolShape& s) { return s.depths.n * s.rows.n * s.cols.n; }
WEFT_HD int64_t elements_out(const PoolShape& s) { return s.depths.outputs * s.rows.outputs * s.cols.outputs; }

struct Window {
  Span depths, rows, cols;
};
WEFT_DEVICE Window window_of(const PoolShape& s, const Place& o) {
  return {span(s.depths, o.depth, s.adaptive), span(s.rows, o.row, s.adaptive), span(s.cols, o.col, s.adaptive)};
}
// body(position in the volume), in order
template <class Body>
WEFT_DEVICE void each_position(const PoolShape& s, const Window& w, const Body& body) {
  for (int64_t z = w.depths.begin; z < w.depths.end; z += w.depths.step)
    for (int64_t r = w.rows.begin; r < w.rows.end; r += w.rows.step)
      for (int64_t c = w.cols.begin; c < w.cols.end; c += w.cols.step) body((z * s.rows.n + r) * s.cols.n + c);
}

template <class T>
__global__ void __launch_bounds__(kThreads) max_pool(MaxPool a) {
  const PoolShape& s = a.shape;
  int64_t n = s.volumes * elements_out(s) * s.inner;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    Place o = output_at(s, i / s.inner);
    Window w = window_of(s, o);
    const T* x = static_cast<const T*>(a.x) + o.volume * elements_in(s) * s.inner + i % s.inner;
    int64_t at = (w.depths.begin * s.rows.n + w.rows.begin) * s.cols.n + w.cols.begin;
    T best = x[at * s.inner];
    each_position(s, w, [&](int64_t position) {
      T v = x[position * s.inner];
      if (v > best || v != v) {
        best = v;
        at = position;
      }
    });
    static_cast<T*>(a.y)[i] = best;
    if (a.index) a.index[i] = (int32_t)at;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) pool_gather(PoolMove a) {
  int64_t n = a.volumes * a.out * a.inner;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t first = i / (a.out * a.inner) * a.in;
    static_cast<T*>(a.y)[i] = static_cast<const T*>(a.x)[(first + a.index[i]) * a.inner + i % a.inner];
  }
}

// A warp per volume and channel takes 32 outputs at a time. Where several of them go to one place, the lowest lane adds
// them all, in order.
template <class T>
__global__ void __launch_bounds__(kThreads) pool_scatter(PoolMove a) {
  int64_t volume = (int64_t)blockIdx.x * (kThreads / 32) + threadIdx.x / 32;
  if (volume >= a.volumes * a.inner) return;
  int lane = threadIdx.x % 32;
  int64_t channel = volume % a.inner, step = a.inner;
  volume /= a.inner;
  T* x = static_cast<T*>(a.x) + volume * a.in * step + channel;
  const T* y = static_cast<const T*>(a.y) + volume * a.out * step + channel;
  const int32_t* index = a.index + volume * a.out * step + channel;
  for (int64_t i = lane; i < a.in; i += 32) x[i * step] = 0;
  __syncwarp();
  for (int64_t base = 0; base < a.out; base += 32) {
    bool inside = base + lane < a.out;
    int32_t to = inside ? index[(base + lane) * step] : -1 - lane;
    T v = inside ? y[(base + lane) * step] : (T)0, sum = v;
    unsigned same = __match_any_sync(kAllLanes, to);
    if (__any_sync(kAllLanes, __popc(same) > 1)) {
      sum = 0;
      for (int l = 0; l < 32; ++l) {
        T other = __shfl_sync(kAllLanes, v, l);
        if (same >> l & 1) sum += other;
      }
    }
    if (inside && __ffs((int)same) - 1 == lane) x[to * step] += sum;
    __syncwarp();
  }
}

WEFT_DEVICE int64_t divisor_of(const AveragePool& a, const Window& w) {
  if (a.divisor) return a.divisor;
  return a.count_pad ? w.depths.padded * w.rows.padded * w.cols.padded
                     : count(w.depths) * count(w.rows) * count(w.cols);
}
template <class T>
WEFT_DEVICE T divided(T sum, int64_t divisor) {
  if (divisor == 0) return 0;
  if constexpr ((T)0.5 != (T)0)
    return sum * ((T)1 / (T)divisor);
  else
    return sum / (T)divisor;
}

template <class T>
__global__ void __launch_bounds__(kThreads) average_pool(AveragePool a) {
  const PoolShape& s = a.shape;
  int64_t n = s.volumes * elements_out(s) * s.inner;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    Place o = output_at(s, i / s.inner);
    Window w = window_of(s, o);
    const T* x = static_cast<const T*>(a.x) + o.volume * elements_in(s) * s.inner + i % s.inner;
    T sum = 0;
    each_position(s, w, [&](int64_t position) { sum += x[position * s.inner]; });
    static_cast<T*>(a.y)[i] = divided(sum, divisor_of(a, w));
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) average_pool_backward(AveragePool a) {
  const PoolShape& s = a.shape;
  int64_t n = s.volumes * elements_in(s) * s.inner;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    Place at = place_at(i / s.inner, s.depths.n, s.rows.n, s.cols.n);
    const T* dy = static_cast<const T*>(a.y) + at.volume * elements_out(s) * s.inner + i % s.inner;
    int64_t front, back, top, bottom, left, right;
    outputs_of(s.depths, at.depth, s.adaptive, &front, &back);
    outputs_of(s.rows, at.row, s.adaptive, &top, &bottom);
    outputs_of(s.cols, at.col, s.adaptive, &left, &right);
    T sum = 0;
    for (int64_t z = front; z <= back; ++z)
      for (int64_t r = top; r <= bottom; ++r)
        for (int64_t c = left; c <= right; ++c) {
          Window w = window_of(s, Place{0, z, r, c});
          if (looks_at(w.depths, at.depth) && looks_at(w.rows, at.row) && looks_at(w.cols, at.col))
            sum += divided(dy[((z * s.rows.outputs + r) * s.cols.outputs + c) * s.inner], divisor_of(a, w));
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
  int64_t n = a.shape.volumes * elements_out(a.shape) * a.shape.inner;
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
  if (a.volumes * a.out * a.inner == 0) return;
  dispatch_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((pool_gather<T>), grid_for(a.volumes * a.out * a.inner, kThreads), kThreads, 0, a);
  });
}
void scatter(const PoolMove& a) {
  if (a.volumes * a.in * a.inner == 0) return;
  dispatch_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((pool_scatter<T>), (unsigned)divide_up(a.volumes * a.inner, kThreads / 32), kThreads, 0, a);
  });
}
void average(const AveragePool& a) {
  int64_t n = a.shape.volumes * elements_out(a.shape) * a.shape.inner;
  if (n == 0) return;
  if (a.dtype == DType::Int64) {
    WEFT_LAUNCH((average_pool<int64_t>), grid_for(n, kThreads), kThreads, 0, a);
    return;
  }
  dispatch_real(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((average_pool<T>), grid_for(n, kThreads), kThreads, 0, a);
  });
}
void average_backward(const AveragePool& a) {
  int64_t n = a.shape.volumes * elements_in(a.shape) * a.shape.inner;
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
