// Running results. Every scan here is of an associative step, so a row is cut among the threads of a block: each joins
// a few neighbours, warps join lanes by shuffles, and the tiles of a row follow one another. Columns are left to a
// thread each, which reads beside its neighbours.
#include "kernels/scan.h"

#include "convert.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256, kItems = 4, kWarps = kThreads / 32;

// What has been joined so far. `w` is the position of an extreme.
template <class V, class W>
struct State {
  V v;
  W w;
};

template <ScanOp op, class V>
struct Step {
  static constexpr bool extreme = op == ScanOp::Max || op == ScanOp::Min;
  using W = std::conditional_t<extreme, int64_t, V>;
  using S = State<V, W>;

  static WEFT_DEVICE S read(const Scan& a, int64_t at, int64_t k) {
    V x = load_scalar<V>(a.x, a.dtype, at);
    if constexpr (extreme) return {x, k};
    return {x, W{}};
  }
  static WEFT_DEVICE void write(const Scan& a, int64_t at, S s) {
    store_scalar<V>(a.y, a.dtype, at, s.v);
    if constexpr (extreme) a.indices[at] = s.w;
  }
  // b comes after a.
  static WEFT_DEVICE S join(S a, S b) {
    if constexpr (extreme) {
      bool later = b.v != b.v || (a.v == a.v && (op == ScanOp::Max ? b.v >= a.v : b.v <= a.v));
      return later ? b : a;
    } else if constexpr (op == ScanOp::Sum) {
      return {a.v + b.v, W{}};
    } else if constexpr (op == ScanOp::Prod) {
      return {a.v * b.v, W{}};
    } else {
      V high = a.v > b.v ? a.v : b.v, low = a.v > b.v ? b.v : a.v;
      if (high == low && high - high != 0) return {high, W{}};  // both the same infinity
      return {high + math::vlog1p(math::vexp(low - high)), W{}};
    }
  }
};

template <class S>
WEFT_DEVICE S from_lane(S s, int distance) {
  return {__shfl_up_sync(kAllLanes, s.v, (unsigned)distance), __shfl_up_sync(kAllLanes, s.w, (unsigned)distance)};
}

template <ScanOp op, class V>
__global__ void __launch_bounds__(kThreads) scan_rows(Scan a) {
  using F = Step<op, V>;
  using S = typename F::S;
  WEFT_SHARED(S, ends, [kWarps]);
  WEFT_SHARED(S, carried, [1]);
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int64_t row = blockIdx.x / a.inner * a.n * a.inner + blockIdx.x % a.inner;
  for (int64_t begin = 0; begin < a.n; begin += kThreads * kItems) {
    int64_t first = begin + threadIdx.x * kItems;
    int count = a.n - first < kItems ? (int)(a.n - first) : kItems;  // not above 0: nothing left for this thread
    S s[kItems];
    int64_t at[kItems];
#pragma unroll
    for (int i = 0; i < kItems; ++i) {
      int64_t k = a.reverse ? a.n - 1 - (first + i) : first + i;
      at[i] = row + k * a.inner;
      if (i < count) s[i] = F::read(a, at[i], k);
      if (i > 0 && i < count) s[i] = F::join(s[i - 1], s[i]);
    }
    // A thread with fewer items is followed by none that has any, so that what it passes on does not matter.
    S total = count > 0 ? s[count < kItems ? count - 1 : kItems - 1] : S{}, before = total;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
      S other = from_lane(total, distance);
      if (lane >= distance) total = F::join(other, total);
    }
    before = from_lane(total, 1);
    if (lane == 31) ends[warp] = total;
    __syncthreads();
    bool any = begin > 0 || warp > 0;
    S earlier = begin > 0 ? carried[0] : S{};
    for (int w = 0; w < warp; ++w) earlier = w == 0 && begin == 0 ? ends[0] : F::join(earlier, ends[w]);
    if (lane > 0) before = any ? F::join(earlier, before) : before;
    if (lane == 0) before = earlier;
    any = any || lane > 0;
    S last{};
#pragma unroll
    for (int i = 0; i < kItems; ++i)
      if (i < count) {
        last = any ? F::join(before, s[i]) : s[i];
        F::write(a, at[i], last);
      }
    __syncthreads();
    if (threadIdx.x == kThreads - 1) carried[0] = last;
    __syncthreads();
  }
}

template <ScanOp op, class V>
__global__ void __launch_bounds__(kThreads) scan_columns(Scan a) {
  using F = Step<op, V>;
  int64_t column = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (column >= a.outer * a.inner) return;
  int64_t top = column / a.inner * a.n * a.inner + column % a.inner;
  typename F::S s{};
  for (int64_t r = 0; r < a.n; ++r) {
    int64_t k = a.reverse ? a.n - 1 - r : r, at = top + k * a.inner;
    s = r == 0 ? F::read(a, at, k) : F::join(s, F::read(a, at, k));
    F::write(a, at, s);
  }
}

template <ScanOp op, class V>
void scan_as(const Scan& a) {
  int64_t rows = a.outer * a.inner;
  if (a.inner >= 32 || rows >= 4096 || a.n < 32)
    WEFT_LAUNCH((scan_columns<op, V>), (unsigned)divide_up(rows, kThreads), kThreads, 0, a);
  else
    WEFT_LAUNCH((scan_rows<op, V>), (unsigned)rows, kThreads, 0, a);
}

// Floats in double, integers modulo 2^64.
template <ScanOp op>
void scan_of(const Scan& a) {
  if (is_floating(a.dtype)) return scan_as<op, double>(a);
  if constexpr (op != ScanOp::LogSumExp) scan_as<op, int64_t>(a);
}

void scan(const Scan& a) {
  if (a.outer * a.n * a.inner == 0) return;
  switch (a.op) {
    case ScanOp::Sum: return scan_of<ScanOp::Sum>(a);
    case ScanOp::Prod: return scan_of<ScanOp::Prod>(a);
    case ScanOp::Max: return scan_of<ScanOp::Max>(a);
    case ScanOp::Min: return scan_of<ScanOp::Min>(a);
    case ScanOp::LogSumExp: return scan_of<ScanOp::LogSumExp>(a);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) triangle_elements(Triangle a) {
  int64_t total = a.batch * a.rows * a.cols;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < total; i += (int64_t)gridDim.x * kThreads) {
    int64_t offset = i % a.cols - i / a.cols % a.rows;
    bool kept = a.upper ? offset >= a.diagonal : offset <= a.diagonal;
    static_cast<T*>(a.y)[i] = kept ? static_cast<const T*>(a.x)[i] : T{};
  }
}

void triangle(const Triangle& a) {
  int64_t total = a.batch * a.rows * a.cols;
  if (total == 0) return;
  dispatch_size(size_of(a.dtype), [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((triangle_elements<T>), grid_for(total, kThreads), kThreads, 0, a);
  });
}

}  // namespace

void fill(ScanKernels& k) {
  k.scan = scan;
  k.triangle = triangle;
}

}  // namespace weft::cuda
