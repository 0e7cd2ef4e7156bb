#include "kernels/segment.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {
namespace {

// A counting sort: stable, and linear in rows and segments.
void segment_plan(const SegmentPlan& a) {
  int64_t* start = a.start;
  *a.bad = INT64_MAX;
  __builtin_memset(start, 0, (size_t)(a.segments + 1) * sizeof(int64_t));
  for (int64_t i = 0; i < a.n; ++i) {
    bool wrong = (uint64_t)a.ids[i] >= (uint64_t)a.segments || (!a.order && i > 0 && a.ids[i] < a.ids[i - 1]);
    if (wrong) {
      *a.bad = i;
      return;
    }
    ++start[a.ids[i]];
  }
  for (int64_t s = 0, sum = 0; s <= a.segments; ++s) {
    int64_t count = start[s];
    start[s] = sum;
    sum += count;
  }
  if (!a.order) return;
  for (int64_t i = 0; i < a.n; ++i) a.order[start[a.ids[i]]++] = i;  // start[s] becomes the end of segment s
  for (int64_t s = a.segments; s > 0; --s) start[s] = start[s - 1];
  start[0] = 0;
}

template <class S>
constexpr S highest() {
  if constexpr (sizeof(S) == 8 && (S)0.5 == 0)
    return (S)INT64_MAX;
  else
    return (S)__builtin_inf();
}
template <class S>
constexpr S lowest() {
  if constexpr (sizeof(S) == 8 && (S)0.5 == 0)
    return (S)INT64_MIN;
  else
    return (S)-__builtin_inf();
}

struct Add {
  template <class V>
  WEFT_INLINE V start() {
    return V{};
  }
  template <class V>
  WEFT_INLINE V apply(V a, V b) {
    return a + b;
  }
};
struct Maximum {
  template <class V>
  WEFT_INLINE V start() {
    return splat<V>(lowest<scalar_of<V>>());
  }
  template <class V>
  WEFT_INLINE V apply(V a, V b) {
    return vmax(a, b);
  }
};
struct Minimum {
  template <class V>
  WEFT_INLINE V start() {
    return splat<V>(highest<scalar_of<V>>());
  }
  template <class V>
  WEFT_INLINE V apply(V a, V b) {
    return vmin(a, b);
  }
};

// kVectors vectors of columns of one segment. Sums are taken by blocks of rows: a shorter path for rounding.
template <class T, class Op, int kVectors, class Io>
WEFT_INLINE void reduce_columns(const SegmentReduce& a, int64_t s, int64_t column, Io io) {
  using V = row_vec<T>;
  constexpr int64_t block = 512;
  const T* x = static_cast<const T*>(a.x) + column;
  V total[kVectors];
  for (int v = 0; v < kVectors; ++v) total[v] = Op::template start<V>();
  for (int64_t begin = a.start[s], end; begin < a.start[s + 1]; begin = end) {
    end = begin + block < a.start[s + 1] ? begin + block : a.start[s + 1];
    V part[kVectors];
    for (int v = 0; v < kVectors; ++v) part[v] = Op::template start<V>();
    for (int64_t k = begin; k < end; ++k) {
      const T* row = x + (a.order ? a.order[k] : k) * a.cols;
      for (int v = 0; v < kVectors; ++v) part[v] = Op::template apply<V>(part[v], io.load(row + v * lanes<V>));
    }
    for (int v = 0; v < kVectors; ++v) total[v] = Op::template apply<V>(total[v], part[v]);
  }
  int64_t count = a.start[s + 1] - a.start[s];
  T* y = static_cast<T*>(a.y) + s * a.cols + column;
  for (int v = 0; v < kVectors; ++v) {
    V result = total[v];
    if (a.op == SegmentOp::Mean && count > 1) result = result / splat<V>((scalar_of<V>)count);
    io.store(y + v * lanes<V>, result);
  }
}

template <int n>
struct Count {
  static constexpr int value = n;
};

// body(segment, first column, number of vectors, io) for all of them, by 4 vectors, one, and the rest of one.
template <class T, class Args, class Body>
WEFT_INLINE void over_segments(const Args& a, const Body& body) {
  constexpr int width = 4, w = lanes<row_vec<T>>;
  int64_t bytes = (a.rows / a.segments + 1) * a.cols * (int64_t)sizeof(T);  // of an average segment
  parallel_ranges(a.segments, 64 * 1024 / (bytes + 8) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      int64_t j = 0;
      for (; j + width * w <= a.cols; j += width * w) body(s, j, Count<width>{}, AllLanes{});
      for (; j + w <= a.cols; j += w) body(s, j, Count<1>{}, AllLanes{});
      if (j < a.cols) body(s, j, Count<1>{}, FirstLanes{a.cols - j});
    }
  });
}

