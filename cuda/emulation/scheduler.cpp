#include "emulation/scheduler.h"

#include <sys/mman.h>

#include <string>
#include <vector>

#include "emulation/fiber.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace weft::emulation {
namespace {

constexpr size_t kStack = 64 * 1024;
constexpr int kMaxThreads = 1024;

enum class State : uint8_t { New, Ready, Barrier, Warp, Done };

struct Thread {
  Fiber fiber;
  uint3 index;
  State state;
  int stack;
  // What it brought to a warp operation, and what came back.
  uint32_t mask;
  uint64_t value, result;
  int source;  // -1: ballot
};

// An asynchronous copy may land at any time before its wait: under some schedules it lands at once, under others as
// late as it can.
struct Copy {
  void* to;
  const void* from;
  size_t bytes;
  int group;
};
struct Copies {
  std::vector<Copy> pending;
  int committed = 0;
};

struct Block {
  Thread threads[kMaxThreads];
  int count = 0, at_barrier = 0, done = 0;
  int current = -1;
  void* scratch[kMaxThreads / kWarp][64];
  Copies copies[kMaxThreads];
};

Block block;
Fiber scheduler;
std::vector<char*> stacks;
std::vector<int> free_stacks;
alignas(128) unsigned char dynamic_bytes[kSharedLimit];
size_t shared_used;
uint64_t epoch = 0;
void (*kernel_body)(const void*);
const void* kernel_context;

int schedule = kRoundRobin;
uint64_t random_state = 1;
std::string failed;

uint64_t random_bits() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

int take_stack() {
  if (free_stacks.empty()) {
    void* p = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    stacks.push_back(static_cast<char*>(p));
    return (int)stacks.size() - 1;
  }
  int s = free_stacks.back();
  free_stacks.pop_back();
  return s;
}

void yield_to_scheduler() { switch_fiber(block.threads[block.current].fiber, scheduler); }

void fiber_main() {
  kernel_body(kernel_context);
  block.threads[block.current].state = State::Done;
  yield_to_scheduler();
}

bool runnable(int i) { return block.threads[i].state <= State::Ready; }

int scan(int from, int begin, int end, int step) {
  int n = end - begin;
  for (int k = 0, i = from; k < n; ++k, i += step) {
    if (i >= end) i -= n;
    if (i < begin) i += n;
    if (runnable(i)) return i;
  }
  return -1;
}

int pick() {
  int n = block.count, last = block.current;
  switch (schedule) {
    case kReversed: return scan(last < 0 ? n - 1 : last - 1, 0, n, -1);
    case kRandom: return scan((int)(random_bits() % n), 0, n, 1);
    case kWarpGreedy: {
      if (last < 0) return scan(0, 0, n, 1);
      int begin = last / kWarp * kWarp, end = begin + kWarp < n ? begin + kWarp : n;
      int next = scan(last, begin, end, 1);
      return next >= 0 ? next : scan(end % n, 0, n, 1);
    }
    default: return scan(last + 1, 0, n, 1);
  }
}

// Completes the warp operation that thread t waits for, if everyone in its mask has come.
void try_warp(Thread& t, int warp_begin) {
  for (int l = 0; l < kWarp; ++l) {
    if (!(t.mask >> l & 1)) continue;
    int i = warp_begin + l;
    if (i >= block.count) return fail("a warp operation names lanes that the block does not have");
    const Thread& o = block.threads[i];
    if (o.state == State::Done) return fail("a warp operation waits for a thread that has returned");
    if (o.state != State::Warp) return;
    if (o.mask != t.mask) return fail("threads of a warp operation name different masks");
    if ((o.source < 0) != (t.source < 0)) return fail("threads of a warp meet in different operations");
  }
  uint32_t mask = t.mask, votes = 0;
  for (int l = 0; l < kWarp; ++l)
    if ((mask >> l & 1) && block.threads[warp_begin + l].value) votes |= 1u << l;
  for (int l = 0; l < kWarp; ++l) {
    if (!(mask >> l & 1)) continue;
    Thread& o = block.threads[warp_begin + l];
    if (o.source < 0) {
      o.result = votes;
    } else {
      if (!(mask >> o.source & 1)) return fail("a shuffle reads a lane outside of its mask");
      o.result = block.threads[warp_begin + o.source].value;
    }
    o.state = State::Ready;
  }
}

uint64_t warp_operation(uint32_t mask, uint64_t value, int source) {
  Thread& t = block.threads[block.current];
  if (!(mask >> lane() & 1)) fail("a thread outside of the mask takes part in a warp operation");
  t.mask = mask;
  t.value = value;
  t.source = source;
  t.state = State::Warp;
  try_warp(t, block.current / kWarp * kWarp);
  yield_to_scheduler();
  return t.result;
}

void run_block() {
  ++epoch;
  block.done = block.at_barrier = 0;
  block.current = -1;
  for (int i = 0; i < block.count; ++i) {
    Thread& t = block.threads[i];
    t.state = State::New;
    block.copies[i].pending.clear();
    block.copies[i].committed = 0;
    t.index = {(unsigned)i % blockDim.x, (unsigned)i / blockDim.x % blockDim.y,
               (unsigned)i / (blockDim.x * blockDim.y)};
  }
  while (block.done < block.count && failed.empty()) {
    int i = pick();
    if (i < 0) {
      fail(block.at_barrier ? "deadlock: some threads wait at __syncthreads, the others elsewhere or have returned"
                            : "deadlock: a warp operation waits for lanes that never come");
      break;
    }
    Thread& t = block.threads[i];
    block.current = i;
    threadIdx = t.index;
    if (t.state == State::New) {
      t.stack = take_stack();
      t.state = State::Ready;
      start_fiber(t.fiber, stacks[t.stack], kStack, fiber_main);
    }
    switch_fiber(scheduler, t.fiber);
    if (t.state == State::Done) {
      ++block.done;
      free_stacks.push_back(t.stack);
    }
    if (block.at_barrier && block.at_barrier + block.done == block.count) {
      if (block.done) fail("divergent barrier: some threads returned before a __syncthreads that others reach");
      block.at_barrier = 0;
      for (int k = 0; k < block.count; ++k) block.threads[k].state = State::Ready;
    }
  }
  if (block.done < block.count)  // abandoned after a failure: the stacks come back, what stood on them is dropped
    for (int i = 0; i < block.count; ++i)
      if (block.threads[i].state != State::New && block.threads[i].state != State::Done)
        free_stacks.push_back(block.threads[i].stack);
}

}  // namespace

