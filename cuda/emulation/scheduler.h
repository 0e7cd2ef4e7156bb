// Runs a CUDA kernel on the CPU, for tests: one fiber per CUDA thread, blocks one after another, warps of 32. It shows
// whether the logic of a kernel is right; it proves nothing about speed, memory order or the GPU's own units.
// A thread runs until it blocks at a barrier or a warp operation; the schedule then picks the next one. Different
// schedules expose different missing barriers, "each warp as far as it can go" most of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "emulation/graph.h"

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// Of the running thread. Plain globals: one launch runs at a time.
extern uint3 threadIdx, blockIdx;
extern dim3 blockDim, gridDim;

namespace weft::emulation {

constexpr int kWarp = 32;
constexpr size_t kSharedLimit = 48 * 1024;  // what a block gets on every GPU without asking

enum Schedule { kRoundRobin, kReversed, kWarpGreedy, kRandom, kSchedules };
void set_schedule(int schedule, uint64_t seed);

// The first failure of a launch (deadlock, divergent barrier, misaligned access, write past a buffer…) stays until
// taken.
void fail(const char* what);
const char* failure();
void clear_failure();

void launch(dim3 grid, dim3 block, size_t shared_bytes, void (*body)(const void*), const void* context);

int lane();  // of the running thread
int warp();
void block_barrier();
uint64_t exchange(uint32_t mask, uint64_t value, int source);  // the value that lane `source` gave
uint32_t ballot(uint32_t mask, bool predicate);
void** warp_scratch();  // 64 pointers that the threads of a warp share

void copy_async(void* to, const void* from, size_t bytes);
void commit_copies();
void wait_copies(int but_last);

void* dynamic_shared();
uint64_t block_epoch();         // grows with every block
void use_shared(size_t bytes);  // counts towards the limit

// One `__shared__` array. Poisoned (NaN, -1) at its first use in a block.
template <class T>
struct SharedSlot {
  alignas(128) unsigned char bytes[sizeof(T)];
  uint64_t epoch = 0;
  T& get() {
    if (epoch != block_epoch()) {
      std::memset(bytes, 0xFF, sizeof(T));
      epoch = block_epoch();
      use_shared(sizeof(T));
    }
    return *reinterpret_cast<T*>(bytes);
  }
};

// Memory of the device: reachable only while a kernel or a copy runs, so that host code which follows a device
// pointer crashes here as it would with a GPU.
struct DeviceMemoryOpen {
  DeviceMemoryOpen();
  ~DeviceMemoryOpen();
};

template <class F>
void launch_body(dim3 grid, dim3 block, size_t shared_bytes, const F& body) {
  auto run = [=] {
    DeviceMemoryOpen open;
    launch(grid, block, shared_bytes, [](const void* f) { (*static_cast<const F*>(f))(); }, &body);
  };
  if (capturing())
    capture(run);
  else
    run();
}

}  // namespace weft::emulation
