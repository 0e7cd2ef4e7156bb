// Reductions over a warp or a block, in an order that depends on the number of threads alone.
#pragma once

#include "device.cuh"

namespace weft::cuda {

struct Plus {
  template <class T>
  WEFT_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};
struct Larger {
  template <class T>
  WEFT_DEVICE T operator()(T a, T b) const {
    return b > a ? b : a;
  }
};

// Every lane gets the result.
template <class T, class Op>
WEFT_DEVICE T warp_reduce(T v, Op op) {
#pragma unroll
  for (int lanes = 16; lanes > 0; lanes /= 2) v = op(v, __shfl_xor_sync(kAllLanes, v, lanes));
  return v;
}

// Every thread gets the result. The block is one-dimensional, a multiple of 32 threads.
template <class T, class Op>
WEFT_DEVICE T block_reduce(T v, Op op, T identity) {
  WEFT_SHARED(T, partial, [32]);
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
  v = warp_reduce(v, op);
  __syncthreads();  // the previous call's partials have been read
  if (lane == 0) partial[warp] = v;
  __syncthreads();
  return warp_reduce(lane < warps ? partial[lane] : identity, op);
}

template <class T>
WEFT_DEVICE T warp_sum(T v) {
  return warp_reduce(v, Plus{});
}
template <class T>
WEFT_DEVICE T block_sum(T v) {
  return block_reduce(v, Plus{}, (T)0);
}

// Threads for one row per block: enough that each takes a few vectors.
inline int threads_per_row(int64_t vectors) {
  return vectors <= 512 ? 128 : vectors <= 2048 ? 256 : vectors <= 8192 ? 512 : 1024;
}

}  // namespace weft::cuda
