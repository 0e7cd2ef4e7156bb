// Small kernels with one thing wrong each, for the negative controls of the emulation.
#include <string>

#include "block.cuh"

using namespace weft;

namespace {

// Reverses 128 numbers through shared memory.
template <bool barrier>
__global__ void reverse(int* p) {
  WEFT_SHARED(int, held, [128]);
  held[threadIdx.x] = p[threadIdx.x];
  if (barrier) __syncthreads();
  p[threadIdx.x] = held[127 - threadIdx.x];
}

// The second use of `held` overwrites what slower warps still have to read.
template <bool barrier>
__global__ void rotate_twice(int* p) {
  WEFT_SHARED(int, held, [128]);
  int i = threadIdx.x, v = p[i];
  for (int turn = 0; turn < 2; ++turn) {
    held[i] = v;
    __syncthreads();
    v = held[(i + 32) % 128];
    if (barrier) __syncthreads();
  }
  p[i] = v;
}

// Reads what another lane of the warp wrote.
template <bool barrier>
__global__ void swap_lanes(int* p) {
  WEFT_SHARED(int, held, [128]);
  held[threadIdx.x] = p[threadIdx.x];
  if (barrier) __syncwarp();
  p[threadIdx.x] = held[threadIdx.x ^ 1];
}

__global__ void sum_lanes(int* p) { p[threadIdx.x] = cuda::warp_sum(p[threadIdx.x]); }
__global__ void sum_block(int* p) { p[threadIdx.x] = cuda::block_sum(p[threadIdx.x]); }
__global__ void match(int* p) { p[threadIdx.x] = (int)__match_any_sync(cuda::kAllLanes, p[threadIdx.x]); }
__global__ void read_unwritten(int* p) {
  WEFT_SHARED(int, held, [128]);
  WEFT_DYNAMIC_SHARED(int, more);
  p[threadIdx.x] = held[threadIdx.x] & more[threadIdx.x];
}
__global__ void divergent_barrier(int*) {
  if (threadIdx.x < 64) return;
  __syncthreads();
}
__global__ void shuffle_with_the_absent(int* p) {
  if (threadIdx.x % 32 < 16) p[threadIdx.x] = __shfl_sync(cuda::kAllLanes, p[threadIdx.x], 0);
}
__global__ void write_past_the_end(int* p) { p[128 + threadIdx.x % 4] = 1; }
__global__ void misaligned(int* p) { cuda::load<4>(p + 1); }

using Kernel = void (*)(int*);
struct Named {
  const char* name;
  Kernel kernel;
} kernels[] = {{"reverse", reverse<true>},
               {"reverse, no barrier", reverse<false>},
               {"rotate_twice", rotate_twice<true>},
               {"rotate_twice, no barrier", rotate_twice<false>},
               {"swap_lanes", swap_lanes<true>},
               {"swap_lanes, no barrier", swap_lanes<false>},
               {"sum_lanes", sum_lanes},
               {"sum_block", sum_block},
               {"match", match},
               {"read_unwritten", read_unwritten},
               {"divergent_barrier", divergent_barrier},
               {"shuffle_with_the_absent", shuffle_with_the_absent},
               {"write_past_the_end", write_past_the_end},
               {"misaligned", misaligned}};

}  // namespace

#include "emulation/memory.h"

// Runs a kernel on 128 numbers with one block of 128 threads. Returns what went wrong, or null.
extern "C" __attribute__((visibility("default"))) const char* run_control(const char* name, int* host, int schedule,
                                                                          uint64_t seed) {
  static std::string failure;
  emulation::clear_failure();
  emulation::set_schedule(schedule, seed);
  for (const Named& n : kernels) {
    if (std::strcmp(n.name, name) != 0) continue;
    int* p = static_cast<int*>(emulation::allocate(128 * sizeof(int)));
    {
      emulation::DeviceMemoryOpen open;
      std::memcpy(p, host, 128 * sizeof(int));
    }
    WEFT_LAUNCH(n.kernel, 1, 128, 512, p);
    {
      emulation::DeviceMemoryOpen open;
      std::memcpy(host, p, 128 * sizeof(int));
    }
    emulation::release(p, 128 * sizeof(int));
    failure = emulation::failure() ? emulation::failure() : "";
    return failure.empty() ? nullptr : failure.c_str();
  }
  return "no such control";
}
