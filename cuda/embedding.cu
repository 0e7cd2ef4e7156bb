// Rows of a table by id. Backward: the block of the first token with an id sums the gradients of all tokens that have
// it.
#include "kernels/embedding.h"

#include "block.cuh"
#include "same.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

template <class T>
__global__ void __launch_bounds__(kThreads) embedding_rows(EmbeddingForward a) {
  int64_t n = a.n * a.cols;
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) {
    int64_t token = i / a.cols, col = i - token * a.cols, id = a.ids[token];
    if (id < 0 || id >= a.rows)
      atomicMin(reinterpret_cast<long long*>(a.bad), (long long)token);
    else
      static_cast<T*>(a.y)[i] = static_cast<const T*>(a.weight)[id * a.cols + col];
  }
}
__global__ void clear_bad(int64_t* bad) { *bad = INT64_MAX; }

template <class T>
__global__ void __launch_bounds__(kThreads) clear_rows(T* p, int64_t n) {
  for (int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x; i < n; i += (int64_t)gridDim.x * kThreads) p[i] = T{};
}

// A thread owns a column at a time, so that its sum stays in a register; the columns of a wide table go round the
// block.
template <class T>
__global__ void __launch_bounds__(kThreads) embedding_sums(EmbeddingBackward a) {
  using C = Wide<T>;
  int64_t token = blockIdx.x, id = a.ids[token];
  if (id == a.padding_row) return;
  auto key = [&](int64_t i) { return a.ids[i]; };
  if (!first_of_its_key(token, key)) return;
  for (int64_t first = 0; first < a.cols; first += kThreads) {
    int64_t c = first + threadIdx.x, count = 1;
    bool inside = c < a.cols;
    const T* dy = static_cast<const T*>(a.dy) + c;
    C sum = inside ? (C)widen(dy[token * a.cols]) : (C)0;
    for_each_later(token, a.n, key, [&](int64_t i) {
      if (inside) sum += widen(dy[i * a.cols]);
      ++count;
    });
    if (a.by_frequency) sum *= (C)(1.0 / (double)count);
    if (inside) static_cast<T*>(a.dweight)[id * a.cols + c] = narrow<T>(sum);
  }
}

// A block for each place: where it goes among those of its id and of lesser ones, and which group that is.
__global__ void __launch_bounds__(kThreads) mark_first(EmbeddingGroup a) {
  int64_t i = blockIdx.x;
  bool first = first_of_its_key(i, [&](int64_t k) { return a.ids[k]; });
  if (threadIdx.x == 0) a.workspace[i] = first && a.ids[i] != a.padding_row;
}
__global__ void __launch_bounds__(kThreads) place_groups(EmbeddingGroup a) {
  int64_t i = blockIdx.x, id = a.ids[i], before = 0, less = 0, groups = 0, all = 0, places = 0;
  for (int64_t k = threadIdx.x; k < a.n; k += kThreads) {
    bool kept = a.ids[k] != a.padding_row;
    places += kept;
    all += a.workspace[k];
    less += kept && a.ids[k] < id;
    groups += a.ids[k] < id ? a.workspace[k] : 0;
    before += k < i && a.ids[k] == id;
  }
  before = block_sum(before), less = block_sum(less), groups = block_sum(groups);
  all = block_sum(all), places = block_sum(places);
  if (threadIdx.x) return;
  if (i == 0) *a.g.count = all, a.g.start[all] = places;
  if (id == a.padding_row) return;
  a.g.order[less + before] = i;
  if (before) return;
  a.g.which[groups] = id;
  a.g.start[groups] = less;
}

template <class T>
__global__ void __launch_bounds__(kThreads) group_sums(EmbeddingSums a) {
  int64_t group = blockIdx.x;
  for (int64_t c = threadIdx.x; c < a.cols; c += kThreads) {
    Wide<T> sum = 0;
    for (int64_t k = a.g.start[group]; k < a.g.start[group + 1]; ++k)
      sum += widen(static_cast<const T*>(a.dy)[a.g.order[k] * a.cols + c]);
    static_cast<T*>(a.out)[group * a.cols + c] = narrow<T>(sum);
  }
}

void group(const EmbeddingGroup& a) {
  WEFT_LAUNCH(mark_first, (unsigned)a.n, kThreads, 0, a);
  WEFT_LAUNCH(place_groups, (unsigned)a.n, kThreads, 0, a);
}

void forward(const EmbeddingForward& a) {
  WEFT_LAUNCH(clear_bad, 1, 1, 0, a.bad);
  if (a.also.n) group(a.also);
  if (a.n * a.cols == 0) return;
  dispatch_size(size_of(a.dtype), [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((embedding_rows<T>), grid_for(a.n * a.cols, kThreads), kThreads, 0, a);
  });
}

void sums(const EmbeddingSums& a) {
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((group_sums<T>), (unsigned)a.groups, kThreads, 0, a);
  });
}

void backward(const EmbeddingBackward& a) {
  int64_t elements = a.rows * a.cols;
  if (elements == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((clear_rows<T>), grid_for(elements, kThreads), kThreads, 0, static_cast<T*>(a.dweight), elements);
    if (a.n) WEFT_LAUNCH((embedding_sums<T>), (unsigned)a.n, kThreads, 0, a);
  });
}

}  // namespace

void fill(EmbeddingKernels& k) {
  k.forward = forward;
  k.group = group;
  k.sums = sums;
  k.backward = backward;
}

}  // namespace weft::cuda
