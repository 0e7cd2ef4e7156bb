// Reductions. Where the reduced elements are neighbours in memory, a warp or a block takes one result; where neighbours
// belong to different results, a block takes 32 of them side by side. Long reductions are cut into chunks, whose
// partial results a second kernel combines in order.
#include "kernels/reduce.h"

#include "block.cuh"
#include "math.cuh"
#include "strided.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256, kColumns = 32, kLanes = kThreads / kColumns;

template <class V, ReduceOp op>
struct Rule {
  using Acc = std::conditional_t<(op >= ReduceOp::CountNonzero), int64_t, V>;
  static WEFT_DEVICE Acc identity() {
    if constexpr (op == ReduceOp::Prod || op == ReduceOp::All)
      return 1;
    else if constexpr (op == ReduceOp::Max || op == ReduceOp::Min)
      return std::is_integral_v<V> ? (V)(op == ReduceOp::Max ? INT64_MIN : INT64_MAX)
                                   : (V)(op == ReduceOp::Max ? -INFINITY : INFINITY);
    else
      return 0;
  }
  static WEFT_DEVICE Acc map(V x, V center) {
    if constexpr (op >= ReduceOp::CountNonzero)
      return x != 0;
    else if constexpr (op == ReduceOp::AbsSum)
      return math::vabs(x);
    else if constexpr (op == ReduceOp::SquareSum)
      return x * x;
    else if constexpr (op == ReduceOp::CenteredSquareSum)
      return (x - center) * (x - center);
    else
      return x;
  }
  WEFT_DEVICE Acc operator()(Acc a, Acc b) const {
    if constexpr (op == ReduceOp::Prod)
      return a * b;
    else if constexpr (op == ReduceOp::Max || op == ReduceOp::Any)
      return math::vmax(a, b);
    else if constexpr (op == ReduceOp::Min || op == ReduceOp::All)
      return math::vmin(a, b);
    else
      return a + b;
  }
};

struct ReduceJob {
  Reduce a;
  Walk walk;  // over the reduced dimensions
  bool vectors;
  int64_t chunk;  // groups (rows) or elements (columns) in a chunk
};

struct Place {
  int64_t x, y;
};
WEFT_DEVICE Place place_of(const Reduce& a, int64_t k) {
  Place p{0, 0};
  for (int d = a.kept - 1; d >= 0; --d) {
    int64_t q = quotient(k, a.size[d]), i = k - q * a.size[d];
    p.x += i * a.x_stride[d];
    p.y += i * a.y_stride[d];
    k = q;
  }
  return p;
}

template <class V, ReduceOp op>
WEFT_DEVICE V center_of(const Reduce& a, int64_t k) {
  if constexpr (op == ReduceOp::CenteredSquareSum) return static_cast<const V*>(a.center)[k];
  return 0;
}

template <class Acc>
WEFT_DEVICE void put(const Reduce& a, bool partial, int64_t k, int64_t chunk, int64_t y, Acc value) {
  if (partial) {
    static_cast<Acc*>(a.workspace)[chunk * a.kept_numel + k] = value;
  } else {
    if constexpr (std::is_floating_point_v<Acc>) value *= (Acc)a.scale;
    store_one<Acc>(a.y, a.y_dtype, y, value);
  }
}

// `width` threads per result: a warp, or the whole block.
template <class V, ReduceOp op>
__global__ void __launch_bounds__(kThreads) reduce_rows(const __grid_constant__ ReduceJob job, int width) {
  using R = Rule<V, op>;
  const Reduce& a = job.a;
  int64_t unit = (int64_t)blockIdx.x * (kThreads / width) + threadIdx.x / width;
  if (unit >= a.kept_numel * a.chunks) return;  // whole warps
  int64_t chunk = unit / a.kept_numel, k = unit - chunk * a.kept_numel;
  Place at = place_of(a, k);
  V center = center_of<V, op>(a, k);
  int64_t end = (chunk + 1) * job.chunk, stride = a.reduced ? a.x_stride[a.kept + a.reduced - 1] : 0;
  if (end > job.walk.groups) end = job.walk.groups;

  typename R::Acc sums[kGroup];
#pragma unroll
  for (int e = 0; e < kGroup; ++e) sums[e] = R::identity();
  for (int64_t g = chunk * job.chunk + threadIdx.x % width; g < end; g += width) {
    Group group = group_at(job.walk, g);
    int64_t x = at.x + group.first * stride;
    seek(job.walk, group.row, [&](int d, int64_t i) { x += i * a.x_stride[a.kept + d]; });
    V in[kGroup];
    if (!(job.vectors && group.count == kGroup && load_group(a.x, a.dtype, x, in)))
#pragma unroll
      for (int e = 0; e < kGroup; ++e)
        if (e < group.count) in[e] = load_scalar<V>(a.x, a.dtype, x + e * stride);
#pragma unroll
    for (int e = 0; e < kGroup; ++e)
      if (e < group.count) sums[e] = R()(sums[e], R::map(in[e], center));
  }
  typename R::Acc sum = R()(R()(sums[0], sums[1]), R()(sums[2], sums[3]));
  sum = width == 32 ? warp_reduce(sum, R()) : block_reduce(sum, R(), R::identity());
  if (threadIdx.x % width == 0) put(a, a.chunks > 1, k, chunk, at.y, sum);
}