void set_schedule(int s, uint64_t seed) {
  schedule = s;
  random_state = seed * 2 + 1;
}

void fail(const char* what) {
  if (failed.empty())
    failed = std::string(what) + " (block " + std::to_string(blockIdx.x) + "," + std::to_string(blockIdx.y) + "," +
             std::to_string(blockIdx.z) + ", thread " + std::to_string(block.current) + ")";
}
const char* failure() { return failed.empty() ? nullptr : failed.c_str(); }
void clear_failure() { failed.clear(); }

int lane() { return block.current % kWarp; }
int warp() { return block.current / kWarp; }
void** warp_scratch() { return block.scratch[warp()]; }

void block_barrier() {
  block.threads[block.current].state = State::Barrier;
  ++block.at_barrier;
  yield_to_scheduler();
}
uint64_t exchange(uint32_t mask, uint64_t value, int source) { return warp_operation(mask, value, source); }
uint32_t ballot(uint32_t mask, bool predicate) { return (uint32_t)warp_operation(mask, predicate, -1); }

void copy_async(void* to, const void* from, size_t bytes) {
  if (bytes != 4 && bytes != 8 && bytes != 16) return fail("an asynchronous copy moves 4, 8 or 16 bytes");
  if ((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from)) % bytes)
    return fail("misaligned asynchronous copy");
  bool late = schedule == kRoundRobin || (schedule == kRandom && (random_bits() & 1));
  Copies& c = block.copies[block.current];
  if (late)
    c.pending.push_back({to, from, bytes, c.committed});
  else
    std::memcpy(to, from, bytes);
}
void commit_copies() { ++block.copies[block.current].committed; }
void wait_copies(int but_last) {
  Copies& c = block.copies[block.current];
  size_t n = 0;
  while (n < c.pending.size() && c.pending[n].group < c.committed - but_last) {
    std::memcpy(c.pending[n].to, c.pending[n].from, c.pending[n].bytes);
    ++n;
  }
  c.pending.erase(c.pending.begin(), c.pending.begin() + (ptrdiff_t)n);
}

void* dynamic_shared() { return dynamic_bytes; }
uint64_t block_epoch() { return epoch; }
void use_shared(size_t bytes) {
  shared_used += bytes;
  if (shared_used > kSharedLimit) fail("more than 48 KiB of shared memory");
}

void launch(dim3 grid, dim3 threads, size_t shared_bytes, void (*body)(const void*), const void* context) {
  if (!failed.empty()) return;
  uint64_t count = (uint64_t)threads.x * threads.y * threads.z;
  block.current = 0;
  if (count == 0 || count > kMaxThreads || !grid.x || !grid.y || !grid.z || grid.x > 0x7FFFFFFFu || grid.y > 65535 ||
      grid.z > 65535)
    return fail("invalid launch configuration");
  if (shared_bytes > kSharedLimit) return fail("more than 48 KiB of dynamic shared memory");
  block.count = (int)count;
  blockDim = threads;
  gridDim = grid;
  kernel_body = body;
  kernel_context = context;
  for (unsigned z = 0; z < grid.z; ++z)
    for (unsigned y = 0; y < grid.y; ++y)
      for (unsigned x = 0; x < grid.x; ++x) {
        blockIdx = {x, y, z};
        std::memset(dynamic_bytes, 0xFF, shared_bytes);
        shared_used = shared_bytes;
        run_block();
        if (!failed.empty()) return;
      }
}

}  // namespace weft::emulation
