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

template <class T>
void sum_rows(const EmbeddingBackward& a, int64_t row, const int64_t* which, int64_t count) {
  T* dw = static_cast<T*>(a.dweight) + row * a.cols;
  const T* dy = static_cast<const T*>(a.dy);
  auto scale = (scalar_of<typename Lanes<T>::V>)(a.by_frequency ? 1.0 / (double)count : 1.0);
  over_vectors<T>(0, a.cols, [&](auto get, auto put) {
    auto sum = get(dy + which[0] * a.cols);
    for (int64_t k = 1; k < count; ++k) sum += get(dy + which[k] * a.cols);
    put(dw, sum * scale);
  });
}

// Counting sort of the ids, then each row of the table on its own: no two threads write the same place.
template <class T>
void embedding_backward(const EmbeddingBackward& a) {
  int64_t *start = a.workspace, *order = a.workspace + a.rows + 1;
  __builtin_memset(start, 0, (size_t)(a.rows + 1) * sizeof(int64_t));
  for (int64_t i = 0; i < a.n; ++i) ++start[a.ids[i]];
  for (int64_t r = 0, sum = 0; r <= a.rows; ++r) {
    int64_t count = start[r];
    start[r] = sum;
    sum += count;
  }
  for (int64_t i = 0; i < a.n; ++i) order[start[a.ids[i]]++] = i;  // start[r] becomes the end of row r
  int64_t size = a.cols * (int64_t)sizeof(T);
  parallel_ranges(a.rows, 64 * 1024 / (size + 8) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t first = r ? start[r - 1] : 0, count = start[r] - first;
      if (count == 0 || r == a.padding_row)
        __builtin_memset((char*)a.dweight + r * size, 0, (size_t)size);
      else
        sum_rows<T>(a, r, order + first, count);
    }
  });
}

void backward(const EmbeddingBackward& a) {
  switch (a.dtype) {
    case DType::Float16: return embedding_backward<float16>(a);
    case DType::BFloat16: return embedding_backward<bfloat16>(a);
    case DType::Float64: return embedding_backward<double>(a);
    default: return embedding_backward<float>(a);
  }
}

}  // namespace

void fill(EmbeddingKernels& k) {
  k.forward = embedding_forward;
  k.backward = backward;
}

}  // namespace weft::WEFT_ISA
