#include "kernels/csr.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {
namespace {

// Rows in pieces of about 32k products.
template <class F>
WEFT_INLINE void over_rows(int64_t rows, int64_t nonzero, int64_t cols, const F& body) {
  if (rows == 0) return;
  int64_t work = (nonzero / rows + 1) * (cols + 4);  // of an average row
  parallel_ranges(rows, 32 * 1024 / work + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) body(r);
  });
}

template <class T, int kVectors, class Io>
WEFT_INLINE void product_columns(const CsrProduct& a, int64_t r, int64_t column, Io io) {
  using V = row_vec<T>;
  const T *values = static_cast<const T*>(a.values), *dense = static_cast<const T*>(a.dense) + column;
  V sum[kVectors] = {};
  for (int64_t k = a.crow[r]; k < a.crow[r + 1]; ++k) {
    const T* row = dense + a.col[k] * a.cols;
    V x = splat<V>(to_compute(values[k]));
    for (int v = 0; v < kVectors; ++v) sum[v] += x * io.load(row + v * lanes<V>);
  }
  T* y = static_cast<T*>(a.y) + r * a.cols + column;
  for (int v = 0; v < kVectors; ++v) io.store(y + v * lanes<V>, sum[v]);
}

template <class T>
void csr_product(const CsrProduct& a) {
  constexpr int width = 4, w = lanes<row_vec<T>>;
  over_rows(a.rows, a.nonzero, a.cols, [&](int64_t r) {
    int64_t j = 0;
    for (; j + width * w <= a.cols; j += width * w) product_columns<T, width>(a, r, j, AllLanes{});
    for (; j + w <= a.cols; j += w) product_columns<T, 1>(a, r, j, AllLanes{});
    if (j < a.cols) product_columns<T, 1>(a, r, j, FirstLanes{a.cols - j});
  });
}

template <class T>
void csr_sampled(const CsrSampled& a) {
  using V = row_vec<T>;
  over_rows(a.rows, a.nonzero, a.cols, [&](int64_t r) {
    const T* left = static_cast<const T*>(a.left) + r * a.cols;
    for (int64_t k = a.crow[r]; k < a.crow[r + 1]; ++k) {
      const T* right = static_cast<const T*>(a.right) + a.col[k] * a.cols;
      V sum = sum_over<V>(a.cols, [=](V& s, int64_t j, auto io) { s += io.load(left + j) * io.load(right + j); });
      from_compute(static_cast<T*>(a.values) + k, hsum(sum));
    }
  });
}

void product(const CsrProduct& a) {
  switch (a.dtype) {
    case DType::Float16: return csr_product<float16>(a);
    case DType::BFloat16: return csr_product<bfloat16>(a);
    case DType::Float64: return csr_product<double>(a);
    default: return csr_product<float>(a);
  }
}

void sampled(const CsrSampled& a) {
  switch (a.dtype) {
    case DType::Float16: return csr_sampled<float16>(a);
    case DType::BFloat16: return csr_sampled<bfloat16>(a);
    case DType::Float64: return csr_sampled<double>(a);
    default: return csr_sampled<float>(a);
  }
}

void row_of(const CsrRowOf& a) {
  over_rows(a.rows, a.nonzero, 1, [&](int64_t r) {
    for (int64_t k = a.crow[r]; k < a.crow[r + 1]; ++k) a.row[k] = r;
  });
}

}  // namespace

void fill(CsrKernels& k) {
  k.product = product;
  k.sampled = sampled;
  k.row_of = row_of;
}

}  // namespace weft::WEFT_ISA
