#include "kernels/gather.h"

#include "base/threads.h"
#include "simd/vec.h"

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

template <class Args>
bool right_part(const Args& a, const Part& p) {
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

template <class T>
void gather_elements(const Gather& a) {
  over_columns(a.outer, a.count, a.inner, [&](const Part& p) {
    if (a.inner == 1 && !right_part(a, p)) return;
    for (int64_t o = p.o; o < p.last; ++o) {
      const T* x = static_cast<const T*>(a.x) + o * a.size * a.inner;
      T* y = static_cast<T*>(a.y) + o * a.count * a.inner;
      const int64_t* index = a.index + o * a.count * a.inner;
      if (a.inner == 1)
        for (int64_t k = 0; k < a.count; ++k) y[k] = x[index[k]];
      else
        for (int64_t k = 0; k < a.count; ++k)
          for (int64_t j = p.begin; j < p.end; ++j) y[k * a.inner + j] = x[index[k * a.inner + j] * a.inner + j];
    }
  });
}

void gather(const Gather& a) {
  *a.bad = INT64_MAX;
  if (a.inner > 1) {  // columns are read by pieces that are narrow
    check({a.bad, a.index, a.outer * a.count * a.inner, a.size});
    if (*a.bad != INT64_MAX || interrupted()) return;
  }
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
