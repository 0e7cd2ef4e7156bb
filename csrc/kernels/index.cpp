#include "kernels/index.h"

#include "base/half.h"
#include "base/threads.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t kGrain = 64 * 1024;  // bytes a piece should move at least

void index_offsets(const IndexOffsets& a) {
  *a.bad = INT64_MAX;
  parallel_ranges(a.count, 16 * 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) a.offsets[i] = 0;
    int64_t first = INT64_MAX;
    for (int k = 0; k < a.indices; ++k) {
      const int64_t *index = a.index[k], size = a.size[k], stride = a.stride[k];
      int64_t wrong = 0;
      for (int64_t i = begin; i < end; ++i) {
        int64_t j = index[i] < 0 ? index[i] + size : index[i];
        wrong |= (uint64_t)j >= (uint64_t)size;
        a.offsets[i] += (int64_t)((uint64_t)j * (uint64_t)stride);  // wraps on nonsense; nobody reads it then
      }
      for (int64_t i = begin; wrong && i < end; ++i) {
        int64_t j = index[i] < 0 ? index[i] + size : index[i];
        if ((uint64_t)j < (uint64_t)size) continue;
        if (i * kMaxDims + k < first) first = i * kMaxDims + k;
        break;
      }
    }
    // The least of all pieces' findings is the same whoever comes first.
    int64_t seen = __atomic_load_n(a.bad, __ATOMIC_RELAXED);
    while (first < seen &&
           !__atomic_compare_exchange_n(a.bad, &seen, first, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  });
}

template <class T>
void gather_elements(const GatherRows& a, int64_t begin, int64_t end) {
  T* y = static_cast<T*>(a.y);
  const T* x = static_cast<const T*>(a.x);
  for (int64_t i = begin; i < end; ++i) y[i] = x[a.offsets[i]];
}

void gather_rows(const GatherRows& a) {
  int64_t size = size_of(a.dtype), bytes = a.cols * size;
  if (a.rows == 0 || bytes == 0) return;
  parallel_ranges(a.rows, kGrain / (bytes + 8) + 1, [&](int64_t begin, int64_t end) {
    if (a.cols == 1) switch (size) {
        case 1: return gather_elements<uint8_t>(a, begin, end);
        case 2: return gather_elements<uint16_t>(a, begin, end);
        case 4: return gather_elements<uint32_t>(a, begin, end);
        default: return gather_elements<uint64_t>(a, begin, end);
      }
    for (int64_t i = begin; i < end; ++i)
      __builtin_memcpy((char*)a.y + i * bytes, (const char*)a.x + a.offsets[i] * size, (size_t)bytes);
  });
}

// Pieces are ranges of columns, so that no two threads write the same place and rows are taken in order.
template <class F>
WEFT_INLINE void over_columns(const ScatterRows& a, const F& body) {
  if (a.rows == 0 || a.cols == 0) return;
  int64_t size = size_of(a.dtype), grain = kGrain / (a.rows * size) + 1, line = 256 / size;
  parallel_ranges(a.cols, (grain + line - 1) / line * line, body);
}

template <class T>
void scatter_elements(const ScatterRows& a) {
  T* y = static_cast<T*>(a.y);
  const T* x = static_cast<const T*>(a.x);
  for (int64_t i = 0; i < a.rows; ++i) y[a.offsets[i]] = x[i];
}

void scatter_copy(const ScatterRows& a) {
  int64_t size = size_of(a.dtype);
  if (a.cols == 1) switch (size) {
      case 1: return scatter_elements<uint8_t>(a);
      case 2: return scatter_elements<uint16_t>(a);
      case 4: return scatter_elements<uint32_t>(a);
      default: return scatter_elements<uint64_t>(a);
    }
  over_columns(a, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < a.rows; ++i)
      __builtin_memcpy((char*)a.y + (a.offsets[i] + begin) * size, (const char*)a.x + (i * a.cols + begin) * size,
                       (size_t)((end - begin) * size));
  });
}

template <class T, class Add>
WEFT_INLINE void scatter_add(const ScatterRows& a, const Add& add) {
  over_columns(a, [&](int64_t begin, int64_t end) {
    for (int64_t i = 0; i < a.rows; ++i) {
      T* WEFT_RESTRICT y = static_cast<T*>(a.y) + a.offsets[i];
      const T* WEFT_RESTRICT x = static_cast<const T*>(a.x) + i * a.cols;
      for (int64_t c = begin; c < end; ++c) y[c] = add(y[c], x[c]);
    }
  });
}

template <class T>
WEFT_INLINE void scatter_add_half(const ScatterRows& a) {
  scatter_add<T>(a, [](T y, T x) { return from_float<T>(to_float(y) + to_float(x)); });
}
template <class T>
WEFT_INLINE void scatter_add_plain(const ScatterRows& a) {
  scatter_add<T>(a, [](T y, T x) { return (T)(y + x); });
}

void scatter_rows(const ScatterRows& a) {
  if (!a.add) return scatter_copy(a);
  switch (a.dtype) {
    case DType::Bool: return scatter_add<uint8_t>(a, [](uint8_t y, uint8_t x) { return (uint8_t)(y | x); });
    case DType::UInt8:
    case DType::Int8: return scatter_add_plain<uint8_t>(a);
    case DType::Int16: return scatter_add_plain<uint16_t>(a);
    case DType::Int32: return scatter_add_plain<uint32_t>(a);
    case DType::Int64: return scatter_add_plain<uint64_t>(a);
    case DType::Float16: return scatter_add_half<float16>(a);
    case DType::BFloat16: return scatter_add_half<bfloat16>(a);
    case DType::Float32: return scatter_add_plain<float>(a);
    case DType::Float64: return scatter_add_plain<double>(a);
  }
}

}  // namespace

void fill(IndexKernels& k) {
  k.offsets = index_offsets;
  k.gather = gather_rows;
  k.scatter = scatter_rows;
}

}  // namespace weft::WEFT_ISA
