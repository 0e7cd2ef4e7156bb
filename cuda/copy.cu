// Copies are the pointwise kernel of the identity, computed in the type that holds every value of the source; fills
// write bits.
#include "kernels/copy.h"

#include "pointwise.cuh"

namespace weft::cuda {
namespace {

struct Identity {
  template <class V>
  WEFT_HD WEFT_INLINE V value(V x, const Params&) {
    return x;
  }
};

void copy(const Copy& c) {
  Pointwise a{};
  a.out = c.dst;
  a.out_dtype = c.dst_dtype;
  a.ndim = c.ndim;
  a.inputs = 1;
  a.in[0].data = c.src;
  a.in[0].dtype = c.src_dtype;
  for (int d = 0; d < c.ndim; ++d) {
    a.shape[d] = c.shape[d];
    a.out_strides[d] = c.dst_strides[d];
    a.in[0].strides[d] = c.src_strides[d];
  }
  switch (compute_of(c.src_dtype)) {
    case weft::Compute::Float32: return launch_pointwise<Alone<Identity>, 1, float>(a);
    case weft::Compute::Float64: return launch_pointwise<Alone<Identity>, 1, double>(a);
    default: launch_pointwise<Alone<Identity>, 1, int64_t>(a);
  }
}

struct FillJob {
  Fill a;
  Walk walk;
  bool vectors;
};

template <class T>
__global__ void __launch_bounds__(256) fill_strided(const __grid_constant__ FillJob job) {
  const Fill& a = job.a;
  int last = job.walk.outer;
  Vec<T, kGroup> value;
#pragma unroll
  for (int e = 0; e < kGroup; ++e) value.v[e] = (T)a.bits;
  for (int64_t g = (int64_t)blockIdx.x * 256 + threadIdx.x; g < job.walk.groups; g += (int64_t)gridDim.x * 256) {
    Group group = group_at(job.walk, g);
    int64_t stride = a.ndim ? a.strides[last] : 0, at = group.first * stride;
    seek(job.walk, group.row, [&](int d, int64_t i) { at += i * a.strides[d]; });
    T* p = static_cast<T*>(a.dst) + at;
    if (job.vectors && group.count == kGroup)
      store(p, value);
    else
      for (int e = 0; e < group.count; ++e) p[e * stride] = value.v[0];
  }
}

template <class T>
void launch_fill(const FillJob& job) {
  WEFT_LAUNCH((fill_strided<T>), grid_for(job.walk.groups, 256), 256, 0, job);
}

void fill_bits(const Fill& a) {
  FillJob job{a, walk_over(a.ndim, a.shape), groups_are_vectors(a.dst, a.itemsize, a.ndim, a.shape, a.strides)};
  if (job.walk.groups == 0) return;
  switch (a.itemsize) {
    case 1: return launch_fill<uint8_t>(job);
    case 2: return launch_fill<uint16_t>(job);
    case 4: return launch_fill<uint32_t>(job);
    default: launch_fill<uint64_t>(job);
  }
}

}  // namespace

void fill(CopyKernels& k) {
  k.copy = copy;
  k.fill = fill_bits;
}

}  // namespace weft::cuda
