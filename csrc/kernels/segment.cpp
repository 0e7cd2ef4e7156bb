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

template <class T, class Op>
void segment_reduce(const SegmentReduce& a) {
  using V = row_vec<T>;
  constexpr int width = 4, w = lanes<V>;
  int64_t bytes = (a.rows / a.segments + 1) * a.cols * (int64_t)sizeof(T);  // of an average segment
  parallel_ranges(a.segments, 64 * 1024 / (bytes + 8) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      int64_t j = 0;
      for (; j + width * w <= a.cols; j += width * w) reduce_columns<T, Op, width>(a, s, j, AllLanes{});
      for (; j + w <= a.cols; j += w) reduce_columns<T, Op, 1>(a, s, j, AllLanes{});
      if (j < a.cols) reduce_columns<T, Op, 1>(a, s, j, FirstLanes{a.cols - j});
    }
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

}  // namespace

void fill(SegmentKernels& k) {
  k.plan = segment_plan;
  k.reduce = reduce;
}

}  // namespace weft::WEFT_ISA
