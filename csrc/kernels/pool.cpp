// Three ways through a window. Where channels are neighbours in memory, or volumes are so small that many are laid side
// by side: a vector of channels for each output. Else, where lines of output are long: a vector of neighbouring
// outputs, a tap of the window at a time. Else, where windows are wide or differ: each output by itself, along its
// lines.
#include "kernels/pool.h"

#include "kernels/pool/average.h"
#include "kernels/pool/max.h"

namespace weft::WEFT_ISA {

namespace {

using namespace pool;

template <class T>
void scatter(const PoolMove& a) {
  const int64_t step = a.inner, blocks = (step + kChannelBlock - 1) / kChannelBlock;
  const int64_t width = step < kChannelBlock ? step : kChannelBlock;
  parallel_ranges(a.volumes * blocks, 32768 / ((a.in + a.out) * width) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const int64_t from = p % blocks * kChannelBlock, n = step - from < width ? step - from : width;
      T* dx = (T*)a.x + p / blocks * a.in * step + from;
      const T* dy = (const T*)a.y + p / blocks * a.out * step + from;
      const int32_t* index = a.index + p / blocks * a.out * step + from;
      if (step == 1) {
        __builtin_memset(dx, 0, (size_t)a.in * sizeof(T));
        for (int64_t i = 0; i < a.out; ++i) dx[index[i]] += dy[i];
        continue;
      }
      for (int64_t i = 0; i < a.in; ++i) __builtin_memset(dx + i * step, 0, (size_t)n * sizeof(T));
      for (int64_t i = 0; i < a.out; ++i)
        for (int64_t k = 0; k < n; ++k) dx[index[i * step + k] * step + k] += dy[i * step + k];
    }
  });
}

template <class T>
void gather(const PoolMove& a) {
  const int64_t step = a.inner;
  parallel_ranges(a.volumes, 32768 / (a.out * step) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* x = (const T*)a.x + p * a.in * step;
      T* y = (T*)a.y + p * a.out * step;
      const int32_t* index = a.index + p * a.out * step;
      for (int64_t i = 0; i < a.out; ++i)
        for (int64_t k = 0; k < step; ++k) y[i * step + k] = x[index[i * step + k] * step + k];
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
