#include "kernels/scan.h"

#include <cstddef>

#include "base/threads.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {
namespace {

template <class T>
WEFT_INLINE auto widen(T x) {
  if constexpr (is_half(dtype_of<T>))
    return (double)to_float(x);
  else if constexpr (is_floating(dtype_of<T>))
    return (double)x;
  else
    return (uint64_t)x;  // integers wrap around
}
template <class T>
using Wide = decltype(widen(T{}));

template <class T, class S>
WEFT_INLINE void put(T* y, S s) {
  if constexpr (is_half(dtype_of<T>))
    from_float(y, (float)s);
  else
    *y = (T)s;
}

constexpr int64_t kTile = 64;  // columns whose states are kept at a time

template <int N>
struct Count {
  static constexpr int value = N;
};

// step(state, i, k): element k of its slice is next, at i. Slices beside each other go together, each with its state:
// columns of a tile, or where elements follow each other a few rows.
template <class State, class Step>
WEFT_INLINE void along_rows(const Scan& a, State start, const Step& step) {
  constexpr int together = 4;
  int64_t n = a.n;
  auto slices = [&](int64_t i, auto count) __attribute__((always_inline)) {
    State states[together] = {start, start, start, start};
    for (int64_t r = 0; r < n; ++r) {
      int64_t k = a.reverse ? n - 1 - r : r;
#pragma GCC unroll 4
      for (int c = 0; c < count.value; ++c) step(states[c], (i + c) * n + k, k);
    }
  };
  parallel_ranges(a.outer, 16 * 1024 / (n + 1) / together * together + together, [&](int64_t begin, int64_t end) {
    for (; begin + together <= end; begin += together) slices(begin, Count<together>{});
    for (; begin < end; ++begin) slices(begin, Count<1>{});
  });
}

template <class State, class Step>
WEFT_INLINE void along(const Scan& a, State start, const Step& step) {
  if (a.inner == 1) return along_rows(a, start, step);
  int64_t tiles = (a.inner + kTile - 1) / kTile, n = a.n, inner = a.inner;
  int64_t grain = 16 * 1024 / (n * (inner < kTile ? inner : kTile) + 1) + 1;
  parallel_ranges(a.outer * tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      int64_t first = unit % tiles * kTile, width = inner - first < kTile ? inner - first : kTile;
      State states[kTile];
      for (int64_t j = 0; j < width; ++j) states[j] = start;
      for (int64_t r = 0; r < n; ++r) {
        int64_t k = a.reverse ? n - 1 - r : r, at = (unit / tiles * n + k) * inner + first;
        for (int64_t j = 0; j < width; ++j) step(states[j], at + j, k);
      }
    }
  });
}

template <class T>
struct Extreme {
  T value;
  int64_t at;
};

template <class T, bool Max>
void scan_extremes(const Scan& a) {
  auto* y = static_cast<T*>(a.y);
  auto* x = static_cast<const T*>(a.x);
  int64_t *indices = a.indices, first = a.reverse ? a.n - 1 : 0;
  along(a, Extreme<T>{}, [=](Extreme<T>& best, int64_t i, int64_t k) __attribute__((always_inline)) {
    auto number = [](T v) {
      if constexpr (is_half(dtype_of<T>))
        return to_float(v);
      else
        return v;
    };
    auto v = number(x[i]), b = number(best.value);
    if (k == first || v != v || (b == b && (Max ? v >= b : v <= b))) best = {x[i], k};
    y[i] = best.value;
    indices[i] = best.at;
  });
}

WEFT_INLINE double log_add_exp(double p, double q) {
  double high = p > q ? p : q, low = p > q ? q : p;
  if (high == low && high - high != 0) return high;  // both the same infinity
  return high + __builtin_log1p(__builtin_exp(low - high));
}

template <class T>
void scan_typed(const Scan& a) {
  using S = Wide<T>;
  auto* y = static_cast<T*>(a.y);
  auto* x = static_cast<const T*>(a.x);
  if (a.op == ScanOp::Max) return scan_extremes<T, true>(a);
  if (a.op == ScanOp::Min) return scan_extremes<T, false>(a);
  if (a.op == ScanOp::Sum)
    return along(a, S{0},
                 [=](S& s, int64_t i, int64_t) __attribute__((always_inline)) { put(y + i, s += widen(x[i])); });
  if (a.op == ScanOp::Prod)
    return along(a, S{1},
                 [=](S& s, int64_t i, int64_t) __attribute__((always_inline)) { put(y + i, s *= widen(x[i])); });
  if constexpr (is_floating(dtype_of<T>))
    along(a, -(double)__builtin_inf(), [=](double& s, int64_t i, int64_t) __attribute__((always_inline)) {
      put(y + i, s = log_add_exp(s, widen(x[i])));
    });
}

void scan(const Scan& a) {
  switch (a.dtype) {
    case DType::Bool:
    case DType::UInt8: return scan_typed<uint8_t>(a);
    case DType::Int8: return scan_typed<int8_t>(a);
    case DType::Int16: return scan_typed<int16_t>(a);
    case DType::Int32: return scan_typed<int32_t>(a);
    case DType::Int64: return scan_typed<int64_t>(a);
    case DType::Float16: return scan_typed<float16>(a);
    case DType::BFloat16: return scan_typed<bfloat16>(a);
    case DType::Float32: return scan_typed<float>(a);
    case DType::Float64: return scan_typed<double>(a);
  }
}

void triangle(const Triangle& a) {
  int64_t size = size_of(a.dtype), bytes = a.cols * size;
  parallel_ranges(a.batch * a.rows, 64 * 1024 / (bytes + 8) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      // The kept columns: [from, to).
      int64_t split = i % a.rows + a.diagonal + (a.upper ? 0 : 1);
      split = split < 0 ? 0 : split > a.cols ? a.cols : split;
      int64_t from = a.upper ? split : 0, to = a.upper ? a.cols : split;
      char* y = static_cast<char*>(a.y) + i * bytes;
      const char* x = static_cast<const char*>(a.x) + i * bytes;
      __builtin_memset(y, 0, (size_t)(from * size));
      __builtin_memcpy(y + from * size, x + from * size, (size_t)((to - from) * size));
      __builtin_memset(y + to * size, 0, (size_t)((a.cols - to) * size));
    }
  });
}

}  // namespace

void fill(ScanKernels& k) {
  k.scan = scan;
  k.triangle = triangle;
}

}  // namespace weft::WEFT_ISA
