// Items with equal keys, found by a block that owns one of them: additions to one place then happen in the order of the
// items, without atomics. Every block reads all keys, coalesced: n * n / 256 steps in all, from the cache.
#pragma once

#include "device.cuh"

namespace weft::cuda {

// Whether no earlier item has the key of `item`. For the whole block.
template <class Key>
WEFT_DEVICE bool first_of_its_key(int64_t item, const Key& key) {
  WEFT_SHARED(int, found, [1]);
  __syncthreads();
  if (threadIdx.x == 0) found[0] = 0;
  __syncthreads();
  auto mine = key(item);
  bool same = false;
  for (int64_t i = threadIdx.x; i < item; i += blockDim.x) same |= key(i) == mine;
  if (same) found[0] = 1;
  __syncthreads();
  return found[0] == 0;
}

// Calls each(i), by all threads together, for every later item i with the key of `item`, in order.
template <class Key, class F>
WEFT_DEVICE void for_each_later(int64_t item, int64_t items, const Key& key, const F& each) {
  WEFT_SHARED(unsigned, matches, [32]);
  int warps = blockDim.x / 32;
  auto mine = key(item);
  for (int64_t base = item + 1; base < items; base += blockDim.x) {
    int64_t i = base + threadIdx.x;
    unsigned votes = __ballot_sync(kAllLanes, i < items && key(i) == mine);
    if (threadIdx.x % 32 == 0) matches[threadIdx.x / 32] = votes;
    __syncthreads();
    for (int w = 0; w < warps; ++w)
      for (unsigned m = matches[w]; m; m &= m - 1) each(base + w * 32 + __ffs((int)m) - 1);
    __syncthreads();
  }
}

}  // namespace weft::cuda
