// CPU memory: 64-byte aligned, from bounded caches; huge pages for big buffers where the system offers them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace weft {

constexpr size_t kAlign = 64;  // of every allocation: a cache line, and the widest vector

void* allocate_cpu(size_t bytes);         // nullptr when out of memory; bytes == 0 gives a valid pointer
void release_cpu(void* p, size_t bytes);  // the same `bytes` as at allocation; any thread

struct MemoryStats {
  int64_t in_use, peak, cached, allocations, cache_hits;
};
MemoryStats memory_stats_cpu();
void reset_peak_memory_cpu();
void empty_cache_cpu();
void set_cache_limit_cpu(size_t bytes);  // default: 1/8 of physical memory, at most 1 GiB

}  // namespace weft
