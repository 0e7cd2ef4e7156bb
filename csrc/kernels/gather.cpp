#include "kernels/gather.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // elements a piece

// Whether n indices are right; if not, *bad knows the first of them, which `at` precede, or an earlier one.
bool right(const int64_t* index, int64_t n, int64_t size, int64_t at, int64_t* bad) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < n; ++i) wrong |= (uint64_t)index[i] >= (uint64_t)size;
  if (!wrong) return true;
  while ((uint64_t)*index < (uint64_t)size) ++index, ++at;
  int64_t seen = __atomic_load_n(bad, __ATOMIC_RELAXED);
  while (at < seen && !__atomic_compare_exchange_n(bad, &seen, at, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  return false;
}

void check(const IndexCheck& a) {
  *a.bad = INT64_MAX;
  parallel_ranges(a.n, kGrain,
                  [&](int64_t begin, int64_t end) { right(a.index + begin, end - begin, a.size, begin, a.bad); });
}

// Columns begin to end of outer blocks o to last: all columns, or one block.
struct Part {
  int64_t o, last, begin, end;
};

bool right_part(const Scatter& a, const Part& p) {
  const int64_t block = a.count * a.inner, at = p.o * block;
  if (p.end - p.begin == a.inner) return right(a.index + at, (p.last - p.o) * block, a.size, at, a.bad);
  for (int64_t i = at + p.begin; i < at + block; i += a.inner)
    if (!right(a.index + i, p.end - p.begin, a.size, i, a.bad)) return false;
  return true;
}

// body(part) for parts that share no place of x; `depth` elements of a column are touched.
template <class F>
WEFT_INLINE void over_columns(int64_t outer, int64_t depth, int64_t inner, const F& body) {
  if (outer * depth * inner == 0) return;
  // Tiles of whole lines, as much as the second cache holds: all pages are walked through once for each tile.
  int64_t width = 4 * kGrain / depth < inner / 4 ? 4 * kGrain / depth : inner / 4;
  width = depth * inner <= kGrain ? inner : (width / 16 + 1) * 16;
  int64_t tiles = (inner + width - 1) / width, group = kGrain / (depth * inner) + 1;
  if (tiles > 1)
    return parallel(outer * tiles, [&](int64_t piece, int) {
      int64_t begin = piece % tiles * width, o = piece / tiles;
      body(Part{o, o + 1, begin, begin + width < inner ? begin + width : inner});
    });
  parallel_ranges(outer, group, [&](int64_t o, int64_t last) { body(Part{o, last, 0, inner}); });
}

// y[j] = x[index[j]], of columns x[index[j] * inner + j], for n indices that are right. Meanwhile it is asked for what
// is wanted next: the indices and the place of the outputs that come `ahead` elements later, and x from `soon` on.
template <bool Columns, class T>
WEFT_INLINE void follow(T* WEFT_RESTRICT y, const T* x, const int64_t* index, int64_t n, int64_t inner, int64_t ahead,
                        const T* soon) {
  constexpr int64_t L = 16;
  int64_t j = 0;
  for (; j + L <= n; j += L) {
    __builtin_prefetch(index + j + ahead);
    __builtin_prefetch(index + j + ahead + L / 2);
    __builtin_prefetch(y + j + ahead, 1);
    __builtin_prefetch(soon + j);
#pragma GCC unroll 16
    for (int64_t i = j; i < j + L; ++i) y[i] = x[Columns ? index[i] * inner + i : index[i]];
  }
  for (; j < n; ++j) y[j] = x[Columns ? index[j] * inner + j : index[j]];
}

template <class T>
void gather_rows(const Gather& a) {
  constexpr int64_t chunk = 512;  // indices are followed while they are in the first cache
  parallel_ranges(a.outer * a.count, kGrain, [&](int64_t begin, int64_t end) {
    int64_t o = begin / a.count, k = begin % a.count;
    for (int64_t i = begin, checked = begin; i < end;) {
      if (i == checked) {
        const int64_t m = end - i < chunk ? end - i : chunk;
        if (!right(a.index + i, m, a.size, i, a.bad)) return;
        checked += m;
      }
      const int64_t n = a.count - k < checked - i ? a.count - k : checked - i;
      const T* x = static_cast<const T*>(a.x) + o * a.size;
      follow<false>(static_cast<T*>(a.y) + i, x, a.index + i, n, 1, kAhead / 8, k < a.size ? x + a.size + k : x);
      i += n;
      if ((k += n) == a.count) ++o, k = 0;
    }
  });
}

// Columns of x by tiles that the second cache holds, of whole lines; a piece is some outputs of each column of a tile.
template <class T>
void gather_columns(const Gather& a) {
  const int64_t narrow = (2 * kGrain / (a.size + 1) / 16 + 1) * 16;
  const int64_t width = a.size * a.inner <= 2 * kGrain || narrow > a.inner ? a.inner : narrow;
  const int64_t tiles = (a.inner + width - 1) / width, rows = kGrain / width + 1, blocks = (a.count + rows - 1) / rows;
  const int64_t ahead = (kAhead / 8 / width + 1) * a.inner;
  parallel(
      a.outer * tiles * blocks,
      [&](int64_t piece, int) {
        const int64_t o = piece / (tiles * blocks), from = piece / blocks % tiles * width;
        const int64_t first = o * a.count + piece % blocks * rows, end = (o + 1) * a.count;
        const int64_t last = first + rows < end ? first + rows : end,
                      n = a.inner - from < width ? a.inner - from : width;
        const T* x = static_cast<const T*>(a.x) + o * a.size * a.inner + from;
        const bool whole = tiles == 1;
        if (whole && !right(a.index + first * n, (last - first) * n, a.size, first * n, a.bad)) return;
        for (int64_t row = first; row < last; ++row) {
          const int64_t at = row * a.inner + from;
          if (!whole && !right(a.index + at, n, a.size, at, a.bad)) return;
          const int64_t k = row - o * a.count;  // of the tile to the right as much as there is of this one
          follow<true>(static_cast<T*>(a.y) + at, x, a.index + at, n, a.inner, ahead,
                       k < a.size ? x + k * a.inner + width : x);
        }
      },
      0, Order::Apart);
}

template <class T>
void gather_elements(const Gather& a) {
  a.inner == 1 ? gather_rows<T>(a) : gather_columns<T>(a);
}

void gather(const Gather& a) {
  *a.bad = INT64_MAX;
  if (a.outer * a.count * a.inner == 0) return;
  switch (size_of(a.dtype)) {
    case 1: return gather_elements<uint8_t>(a);
    case 2: return gather_elements<uint16_t>(a);
    case 4: return gather_elements<uint32_t>(a);
    default: return gather_elements<uint64_t>(a);
  }
}

template <class T, class Put>
WEFT_INLINE void scatter_elements(const Scatter& a, const Put& put) {
  const bool copy = a.from != a.x;
  over_columns(a.outer, a.count + (copy ? a.size : 0), a.inner, [&](const Part& p) {
    if (a.bad && !right_part(a, p)) return;
    const int64_t first = p.o * a.size;
    if (copy)
      __builtin_memcpy(static_cast<T*>(a.x) + first, static_cast<const T*>(a.from) + first,
                       (size_t)((p.last - p.o) * a.size) * sizeof(T));
    for (int64_t o = p.o; o < p.last; ++o) {
      T* x = static_cast<T*>(a.x) + o * a.size * a.inner;
      const T* src = static_cast<const T*>(a.src) + o * a.count * a.inner * a.src_step;
      const int64_t* index = a.index + o * a.count * a.inner;
      if (a.inner == 1)
        for (int64_t k = 0; k < a.count; ++k) put(x[index[k]], src[k * a.src_step]);
      else
        for (int64_t k = 0; k < a.count; ++k)
          for (int64_t j = p.begin; j < p.end; ++j) {
            int64_t i = k * a.inner + j;
            put(x[index[i] * a.inner + j], src[i * a.src_step]);
          }
    }
  });
}

template <class T>
void set(const Scatter& a) {
  scatter_elements<T>(a, [](T& x, T v) { x = v; });
}

template <class T, class F>
WEFT_INLINE void combine(const Scatter& a, const F& f) {
  if constexpr (is_half(dtype_of<T>))
    scatter_elements<T>(a, [&](T& x, T v) { from_float(&x, f(to_float(x), to_float(v))); });
  else
    scatter_elements<T>(a, [&](T& x, T v) { x = (T)f(x, v); });
}

template <class F>
void combine_any(const Scatter& a, const F& f) {
  switch (a.dtype) {
    case DType::Bool:
    case DType::UInt8: return combine<uint8_t>(a, f);
    case DType::Int8: return combine<int8_t>(a, f);
    case DType::Int16: return combine<int16_t>(a, f);
    case DType::Int32: return combine<int32_t>(a, f);
    case DType::Int64: return combine<int64_t>(a, f);
    case DType::Float16: return combine<float16>(a, f);
    case DType::BFloat16: return combine<bfloat16>(a, f);
    case DType::Float32: return combine<float>(a, f);
    case DType::Float64: return combine<double>(a, f);
  }
}

void scatter(const Scatter& a) {
  if (a.bad) *a.bad = INT64_MAX;
  auto sum = [](auto x, auto v) { return x + v; };
  auto product = [](auto x, auto v) { return x * v; };
  auto greatest = [](auto x, auto v) { return v != v || v > x ? v : x; };
  auto least = [](auto x, auto v) { return v != v || v < x ? v : x; };
  switch (a.op) {
    case ScatterOp::Add: return a.dtype == DType::Bool ? combine_any(a, greatest) : combine_any(a, sum);
    case ScatterOp::Mul: return combine_any(a, product);
    case ScatterOp::Max: return combine_any(a, greatest);
    case ScatterOp::Min: return combine_any(a, least);
    case ScatterOp::Set: break;
  }
  switch (size_of(a.dtype)) {
    case 1: return set<uint8_t>(a);
    case 2: return set<uint16_t>(a);
    case 4: return set<uint32_t>(a);
    default: return set<uint64_t>(a);
  }
}

}  // namespace

void fill(GatherKernels& k) {
  k.check = check;
  k.gather = gather;
  k.scatter = scatter;
}

}  // namespace weft::WEFT_ISA
