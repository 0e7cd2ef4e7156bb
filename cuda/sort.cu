// Sorting rows, a block each: keys in the order of the values, least significant digit first. A tile of as many items
// as threads is placed at a time, so that equal digits keep their order; only integers are added by atomics.
#include "kernels/sort.h"

#include <cstring>
#include <utility>

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256, kWarps = kThreads / 32, kDigits = 256;
static_assert(kDigits == kThreads, "a thread looks after a digit");

template <class Key>
struct Item {
  Key key;
  uint32_t at;
};

template <class To, class From>
WEFT_DEVICE To bits_of(From x) {
  To to;
  memcpy(&to, &x, sizeof to);
  return to;
}
// As in csrc/kernels/sort.cpp: NaN above all, -0 with 0.
template <class T>
struct KeyOf {
  using type = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
};
template <class T>
WEFT_DEVICE typename KeyOf<T>::type key_of(T value) {
  using Key = typename KeyOf<T>::type;
  constexpr Key top = (Key)1 << (8 * sizeof(Key) - 1);
  auto x = widen(value);
  if constexpr (std::is_floating_point_v<decltype(x)>) {
    if (x != x) return ~(Key)0;
    Key bits = bits_of<Key>(x == 0 ? decltype(x)(0) : x);
    return bits & top ? ~bits : bits | top;
  } else if constexpr (std::is_signed_v<T>) {
    return (Key)x ^ top;
  } else {
    return (Key)x;
  }
}

struct Counters {
  uint32_t next[kDigits];             // where the next item of a digit goes
  uint32_t of_warp[kWarps][kDigits];  // and that of each warp in the tile
  uint32_t sums[kWarps];
};

// Turns counts into places, one thread a digit.
WEFT_DEVICE void add_up(Counters& c) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  uint32_t own = c.next[threadIdx.x], sum = own;
#pragma unroll
  for (int distance = 1; distance < 32; distance *= 2) {
    uint32_t other = __shfl_up_sync(kAllLanes, sum, (unsigned)distance);
    if (lane >= distance) sum += other;
  }
  if (lane == 31) c.sums[warp] = sum;
  __syncthreads();
  for (int w = 0; w < warp; ++w) sum += c.sums[w];
  c.next[threadIdx.x] = sum - own;
  __syncthreads();
}

// Returns where the result is: in `a` or in `b`.
template <class Key>
WEFT_DEVICE Item<Key>* radix_sort(Item<Key>* a, Item<Key>* b, int64_t n, Counters& c) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int shift = 0; shift < 8 * (int)sizeof(Key); shift += 8) {
    __syncthreads();
    c.next[threadIdx.x] = 0;
    __syncthreads();
    for (int64_t i = threadIdx.x; i < n; i += kThreads) atomicAdd(&c.next[(a[i].key >> shift) & 255], 1u);
    __syncthreads();
    bool same = c.next[(a[0].key >> shift) & 255] == (uint32_t)n;
    __syncthreads();
    if (same) continue;
    add_up(c);
    for (int64_t begin = 0; begin < n; begin += kThreads) {
      for (int w = 0; w < kWarps; ++w) c.of_warp[w][threadIdx.x] = 0;
      __syncthreads();
      int64_t i = begin + threadIdx.x;
      Item<Key> item = i < n ? a[i] : Item<Key>{};
      int digit = i < n ? (int)((item.key >> shift) & 255) : kDigits;
      unsigned alike = __match_any_sync(kAllLanes, digit);
      int rank = __popc(alike & ((1u << lane) - 1));
      if (digit < kDigits && rank == 0) c.of_warp[warp][digit] = (uint32_t)__popc(alike);
      __syncthreads();
      uint32_t place = c.next[threadIdx.x];
      for (int w = 0; w < kWarps; ++w) {
        uint32_t count = c.of_warp[w][threadIdx.x];
        c.of_warp[w][threadIdx.x] = place;
        place += count;
      }
      c.next[threadIdx.x] = place;
      __syncthreads();
      if (digit < kDigits) b[c.of_warp[warp][digit] + rank] = item;
      __syncthreads();
    }
    Item<Key>* t = a;
    a = b;
    b = t;
  }
  __syncthreads();
  return a;
}

template <class T, class Args>
WEFT_DEVICE Item<typename KeyOf<T>::type>* sorted_row(const Args& a, bool descending, Counters& c) {
  using Key = typename KeyOf<T>::type;
  auto* items =
      reinterpret_cast<Item<Key>*>(static_cast<char*>(a.workspace) + blockIdx.x * sort_scratch(a.cols, a.dtype));
  const T* x = static_cast<const T*>(a.x) + (int64_t)blockIdx.x * a.cols;
  for (int64_t i = threadIdx.x; i < a.cols; i += kThreads)
    items[i] = {descending ? (Key)~key_of(x[i]) : key_of(x[i]), (uint32_t)i};
  return radix_sort(items, items + a.cols, a.cols, c);
}

template <class T>
__global__ void __launch_bounds__(kThreads) sort_rows(Sort a) {
  WEFT_SHARED(Counters, counters, [1]);
  auto* items = sorted_row<T>(a, a.descending, counters[0]);
  const T* x = static_cast<const T*>(a.x) + (int64_t)blockIdx.x * a.cols;
  for (int64_t i = threadIdx.x; i < a.k; i += kThreads) {
    int64_t to = (int64_t)blockIdx.x * a.k + i;
    a.indices[to] = items[i].at;
    static_cast<T*>(a.values)[to] = x[items[i].at];
  }
}

