#include "kernels/embedding.h"

#include "base/threads.h"
#include "simd/lanes.h"

namespace weft::WEFT_ISA {
namespace {

void embedding_forward(const EmbeddingForward& a) {
  int64_t bytes = a.cols * size_of(a.dtype);
  *a.bad = INT64_MAX;
  parallel_ranges(a.n, 64 * 1024 / (bytes + 8) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      if ((uint64_t)a.ids[i] >= (uint64_t)a.rows) {
        int64_t seen = __atomic_load_n(a.bad, __ATOMIC_RELAXED);
        while (i < seen && !__atomic_compare_exchange_n(a.bad, &seen, i, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
        return;
      }
      __builtin_memcpy((char*)a.y + i * bytes, (const char*)a.weight + a.ids[i] * bytes, (size_t)bytes);
    }
  });
}

// The places sorted by their ids, 11 bits at a time: nothing here is as long as the table.
void group(const EmbeddingGroup& a) {
  constexpr int kBits = 11;
  constexpr int64_t kDigits = 1 << kBits;
  int passes = 1;
  while (passes * kBits < 63 && a.rows >> (passes * kBits)) ++passes;
  int64_t n = a.n, end[kDigits];
  const int64_t* from = nullptr;
  for (int pass = 0; pass < passes; ++pass) {
    int64_t* to = (passes - pass) % 2 ? a.g.order : a.workspace;
    auto place = [&](int64_t i) { return from ? from[i] : i; };
    auto digit = [&](int64_t at) { return a.ids[at] >> (pass * kBits) & (kDigits - 1); };
    __builtin_memset(end, 0, sizeof(end));
    for (int64_t i = 0; i < n; ++i) ++end[digit(place(i))];
    for (int64_t d = 0, sum = 0; d < kDigits; ++d) {
      const int64_t count = end[d];
      end[d] = sum;
      sum += count;
    }
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = place(i);
      to[end[digit(at)]++] = at;
    }
    from = to;
  }
  int64_t groups = 0, kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = a.g.order[i], id = a.ids[at];
    if (id == a.padding_row) continue;
    if (groups == 0 || a.g.which[groups - 1] != id) {
      a.g.which[groups] = id;
      a.g.start[groups++] = kept;
    }
    a.g.order[kept++] = at;
  }
  a.g.start[groups] = kept;
  *a.g.count = groups;
}

template <class T>
WEFT_INLINE void sum_rows(T* out, const void* dy, int64_t cols, const EmbeddingGroups& g, int64_t group,
                          bool by_frequency) {
  const int64_t *which = g.order + g.start[group], count = g.start[group + 1] - g.start[group];
  const T* rows = static_cast<const T*>(dy);
  auto scale = (scalar_of<typename Lanes<T>::V>)(by_frequency ? 1.0 / (double)count : 1.0);
  over_vectors<T>(0, cols, [&](auto get, auto put) {
    auto sum = get(rows + which[0] * cols);
    for (int64_t k = 1; k < count; ++k) sum += get(rows + which[k] * cols);
    put(out, sum * scale);
  });
}

int64_t grain_of(int64_t row_bytes) { return 64 * 1024 / (row_bytes + 8) + 1; }

template <class T>
void sums_of(const EmbeddingSums& a) {
  parallel_ranges(a.groups, grain_of(a.cols * (int64_t)sizeof(T)), [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) sum_rows<T>((T*)a.out + k * a.cols, a.dy, a.cols, a.g, k, false);
  });
}

// The first group of row `row` or a later one.
int64_t first_group(const EmbeddingGroups& g, int64_t row) {
  int64_t low = 0, high = *g.count;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (g.which[middle] < row)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// No two threads write the same place, and long gaps between groups are cleared at once.
template <class T>
void embedding_backward(const EmbeddingBackward& a) {
  const int64_t n = a.n + 1;
  const EmbeddingGroups g{a.workspace, a.workspace + n, a.workspace + 2 * n, a.workspace + 3 * n};
  group({g, a.ids, a.workspace + 4 * n, a.n, a.rows, a.padding_row});
  T* dw = static_cast<T*>(a.dweight);
  parallel_ranges(a.rows, grain_of(a.cols * (int64_t)sizeof(T)), [&](int64_t begin, int64_t end) {
    auto clear = [&](int64_t from, int64_t to) {
      if (to > from) __builtin_memset(dw + from * a.cols, 0, (size_t)((to - from) * a.cols) * sizeof(T));
    };
    int64_t row = begin;
    for (int64_t k = first_group(g, begin); k < *g.count && g.which[k] < end; ++k) {
      clear(row, g.which[k]);
      row = g.which[k] + 1;
      sum_rows<T>(dw + g.which[k] * a.cols, a.dy, a.cols, g, k, a.by_frequency);
    }
    clear(row, end);
  });
}

#define WEFT_BY_DTYPE(call)                         \
  switch (a.dtype) {                                \
    case DType::Float16: return call<float16>(a);   \
    case DType::BFloat16: return call<bfloat16>(a); \
    case DType::Float64: return call<double>(a);    \
    default: return call<float>(a);                 \
  }
void sums(const EmbeddingSums& a) { WEFT_BY_DTYPE(sums_of) }
void backward(const EmbeddingBackward& a) { WEFT_BY_DTYPE(embedding_backward) }

}  // namespace

void fill(EmbeddingKernels& k) {
  k.forward = embedding_forward;
  k.group = group;
  k.sums = sums;
  k.backward = backward;
}

}  // namespace weft::WEFT_ISA
