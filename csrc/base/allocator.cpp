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

constexpr size_t kHugePage = size_t(2) << 20;
constexpr size_t kMapped = size_t(1) << 20;      // from here on straight from the system, below from malloc
constexpr size_t kLocal = size_t(32) << 10;      // up to here kept per thread,
constexpr size_t kLocalRoom = size_t(64) << 10;  // as many of a class as fit here
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
  if (bytes < kMapped)
    free(p);
  else
    munmap(p, bytes);
}

// One thread's small blocks, at most 64 KiB per class: no lock. What does not fit goes to the shared cache.
struct Local {
  Block* top[kLocalClasses];
  uint32_t count[kLocalClasses];
  enum : uint8_t { New, Ready, Gone } state;
  // Written by this thread alone, read by memory_stats: plain adds, no locked instruction.
  std::atomic<int64_t> allocations, hits, cached;
  Local* next;
};
thread_local constinit Local local{};

void add(std::atomic<int64_t>& counter, int64_t n) {
  counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

std::atomic<int64_t> in_use{0}, peak{0};

void count_in_use(int64_t bytes) {
  int64_t now = in_use.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  int64_t top = peak.load(std::memory_order_relaxed);
  while (now > top && !peak.compare_exchange_weak(top, now, std::memory_order_relaxed)) {}
}

// All threads' cache. When it is full, the blocks that lay unused longest go back to the system.
class Shared {
 public:
  void* take(SizeClass size) {
    std::lock_guard lock(mutex_);
    Block* b = top_[size.index];
    if (b) unlink(b);
    return b;
  }

  void put(void* p, SizeClass size) {
    std::lock_guard lock(mutex_);
    if (size.bytes > limit_) return to_system(p, size.bytes);
    Block* b = static_cast<Block*>(p);
    *b = {newest_, nullptr, top_[size.index], nullptr, size};
    (newest_ ? newest_->newer : oldest_) = b;
    newest_ = b;
    if (b->below) b->below->above = b;
    top_[size.index] = b;
    bytes_ += size.bytes;
    trim(limit_);
  }

  void empty() {
    std::lock_guard lock(mutex_);
    trim(0);
  }

  void set_limit(size_t bytes) {
    std::lock_guard lock(mutex_);
    limit_ = bytes;
    trim(limit_);
  }

  void join(Local& l) {
    std::lock_guard lock(mutex_);
    l.next = threads_;
    threads_ = &l;
  }

  void leave(Local& l) {
    std::lock_guard lock(mutex_);
    Local** link = &threads_;
    while (*link != &l) link = &(*link)->next;
    *link = l.next;
    retire(l);
  }

  MemoryStats stats() {
    std::lock_guard lock(mutex_);
    MemoryStats s{in_use, peak, (int64_t)bytes_, past_.allocations, past_.hits};
    for (Local* l = threads_; l; l = l->next) {
      s.cached += l->cached;
      s.allocations += l->allocations;
      s.cache_hits += l->hits;
    }
    return s;
  }

  void before_fork() { mutex_.lock(); }
  void after_fork() { mutex_.unlock(); }

  // The other threads are gone, and their stacks may be used again: whatever small blocks they kept are lost.
  void after_fork_in_child() {
    Local* mine = nullptr;
    for (Local* l = threads_; l; l = l->next) {
      if (l == &local)
        mine = l;
      else
        retire(*l);
    }
    threads_ = mine;
    if (mine) mine->next = nullptr;
    mutex_.unlock();
  }

 private:
  void retire(const Local& l) {
    add(past_.allocations, l.allocations);
    add(past_.hits, l.hits);
  }

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
      to_system(b, b->size.bytes);
    }
  }

  static size_t default_limit() {
    size_t physical = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    return std::min(physical / 8, size_t(1) << 30);
  }

  std::mutex mutex_;
  Block* top_[kClasses] = {};
  Block *newest_ = nullptr, *oldest_ = nullptr;
  size_t bytes_ = 0, limit_ = default_limit();
  Local* threads_ = nullptr;
  Local past_{};  // counts of threads that ended
};

// NOTE: never destroyed, because tensors may be released after static destructors have run. The lock is held across a
// fork, so that the child finds the lists whole.
Shared& shared() {
  static Shared* cache = [] {
    pthread_atfork([] { shared().before_fork(); }, [] { shared().after_fork(); },
                   [] { shared().after_fork_in_child(); });
    return new Shared;
  }();
  return *cache;
}

void empty_local() {
  for (int i = 0; i < kLocalClasses; ++i) {
    while (Block* b = local.top[i]) {
      local.top[i] = b->older;
      shared().put(b, b->size);
    }
    local.count[i] = 0;
  }
  local.cached = 0;
}

// Apart from Local, because a thread_local with a destructor is slower to reach.
struct ThreadLife {
  ThreadLife() {
    shared().join(local);
    local.state = Local::Ready;
  }
  ~ThreadLife() {
    local.state = Local::Gone;
    empty_local();
    shared().leave(local);
  }
};

bool local_ready() {
  if (__builtin_expect(local.state == Local::New, 0)) {
    static thread_local ThreadLife life;
    (void)&life;
  }
  return local.state == Local::Ready;
}

}  // namespace

void* allocate_cpu(size_t bytes) {
  if (bytes > kLargest) return nullptr;
  SizeClass size = size_class(bytes);
  void* p = nullptr;
  if (kCaching && local_ready() && size.index < kLocalClasses && local.top[size.index]) {
    Block* b = local.top[size.index];
    local.top[size.index] = b->older;
    --local.count[size.index];
    add(local.cached, -(int64_t)size.bytes);
    p = b;
  } else if (kCaching) {
    p = shared().take(size);
  }
  add(local.allocations, 1);
  if (p) {
    add(local.hits, 1);
  } else {
    size_t room = kCaching ? size.bytes : std::max<size_t>(bytes, 1);
    p = from_system(room);
    if (!p) {
      empty_cache_cpu();
      p = from_system(room);
    }
  }
  if (p) count_in_use((int64_t)size.bytes);
  return p;
}

void release_cpu(void* p, size_t bytes) {
  if (!p) return;
  SizeClass size = size_class(bytes);
  in_use.fetch_sub((int64_t)size.bytes, std::memory_order_relaxed);
  if (!kCaching) return free(p);
  if (size.index >= kLocalClasses || !local_ready() || local.count[size.index] * size.bytes >= kLocalRoom)
    return shared().put(p, size);
  Block* b = static_cast<Block*>(p);
  b->older = local.top[size.index];
  b->size = size;
  local.top[size.index] = b;
  ++local.count[size.index];
  add(local.cached, (int64_t)size.bytes);
}

MemoryStats memory_stats_cpu() { return shared().stats(); }

void reset_peak_memory_cpu() { peak = in_use.load(); }

void empty_cache_cpu() {
  empty_local();
  shared().empty();
}

void set_cache_limit_cpu(size_t bytes) { shared().set_limit(bytes); }

}  // namespace weft
