#include "kernels/scan.h"

#include <cstddef>

#include "base/threads.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {
namespace {

template <class T>
struct Sum {
  using type = uint64_t;  // integers wrap around
};
template <>
struct Sum<float16> {
  using type = double;
};
template <>
struct Sum<bfloat16> {
  using type = double;
};
template <>
struct Sum<float> {
  using type = double;
};
template <>
struct Sum<double> {
  using type = double;
};

template <class T>
WEFT_INLINE auto widen(T x) {
  if constexpr (is_half(dtype_of<T>))
    return (double)to_float(x);
  else
    return (typename Sum<T>::type)x;
}
template <class T, class S>
WEFT_INLINE void put(T* y, S s) {
  if constexpr (is_half(dtype_of<T>))
    from_float(y, (float)s);
  else
    *y = (T)s;
}

constexpr int64_t kTile = 64;  // columns whose sums are kept at a time

template <class T>
void cumsum_typed(const CumulativeSum& a) {
  using S = typename Sum<T>::type;
  int64_t tiles = (a.inner + kTile - 1) / kTile, step = a.reverse ? -a.inner : a.inner;
  parallel_ranges(a.outer * tiles, 16 * 1024 / (a.n * kTile + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t first = i % tiles * kTile, width = a.inner - first < kTile ? a.inner - first : kTile;
      int64_t at = i / tiles * a.n * a.inner + first + (a.reverse ? (a.n - 1) * a.inner : 0);
      const T* x = static_cast<const T*>(a.x) + at;
      T* y = static_cast<T*>(a.y) + at;
      S sums[kTile] = {};
      for (int64_t k = 0; k < a.n; ++k, x += step, y += step)
        for (int64_t j = 0; j < width; ++j) {
          sums[j] += widen(x[j]);
          put(y + j, sums[j]);
        }
    }
  });
}

void cumsum(const CumulativeSum& a) {
  switch (a.dtype) {
    case DType::Bool: return;
    case DType::UInt8: return cumsum_typed<uint8_t>(a);
    case DType::Int8: return cumsum_typed<int8_t>(a);
    case DType::Int16: return cumsum_typed<int16_t>(a);
    case DType::Int32: return cumsum_typed<int32_t>(a);
    case DType::Int64: return cumsum_typed<int64_t>(a);
    case DType::Float16: return cumsum_typed<float16>(a);
    case DType::BFloat16: return cumsum_typed<bfloat16>(a);
    case DType::Float32: return cumsum_typed<float>(a);
    case DType::Float64: return cumsum_typed<double>(a);
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
  k.cumsum = cumsum;
  k.triangle = triangle;
}

}  // namespace weft::WEFT_ISA
