#include "kernels/search.h"

#include "base/half.h"
#include "base/threads.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t kGrain = 2048;  // values of a piece of work

template <class T>
WEFT_INLINE auto number(T x) {
  if constexpr (is_half(dtype_of<T>))
    return to_float(x);
  else
    return x;
}

template <class T>
void search_typed(const Search& a) {
  parallel_ranges(a.rows * a.count, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t row = a.shared ? 0 : i / a.count * a.cols, low = 0, left = a.cols;
      const T* sequence = static_cast<const T*>(a.sequence) + row;
      auto x = number(static_cast<const T*>(a.x)[i]);
      while (left > 0) {  // without branches, which nothing could predict
        int64_t half = left / 2, middle = low + half;
        auto v = number(sequence[a.sorter ? a.sorter[row + middle] : middle]);
        bool beyond = a.right ? !(v > x) : !(v >= x);
        low = beyond ? middle + 1 : low;
        left = beyond ? left - half - 1 : half;
      }
      a.y[i] = low;
    }
  });
}

void search(const Search& a) {
  switch (a.dtype) {
    case DType::Bool:
    case DType::UInt8: return search_typed<uint8_t>(a);
    case DType::Int8: return search_typed<int8_t>(a);
    case DType::Int16: return search_typed<int16_t>(a);
    case DType::Int32: return search_typed<int32_t>(a);
    case DType::Int64: return search_typed<int64_t>(a);
    case DType::Float16: return search_typed<float16>(a);
    case DType::BFloat16: return search_typed<bfloat16>(a);
    case DType::Float32: return search_typed<float>(a);
    case DType::Float64: return search_typed<double>(a);
  }
}

}  // namespace

void fill(SearchKernels& k) { k.search = search; }

}  // namespace weft::WEFT_ISA
