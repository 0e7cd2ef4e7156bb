// Dropout: a thread takes the four elements of one block of the stream.
#include "kernels/dropout.h"

#include "convert.cuh"

#include "base/philox.h"

namespace weft::cuda {
namespace {

template <class V>
__global__ void __launch_bounds__(256) dropout(Dropout a, bool vectors) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  int64_t groups = (a.n + kGroup - 1) / kGroup;
  for (int64_t g = (int64_t)blockIdx.x * 256 + threadIdx.x; g < groups; g += (int64_t)gridDim.x * 256) {
    int64_t i = g * kGroup;
    Philox4 words = philox(seed, offset, (uint64_t)g);
    V v[kGroup];
    bool whole = vectors && i + kGroup <= a.n;
    if (!(whole && load_group(a.x, a.dtype, i, v)))
#pragma unroll
      for (int e = 0; e < kGroup; ++e) v[e] = i + e < a.n ? load_scalar<V>(a.x, a.dtype, i + e) : (V)0;
#pragma unroll
    for (int e = 0; e < kGroup; ++e) v[e] *= words.v[e] >= a.drop_below ? (V)a.scale : (V)0;
    if (!(whole && store_group(a.y, a.dtype, i, v)))
#pragma unroll
      for (int e = 0; e < kGroup; ++e)
        if (i + e < a.n) store_scalar<V>(a.y, a.dtype, i + e, v[e]);
  }
}

void apply(const Dropout& a) {
  if (a.n == 0) return;
  bool vectors = ((uintptr_t)a.x | (uintptr_t)a.y) % (uintptr_t)(kGroup * size_of(a.dtype)) == 0;
  unsigned grid = grid_for(divide_up(a.n, kGroup), 256);
  if (a.dtype == DType::Float64)
    WEFT_LAUNCH((dropout<double>), grid, 256, 0, a, vectors);
  else
    WEFT_LAUNCH((dropout<float>), grid, 256, 0, a, vectors);
}

}  // namespace

void fill(DropoutKernels& k) { k.apply = apply; }

}  // namespace weft::cuda