// The first of n ascending items whose key is not below this one.
template <class Key>
WEFT_DEVICE int64_t lower_bound(const Item<Key>* items, int64_t n, Key key) {
  int64_t low = 0, high = n;
  while (low < high) {
    int64_t middle = (low + high) / 2;
    if (items[middle].key < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

struct Run {
  int64_t length, end;
};
struct Longer {  // the first of the longest
  WEFT_DEVICE Run operator()(Run a, Run b) const {
    return b.length > a.length || (b.length == a.length && b.end < a.end) ? b : a;
  }
};

template <class Key>
WEFT_DEVICE int64_t end_of_longest_run(const Item<Key>* items, int64_t n, Run* runs) {
  Run best{0, n};
  for (int64_t i = threadIdx.x; i < n; i += kThreads)
    if (i + 1 == n || items[i + 1].key != items[i].key)
      best = Longer{}(best, {i + 1 - lower_bound(items, n, items[i].key), i});
  runs[threadIdx.x] = best;
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if ((int)threadIdx.x < half) runs[threadIdx.x] = Longer{}(runs[threadIdx.x], runs[threadIdx.x + half]);
    __syncthreads();
  }
  return runs[0].end;
}

template <class T>
__global__ void __launch_bounds__(kThreads) pick_rows(Pick a) {
  using Key = typename KeyOf<T>::type;
  WEFT_SHARED(Counters, counters, [1]);
  WEFT_SHARED(Run, runs, [kThreads]);
  auto* items = sorted_row<T>(a, false, counters[0]);
  int64_t n = a.cols, k = a.k;
  if (a.op == PickOp::Mode) {
    k = end_of_longest_run(items, n, runs);
  } else if (a.op != PickOp::Kth) {
    int64_t numbers = n;
    if constexpr (is_floating(dtype_of<T>)) numbers = lower_bound(items, n, ~(Key)0);
    k = a.op == PickOp::Median && numbers < n ? numbers : numbers ? (numbers - 1) / 2 : 0;
  }
  if (threadIdx.x > 0) return;
  a.indices[blockIdx.x] = items[k].at;
  static_cast<T*>(a.values)[blockIdx.x] = static_cast<const T*>(a.x)[(int64_t)blockIdx.x * n + items[k].at];
}

template <class Args>
void launch_sort(const Args& a) {
  if (a.rows == 0 || a.cols == 0) return;
  dispatch_all(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if constexpr (std::is_same_v<Args, Sort>)
      WEFT_LAUNCH((sort_rows<T>), (unsigned)a.rows, kThreads, 0, a);
    else
      WEFT_LAUNCH((pick_rows<T>), (unsigned)a.rows, kThreads, 0, a);
  });
}

// Whether row p comes after row q.
template <class T>
WEFT_DEVICE bool row_after(const RowOrder& a, int64_t p, int64_t q) {
  const T *x = static_cast<const T*>(a.x) + p * a.cols, *y = static_cast<const T*>(a.x) + q * a.cols;
  for (int64_t j = 0; j < a.cols; ++j) {
    auto u = key_of(x[j]), v = key_of(y[j]);
    if (u != v) return u > v;
  }
  return false;
}

__global__ void __launch_bounds__(kThreads) count_rows(int64_t* order, int64_t n) {
  int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (i < n) order[i] = i;
}

// Runs of `run` rows in order become runs of twice that: a row's place is its place in its own run, and the number of
// rows of the other run before it, which of equals are those of the left one.
template <class T>
__global__ void __launch_bounds__(kThreads) merge_rows(RowOrder a, const int64_t* from, int64_t* to, int64_t run) {
  int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (i >= a.rows) return;
  int64_t begin = i / (2 * run) * (2 * run);
  bool left = i < begin + run;
  int64_t other = left ? begin + run : begin, end = other + run < a.rows ? other + run : a.rows;
  int64_t low = other, high = end > other ? end : other;
  while (low < high) {
    int64_t middle = low + (high - low) / 2;
    bool before = left ? row_after<T>(a, from[i], from[middle]) : !row_after<T>(a, from[middle], from[i]);
    low = before ? middle + 1 : low;
    high = before ? high : middle;
  }
  to[begin + (i - (left ? begin : begin + run)) + (low - other)] = from[i];
}

void order(const RowOrder& a) {
  if (a.rows == 0) return;
  unsigned blocks = (unsigned)divide_up(a.rows, kThreads);
  int64_t *from = a.order, *to = a.scratch;
  int passes = 0;
  for (int64_t run = 1; run < a.rows; run *= 2) ++passes;
  if (passes % 2) std::swap(from, to);  // so that the last pass writes a.order
  WEFT_LAUNCH(count_rows, blocks, kThreads, 0, from, a.rows);
  dispatch_all(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    for (int64_t run = 1; run < a.rows; run *= 2) {
      WEFT_LAUNCH((merge_rows<T>), blocks, kThreads, 0, a, from, to, run);
      std::swap(from, to);
    }
  });
}

}  // namespace

void fill(SortKernels& k) {
  k.sort = launch_sort<Sort>;
  k.pick = launch_sort<Pick>;
  k.order = order;
}

}  // namespace weft::cuda
