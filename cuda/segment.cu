// Rows grouped by segment id, a thread for a segment and a column: its rows are taken in order. Grouping itself is done
// on the host.
#include "kernels/segment.h"

#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

template <class C>
WEFT_DEVICE C lowest() {
  if constexpr (sizeof(C) == 8 && (C)0.5 == 0)
    return (C)INT64_MIN;
  else
    return (C)-INFINITY;
}
template <class C>
WEFT_DEVICE C highest() {
  if constexpr (sizeof(C) == 8 && (C)0.5 == 0)
    return (C)INT64_MAX;
  else
    return (C)INFINITY;
}

template <class C>
WEFT_DEVICE C larger(C a, C b) {  // NaN stays
  return b > a || b != b ? b : a;
}
template <class C>
WEFT_DEVICE C combine(SegmentOp op, C a, C b) {
  if (op == SegmentOp::Max) return a != a ? a : larger(a, b);
  if (op == SegmentOp::Min) return a != a || !(b < a || b != b) ? a : b;
  return a + b;
}

// f(offset of the element) for the rows of segment s, in column c.
template <class Args, class F>
WEFT_DEVICE void each_row(const Args& a, int64_t s, int64_t c, const F& f) {
  for (int64_t k = a.start[s]; k < a.start[s + 1]; ++k) f((a.order ? a.order[k] : k) * a.cols + c);
}

template <class T>
__global__ void __launch_bounds__(kThreads) segment_reduce(SegmentReduce a) {
  using C = Wide<T>;
  const T* x = static_cast<const T*>(a.x);
  int64_t n = a.segments * a.cols;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t s = i / a.cols, count = a.start[s + 1] - a.start[s];
    C total = a.op == SegmentOp::Max ? lowest<C>() : a.op == SegmentOp::Min ? highest<C>() : (C)0;
    each_row(a, s, i - s * a.cols, [&](int64_t at) { total = combine(a.op, total, (C)widen(x[at])); });
    if (a.op == SegmentOp::Mean && count > 1) total /= (C)count;
    static_cast<T*>(a.y)[i] = narrow<T>(total);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) segment_softmax(SegmentSoftmax a) {
  using C = Wide<T>;
  const T* x = static_cast<const T*>(a.x);
  T* y = static_cast<T*>(a.y);
  int64_t n = a.segments * a.cols;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t s = i / a.cols, c = i - s * a.cols;
    C top = -INFINITY, sum = 0;
    each_row(a, s, c, [&](int64_t at) { top = larger(top, (C)widen(x[at])); });
    each_row(a, s, c, [&](int64_t at) { sum += math::vexp((C)widen(x[at]) - top); });
    each_row(a, s, c, [&](int64_t at) { y[at] = narrow<T>(math::vexp((C)widen(x[at]) - top) / sum); });
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) segment_softmax_backward(SegmentSoftmax a) {
  using C = Wide<T>;
  const T *y = static_cast<const T*>(a.x), *dy = static_cast<const T*>(a.dy);
  T* dx = static_cast<T*>(a.y);
  int64_t n = a.segments * a.cols;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t s = i / a.cols, c = i - s * a.cols;
    C sum = 0;
    each_row(a, s, c, [&](int64_t at) { sum += (C)widen(y[at]) * (C)widen(dy[at]); });
    each_row(a, s, c, [&](int64_t at) { dx[at] = narrow<T>((C)widen(y[at]) * ((C)widen(dy[at]) - sum)); });
  }
}

template <class Args>
unsigned grid_of(const Args& a) {
  return grid_for(a.segments * a.cols, kThreads);
}

void reduce(const SegmentReduce& a) {
  auto go = [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((segment_reduce<T>), grid_of(a), kThreads, 0, a);
  };
  if (a.dtype == DType::Int64)
    go(Type<int64_t>{});
  else
    dispatch_floating(a.dtype, go);
}

void softmax(const SegmentSoftmax& a) {
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((segment_softmax<T>), grid_of(a), kThreads, 0, a);
  });
}

void softmax_backward(const SegmentSoftmax& a) {
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((segment_softmax_backward<T>), grid_of(a), kThreads, 0, a);
  });
}

}  // namespace

void fill(SegmentKernels& k) {
  k.reduce = reduce;
  k.softmax = softmax;
  k.softmax_backward = softmax_backward;
}

}  // namespace weft::cuda
