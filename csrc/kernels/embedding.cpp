#include "kernels/embedding.h"

#include "base/threads.h"
#include "simd/lanes.h"

namespace weft::WEFT_ISA {
namespace {

// Rows are short: what a call of memcpy costs counts.
WEFT_INLINE void copy_row(char* to, const char* from, int64_t bytes) {
  typedef char Some __attribute__((vector_size(WEFT_VEC_BYTES), aligned(1), may_alias));
  constexpr int64_t w = WEFT_VEC_BYTES;
  if (bytes < w) {
    __builtin_memcpy(to, from, (size_t)bytes);
    return;
  }
  for (int64_t i = 0; i + w < bytes; i += w) *(Some*)(to + i) = *(const Some*)(from + i);
  *(Some*)(to + bytes - w) = *(const Some*)(from + bytes - w);
}

int bits_of(int64_t x) { return x ? 64 - __builtin_clzll((uint64_t)x) : 1; }

// Ids and places, in one word each, sorted by a digit of the id at a time: nothing here is as long as the table. Four
// parts of the words take turns, with counters of their own, as an increment has to wait for the one before of the same
// counter: often used ids would keep all of them waiting.
void group(const EmbeddingGroup& a) {
  constexpr int kBits = 10, kParts = 4;
  const int place_bits = bits_of(a.n), id_bits = bits_of(a.rows);
  const int most = place_bits > kBits ? kBits : place_bits > 5 ? place_bits - 1 : 4;  // few words, few counters
  const int passes = (id_bits + most - 1) / most;
  const int digit_bits = (id_bits + passes - 1) / passes;
  const int64_t n = a.n, part = n / kParts, places = ((int64_t)1 << place_bits) - 1, digits = (int64_t)1 << digit_bits;
  const EmbeddingGroups g = a.g;
  const int64_t* ids = a.ids;
  const int64_t* from = nullptr;
  int64_t end[kParts << kBits];
  for (int pass = 0; pass < passes; ++pass) {
    int64_t* to = (passes - pass) % 2 ? g.order : a.workspace;
    const int shift = place_bits + pass * digit_bits;
    auto each = [=](int64_t* counters, auto body) {
      auto visit = [=](int64_t i, int64_t q) {
        const int64_t word = from ? from[i] : ids[i] << place_bits | i;
        body(word, counters[(word >> shift & (digits - 1)) * kParts + q]);
      };
      for (int64_t i = 0; i < part; ++i)
#pragma GCC unroll 4
        for (int64_t q = 0; q < kParts; ++q) visit(q * part + i, q);
      for (int64_t i = kParts * part; i < n; ++i) visit(i, kParts - 1);
    };
    __builtin_memset(end, 0, sizeof(int64_t) * (size_t)(kParts * digits));
    each(end, [](int64_t, int64_t& count) { ++count; });
    for (int64_t d = 0, sum = 0; d < kParts * digits; ++d) {
      const int64_t count = end[d];
      end[d] = sum;
      sum += count;
    }
    each(end, [=](int64_t word, int64_t& place) { to[place++] = word; });
    from = to;
  }
  // Without a branch on whether an id is new: each place ends the group that it belongs to.
  const int64_t padding = a.padding_row;
  int64_t groups = 0, kept = 0, last = -1;
  g.start[0] = 0;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t id = g.order[i] >> place_bits;
    if (id == padding) continue;
    groups += id != last;
    last = g.which[groups - 1] = id;
    g.order[kept] = g.order[i] & places;
    g.start[groups] = ++kept;
  }
  *g.count = groups;
}

// The first piece is the groups, which one thread makes while others copy.
void embedding_forward(const EmbeddingForward& a) {
  const int64_t bytes = a.cols * size_of(a.dtype), groups = a.also.n > 0;
  const Pieces cuts = cut(a.n, 64 * 1024 / (bytes + 8) + 1);
  *a.bad = INT64_MAX;
  auto copy = [&](int64_t piece) {
    const int64_t begin = piece * cuts.size, end = begin + cuts.size < a.n ? begin + cuts.size : a.n;
    for (int64_t i = begin; i < end; ++i) {
      if ((uint64_t)a.ids[i] >= (uint64_t)a.rows) {
        int64_t seen = __atomic_load_n(a.bad, __ATOMIC_RELAXED);
        while (i < seen && !__atomic_compare_exchange_n(a.bad, &seen, i, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
        return;
      }
      copy_row((char*)a.y + i * bytes, (const char*)a.weight + a.ids[i] * bytes, bytes);
    }
  };
  parallel(
      cuts.count + groups, [&](int64_t piece, int) { piece < groups ? group(a.also) : copy(piece - groups); }, 0,
      groups ? Order::Ascending : Order::Apart);
}

constexpr int64_t kAhead = 6;  // rows that are fetched before they are added

// Four vectors of the sum at a time.
template <class T>
void sum_rows(T* out, const void* dy, int64_t cols, const EmbeddingGroups& g, int64_t group, bool by_frequency) {
  using L = Lanes<T>;
  using V = typename L::V;
  constexpr int w = lanes<V>;
  const int64_t *which = g.order + g.start[group], count = g.start[group + 1] - g.start[group];
  const int64_t last = g.start[*g.count] - 1 - g.start[group];
  const T* rows = static_cast<const T*>(dy);
  const auto scale = (scalar_of<V>)(by_frequency ? 1.0 / (double)count : 1.0);
  int64_t c = 0;
  for (; c + 4 * w <= cols; c += 4 * w) {
    V s[4];
    auto each = [&](int64_t k, auto take) __attribute__((always_inline)) {
      const T *row = rows + which[k] * cols + c, *next = rows + which[k + kAhead < last ? k + kAhead : last] * cols + c;
#pragma GCC unroll 4
      for (int v = 0; v < 4; ++v) {
        __builtin_prefetch(next + v * w);
        take(s[v], L::get(row, v * w));
      }
    };
    each(0, [](V& sum, V x) __attribute__((always_inline)) { sum = x; });
    for (int64_t k = 1; k < count; ++k) each(k, [](V& sum, V x) __attribute__((always_inline)) { sum += x; });
#pragma GCC unroll 4
    for (int v = 0; v < 4; ++v) L::put(out, c + v * w, s[v] * scale);
  }
  over_vectors<T>(c, cols, [&](auto get, auto put) {
    auto sum = get(rows + which[0] * cols);
    for (int64_t k = 1; k < count; ++k) sum += get(rows + which[k] * cols);
    put(out, sum * scale);
  });
}

// The first of n ascending values that is not below x.
int64_t first_not_below(const int64_t* values, int64_t n, int64_t x) {
  int64_t low = 0, high = n;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (values[middle] < x)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

int64_t grain_of(int64_t row_bytes) { return 64 * 1024 / (row_bytes + 8) + 1; }

// Pieces are the groups that begin in a range of places: often used ids have more to add than others.
template <class T>
void sums_of(const EmbeddingSums& a) {
  const int64_t* start = a.g.start;
  parallel_ranges(start[a.groups], grain_of(a.cols * (int64_t)sizeof(T)), [&](int64_t begin, int64_t end) {
    for (int64_t k = first_not_below(start, a.groups, begin); k < a.groups && start[k] < end; ++k)
      sum_rows((T*)a.out + k * a.cols, a.dy, a.cols, a.g, k, false);
  });
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
    for (int64_t k = first_not_below(g.which, *g.count, begin); k < *g.count && g.which[k] < end; ++k) {
      clear(row, g.which[k]);
      row = g.which[k] + 1;
      sum_rows(dw + g.which[k] * a.cols, a.dy, a.cols, g, k, a.by_frequency);
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
