#include "base/allocator.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>

namespace weft {
namespace {

constexpr size_t kAlign = 64;
constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kMapped = size_t(1) << 20;  // from here on straight from the system, below from malloc
constexpr size_t kLocal = size_t(32) << 10;  // up to here kept per thread
constexpr size_t kLargest = size_t(1) << 47;

// Size classes: 64, 128, 192, 256, then four steps per doubling, so that at most a fifth is unused; from a megabyte on
// sixteen steps, where unused memory would hurt.
struct SizeClass {
  int index;
  size_t bytes;
};

constexpr SizeClass size_class(size_t bytes) {
  if (bytes <= 4 * kAlign) {
    int index = bytes ? (int)((bytes - 1) / kAlign) : 0;
    return {index, (index + 1) * kAlign};
  }
  int steps = bytes <= kMapped ? 4 : 16;
  int exponent = std::bit_width(bytes - 1) - 1;  // 2^exponent < bytes <= 2^(exponent + 1)
  size_t step = (size_t(1) << exponent) / steps;
  size_t part = (bytes - 1 - (size_t(1) << exponent)) / step;  // 0 .. steps - 1
  int base = steps == 4 ? 4 + (exponent - 8) * 4 : 4 + 12 * 4 + (exponent - 20) * 16;
  return {base + (int)part, (size_t(1) << exponent) + (part + 1) * step};
}
constexpr int kLocalClasses = size_class(kLocal).index + 1;
constexpr int kClasses = size_class(kLargest).index + 1;

// What a free block holds. In a thread's list `older` is the link; in the shared cache a block is on its class's list
// and on the list of all blocks by age.
struct Block {
  Block *older, *newer;
  Block *below, *above;
  SizeClass size;
};

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCaching = false;  // exact sizes, no reuse: the sanitizer sees every mistake
#else
constexpr bool kCaching = true;
#endif

void* from_system(size_t bytes) {
  if (bytes < kMapped || !kCaching) {
    void* p = nullptr;
    return posix_memalign(&p, kAlign, bytes) == 0 ? p : nullptr;
  }
  size_t align = bytes >= kHugePage ? kHugePage : 0, room = bytes + align;
  char* p = (char*)mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  if (align) {
    size_t before = -(uintptr_t)p & (align - 1);
    if (before) munmap(p, before);
    if (before < align) munmap(p + before + bytes, align - before);
    p += before;
#if defined(MADV_HUGEPAGE)
    madvise(p, bytes, MADV_HUGEPAGE);
#endif
  }
  return p;
}

void to_system(void* p, size_t bytes) {
  if (bytes < kMapped || !kCaching)
    free(p);
  else
    munmap(p, bytes);
}

struct Counters {
  std::atomic<int64_t> in_use{0}, peak{0}, cached{0}, allocations{0}, hits{0};
} counters;

void count_in(size_t bytes, bool hit) {
  counters.allocations.fetch_add(1, std::memory_order_relaxed);
  if (hit) {
    counters.hits.fetch_add(1, std::memory_order_relaxed);
    counters.cached.fetch_sub((int64_t)bytes, std::memory_order_relaxed);
  }
  int64_t now = counters.in_use.fetch_add((int64_t)bytes, std::memory_order_relaxed) + (int64_t)bytes;
  int64_t peak = counters.peak.load(std::memory_order_relaxed);
  while (now > peak && !counters.peak.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {}
}

// All threads' cache. When it is full, the blocks that lay unused longest go back to the system.
class Shared {
 public:
  void* take(SizeClass size) {
    std::lock_guard lock(mutex);
    Block* b = top_[size.index];
    if (b) unlink(b);
    return b;
  }

  void put(void* p, SizeClass size) {
    std::lock_guard lock(mutex);
    if (size.bytes > limit_) {
      counters.cached.fetch_sub((int64_t)size.bytes, std::memory_order_relaxed);
      to_system(p, size.bytes);
      return;
    }
    Block* b = static_cast<Block*>(p);
    *b = {newest_, nullptr, top_[size.index], nullptr, size};
    (newest_ ? newest_->newer : oldest_) = b;
    newest_ = b;
    if (b->below) b->below->above = b;
    top_[size.index] = b;
    bytes_ += size.bytes;
    trim(limit_);
  }

  void trim_to(size_t limit) {
    std::lock_guard lock(mutex);
    trim(limit);
  }

  void set_limit(size_t bytes) {
    std::lock_guard lock(mutex);
    limit_ = bytes;
    trim(limit_);
  }

  std::mutex mutex;

 private:
  void unlink(Block* b) {
    (b->newer ? b->newer->older : newest_) = b->older;
    (b->older ? b->older->newer : oldest_) = b->newer;
    (b->above ? b->above->below : top_[b->size.index]) = b->below;
    if (b->below) b->below->above = b->above;
    bytes_ -= b->size.bytes;
  }

  void trim(size_t limit) {
    while (bytes_ > limit) {
      Block* b = oldest_;
      unlink(b);
      counters.cached.fetch_sub((int64_t)b->size.bytes, std::memory_order_relaxed);
      to_system(b, b->size.bytes);
    }
  }

  static size_t default_limit() {
    size_t physical = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    return std::min(physical / 8, size_t(1) << 30);
  }

  Block* top_[kClasses] = {};
  Block *newest_ = nullptr, *oldest_ = nullptr;
  size_t bytes_ = 0, limit_ = default_limit();
};

// NOTE: never destroyed: tensors may be released after static destructors have run.
Shared& shared() {
  static Shared* cache = [] {
    Shared* made = new Shared;
    static Shared* for_fork = made;
    // Held across a fork, so that the child finds the lists whole.
    pthread_atfork([] { for_fork->mutex.lock(); }, [] { for_fork->mutex.unlock(); }, [] { for_fork->mutex.unlock(); });
    return made;
  }();
  return *cache;
}

// One thread's small blocks: no lock. At most 64 KiB per class stay here, the rest goes to the shared cache.
struct Local {
  Block* top[kLocalClasses];
  uint32_t count[kLocalClasses];
  enum : uint8_t { New, Ready, Gone } state;

  void empty() {
    for (int i = 0; i < kLocalClasses; ++i) {
      while (Block* b = top[i]) {
        top[i] = b->older;
        shared().put(b, b->size);
      }
      count[i] = 0;
    }
  }
};
thread_local constinit Local local{};

// Made on a thread's first release only, because a thread_local with a destructor is slower to reach.
struct AtThreadExit {
  AtThreadExit() { local.state = Local::Ready; }
  ~AtThreadExit() {
    local.state = Local::Gone;
    local.empty();
  }
};

bool local_ready() {
  if (__builtin_expect(local.state == Local::New, 0)) {
    static thread_local AtThreadExit at_exit;
    (void)&at_exit;
  }
  return local.state == Local::Ready;
}

}  // namespace

void* allocate_cpu(size_t bytes) {
  if (bytes > kLargest) return nullptr;
  SizeClass size = size_class(bytes);
  void* p = nullptr;
  if constexpr (kCaching) {
    if (size.index < kLocalClasses && local.top[size.index]) {
      Block* b = local.top[size.index];
      local.top[size.index] = b->older;
      --local.count[size.index];
      p = b;
    } else {
      p = shared().take(size);
    }
  }
  bool hit = p != nullptr;
  size_t room = kCaching ? size.bytes : std::max<size_t>(bytes, 1);
  if (!p) p = from_system(room);
  if (!p) {
    empty_cache_cpu();
    p = from_system(room);
  }
  if (p) count_in(size.bytes, hit);
  return p;
}

void release_cpu(void* p, size_t bytes) {
  if (!p) return;
  SizeClass size = size_class(bytes);
  counters.in_use.fetch_sub((int64_t)size.bytes, std::memory_order_relaxed);
  if constexpr (!kCaching) return to_system(p, bytes);
  counters.cached.fetch_add((int64_t)size.bytes, std::memory_order_relaxed);
  if (size.index < kLocalClasses && local_ready() && local.count[size.index] * size.bytes < (size_t(64) << 10)) {
    Block* b = static_cast<Block*>(p);
    b->older = local.top[size.index];
    b->size = size;
    local.top[size.index] = b;
    ++local.count[size.index];
    return;
  }
  shared().put(p, size);
}

MemoryStats memory_stats_cpu() {
  return {counters.in_use.load(), counters.peak.load(), counters.cached.load(), counters.allocations.load(),
          counters.hits.load()};
}

void reset_peak_memory_cpu() { counters.peak = counters.in_use.load(); }

void empty_cache_cpu() {
  local.empty();
  shared().trim_to(0);
}

void set_cache_limit_cpu(size_t bytes) { shared().set_limit(bytes); }

}  // namespace weft