template <class V, ReduceOp op>
__global__ void __launch_bounds__(kThreads) reduce_columns(const __grid_constant__ ReduceJob job) {
  using R = Rule<V, op>;
  WEFT_SHARED(typename R::Acc, partial, [kLanes][kColumns + 1]);
  const Reduce& a = job.a;
  int64_t inner = a.size[a.kept - 1], tiles = (inner + kColumns - 1) / kColumns;
  int64_t unit = blockIdx.x, tile = unit % tiles, rest = unit / tiles;
  int64_t outer = a.kept_numel / inner, chunk = rest / outer;
  int column = threadIdx.x % kColumns, lane = threadIdx.x / kColumns;
  int64_t in_row = tile * kColumns + column, k = (rest - chunk * outer) * inner + in_row;
  bool inside = in_row < inner;
  Place at = inside ? place_of(a, k) : Place{0, 0};
  V center = inside ? center_of<V, op>(a, k) : (V)0;
  int64_t end = (chunk + 1) * job.chunk;
  if (end > a.reduced_numel) end = a.reduced_numel;

  typename R::Acc sum = R::identity();
  if (inside)
    for (int64_t r = chunk * job.chunk + lane; r < end; r += kLanes) {
      int64_t x = at.x, rest_r = r;
      for (int d = a.kept + a.reduced - 1; d > a.kept; --d) {
        int64_t q = quotient(rest_r, a.size[d]);
        x += (rest_r - q * a.size[d]) * a.x_stride[d];
        rest_r = q;
      }
      x += rest_r * a.x_stride[a.kept];
      sum = R()(sum, R::map(load_scalar<V>(a.x, a.dtype, x), center));
    }
  partial[lane][column] = sum;
  __syncthreads();
  if (lane || !inside) return;
  for (int l = 1; l < kLanes; ++l) sum = R()(sum, partial[l][column]);
  put(a, a.chunks > 1, k, chunk, at.y, sum);
}

template <class V, ReduceOp op>
__global__ void __launch_bounds__(kThreads) combine_chunks(const __grid_constant__ ReduceJob job) {
  using R = Rule<V, op>;
  using Acc = typename R::Acc;
  const Reduce& a = job.a;
  int64_t k = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (k >= a.kept_numel) return;
  Acc sum = R::identity();
  for (int64_t c = 0; c < a.chunks; ++c) sum = R()(sum, static_cast<const Acc*>(a.workspace)[c * a.kept_numel + k]);
  put(a, false, k, 0, place_of(a, k).y, sum);
}

template <class V, ReduceOp op>
void launch_reduce(const Reduce& a) {
  ReduceJob job{a, walk_over(a.reduced, a.size + a.kept), false, 0};
  if (a.reduced_numel == 0) job.walk.groups = 0;
  if (reduces_columns(a) && a.reduced_numel > 0) {
    job.chunk = divide_up(a.reduced_numel, a.chunks);
    int64_t inner = a.size[a.kept - 1], blocks = divide_up(inner, kColumns) * (a.kept_numel / inner) * a.chunks;
    WEFT_LAUNCH((reduce_columns<V, op>), (unsigned)blocks, kThreads, 0, job);
  } else {
    job.chunk = divide_up(job.walk.groups, a.chunks);
    job.vectors = groups_are_vectors(a.x, size_of(a.dtype), a.reduced, a.size + a.kept, a.x_stride + a.kept);
    for (int d = 0; d < a.kept; ++d) job.vectors = job.vectors && (a.x_stride[d] % kGroup == 0 || a.size[d] == 1);
    int64_t units = a.kept_numel * a.chunks;
    int width = job.chunk <= kThreads ? 32 : kThreads;
    WEFT_LAUNCH((reduce_rows<V, op>), (unsigned)divide_up(units, kThreads / width), kThreads, 0, job, width);
  }
  if (a.chunks > 1) WEFT_LAUNCH((combine_chunks<V, op>), (unsigned)divide_up(a.kept_numel, kThreads), kThreads, 0, job);
}

template <class V>
void reduce_as(const Reduce& a) {
  switch (a.op) {
    case ReduceOp::Sum: return launch_reduce<V, ReduceOp::Sum>(a);
    case ReduceOp::Prod: return launch_reduce<V, ReduceOp::Prod>(a);
    case ReduceOp::Max: return launch_reduce<V, ReduceOp::Max>(a);
    case ReduceOp::Min: return launch_reduce<V, ReduceOp::Min>(a);
    case ReduceOp::AbsSum: return launch_reduce<V, ReduceOp::AbsSum>(a);
    case ReduceOp::SquareSum: return launch_reduce<V, ReduceOp::SquareSum>(a);
    case ReduceOp::CenteredSquareSum:
      if constexpr (std::is_floating_point_v<V>) launch_reduce<V, ReduceOp::CenteredSquareSum>(a);
      return;
    case ReduceOp::CountNonzero: return launch_reduce<V, ReduceOp::CountNonzero>(a);
    case ReduceOp::Any: return launch_reduce<V, ReduceOp::Any>(a);
    case ReduceOp::All: return launch_reduce<V, ReduceOp::All>(a);
  }
}

void reduce(const Reduce& a) {
  if (a.kept_numel == 0) return;
  if (a.dtype == DType::Float64) return reduce_as<double>(a);
  if (is_floating(a.dtype)) return reduce_as<float>(a);
  reduce_as<int64_t>(a);
}

}  // namespace

void fill(ReduceKernels& k) { k.reduce = reduce; }

}  // namespace weft::cuda
