// Two ways through a window. By taps, when lines of output are long: for each position of the window, one loop over a
// line of outputs, which the compiler vectorises. By windows, when they are wide or differ from output to output: for
// each output, loops along the lines of its window.
#include "kernels/pool.h"

#include "kernels/pool/average.h"
#include "kernels/pool/max.h"

namespace weft::WEFT_ISA {

namespace {

using namespace pool;

template <class T>
void scatter(const PoolMove& a) {
  parallel_ranges(a.volumes, 32768 / (a.in + a.out) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      T* dx = (T*)a.x + p * a.in;
      const T* dy = (const T*)a.y + p * a.out;
      const int32_t* index = a.index + p * a.out;
      for (int64_t i = 0; i < a.in; ++i) dx[i] = 0;
      for (int64_t i = 0; i < a.out; ++i) dx[index[i]] += dy[i];
    }
  });
}

template <class T>
void gather(const PoolMove& a) {
  parallel_ranges(a.volumes, 32768 / a.out + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* x = (const T*)a.x + p * a.in;
      T* y = (T*)a.y + p * a.out;
      const int32_t* index = a.index + p * a.out;
      for (int64_t i = 0; i < a.out; ++i) y[i] = x[index[i]];
    }
  });
}

void max_any(const MaxPool& a) {
  switch (a.dtype) {
    case DType::Float32: return max_forward<float>(a);
    case DType::Float64: return max_forward<double>(a);
    case DType::Int32: return max_forward<int32_t>(a);
    default: return max_forward<int64_t>(a);
  }
}
void scatter_any(const PoolMove& a) { a.dtype == DType::Float32 ? scatter<float>(a) : scatter<double>(a); }
void gather_any(const PoolMove& a) { a.dtype == DType::Float32 ? gather<float>(a) : gather<double>(a); }
void average_any(const AveragePool& a) {
  switch (a.dtype) {
    case DType::Float32: return average_forward<float>(a);
    case DType::Float64: return average_forward<double>(a);
    default: return average_forward<int64_t>(a);
  }
}
void average_backward_any(const AveragePool& a) {
  a.dtype == DType::Float32 ? average_backward<float>(a) : average_backward<double>(a);
}

}  // namespace

void fill(PoolKernels& k) {
  k.max = max_any;
  k.scatter = scatter_any;
  k.gather = gather_any;
  k.average = average_any;
  k.average_backward = average_backward_any;
}

}  // namespace weft::WEFT_ISA