template <class T, class Op>
void segment_reduce(const SegmentReduce& a) {
  over_segments<T>(
      a, [&](int64_t s, int64_t j, auto n, auto io) { reduce_columns<T, Op, decltype(n)::value>(a, s, j, io); });
}

// f(offset of the row's first element) for the rows of a segment.
template <class Args, class F>
WEFT_INLINE void each_row(const Args& a, int64_t s, const F& f) {
  for (int64_t k = a.start[s]; k < a.start[s + 1]; ++k) f((a.order ? a.order[k] : k) * a.cols);
}

template <class T>
void segment_softmax(const SegmentSoftmax& a) {
  using V = row_vec<T>;
  constexpr int w = lanes<V>;
  over_segments<T>(a, [&](int64_t s, int64_t j, auto n, auto io) {
    constexpr int vectors = decltype(n)::value;
    const T* x = static_cast<const T*>(a.x) + j;
    T* y = static_cast<T*>(a.y) + j;
    V top[vectors], sum[vectors] = {};
    for (int v = 0; v < vectors; ++v) top[v] = Maximum::start<V>();
    each_row(a, s, [&](int64_t at) {
      for (int v = 0; v < vectors; ++v) top[v] = vmax(top[v], io.load(x + at + v * w));
    });
    each_row(a, s, [&](int64_t at) {
      for (int v = 0; v < vectors; ++v) sum[v] += vexp(io.load(x + at + v * w) - top[v]);
    });
    each_row(a, s, [&](int64_t at) {
      for (int v = 0; v < vectors; ++v) io.store(y + at + v * w, vexp(io.load(x + at + v * w) - top[v]) / sum[v]);
    });
  });
}

template <class T>
void segment_softmax_backward(const SegmentSoftmax& a) {
  using V = row_vec<T>;
  constexpr int w = lanes<V>;
  over_segments<T>(a, [&](int64_t s, int64_t j, auto n, auto io) {
    constexpr int vectors = decltype(n)::value;
    const T *y = static_cast<const T*>(a.x) + j, *dy = static_cast<const T*>(a.dy) + j;
    T* dx = static_cast<T*>(a.y) + j;
    V sum[vectors] = {};
    each_row(a, s, [&](int64_t at) {
      for (int v = 0; v < vectors; ++v) sum[v] += io.load(y + at + v * w) * io.load(dy + at + v * w);
    });
    each_row(a, s, [&](int64_t at) {
      for (int v = 0; v < vectors; ++v)
        io.store(dx + at + v * w, io.load(y + at + v * w) * (io.load(dy + at + v * w) - sum[v]));
    });
  });
}

template <class T>
void reduce_typed(const SegmentReduce& a) {
  switch (a.op) {
    case SegmentOp::Sum:
    case SegmentOp::Mean: return segment_reduce<T, Add>(a);
    case SegmentOp::Max: return segment_reduce<T, Maximum>(a);
    case SegmentOp::Min: return segment_reduce<T, Minimum>(a);
  }
}

void reduce(const SegmentReduce& a) {
  switch (a.dtype) {
    case DType::Float16: return reduce_typed<float16>(a);
    case DType::BFloat16: return reduce_typed<bfloat16>(a);
    case DType::Float32: return reduce_typed<float>(a);
    case DType::Float64: return reduce_typed<double>(a);
    default: return reduce_typed<int64_t>(a);
  }
}

void softmax(const SegmentSoftmax& a) {
  switch (a.dtype) {
    case DType::Float16: return segment_softmax<float16>(a);
    case DType::BFloat16: return segment_softmax<bfloat16>(a);
    case DType::Float64: return segment_softmax<double>(a);
    default: return segment_softmax<float>(a);
  }
}

void softmax_backward(const SegmentSoftmax& a) {
  switch (a.dtype) {
    case DType::Float16: return segment_softmax_backward<float16>(a);
    case DType::BFloat16: return segment_softmax_backward<bfloat16>(a);
    case DType::Float64: return segment_softmax_backward<double>(a);
    default: return segment_softmax_backward<float>(a);
  }
}

}  // namespace

void fill(SegmentKernels& k) {
  k.softmax = softmax;
  k.softmax_backward = softmax_backward;
  k.plan = segment_plan;
  k.reduce = reduce;
}

}  // namespace weft::WEFT_ISA
