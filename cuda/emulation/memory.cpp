#include "emulation/memory.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "emulation/scheduler.h"

namespace weft::emulation {
namespace {

constexpr size_t kArena = size_t(4) << 30, kAlign = 256, kGuard = 256;
constexpr unsigned char kGuardByte = 0xA5;

std::recursive_mutex mutex;
char* arena;
size_t top = 0, open_bytes = 0;
int open_count = 0;
int64_t in_use = 0;
std::map<size_t, std::vector<char*>> free_blocks;  // by size

size_t block_size(size_t bytes) {
  size_t n = (bytes + kGuard + kAlign - 1) / kAlign * kAlign;
  size_t step = kAlign;
  while (step * 8 < n) step *= 2;  // a few sizes per power of two, so that blocks are found again
  return (n + step - 1) / step * step;
}

}  // namespace

DeviceMemoryOpen::DeviceMemoryOpen() {
  mutex.lock();
  if (!arena)
    arena = static_cast<char*>(mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (open_count++ == 0 || open_bytes < top) {
    open_bytes = top;
    if (top) mprotect(arena, top, PROT_READ | PROT_WRITE);
  }
}
DeviceMemoryOpen::~DeviceMemoryOpen() {
  if (--open_count == 0 && open_bytes) {
    mprotect(arena, open_bytes, PROT_NONE);
    open_bytes = 0;
  }
  mutex.unlock();
}

void* allocate(size_t bytes) {
  DeviceMemoryOpen first;
  size_t n = block_size(bytes);
  auto& list = free_blocks[n];
  char* p;
  if (!list.empty()) {
    p = list.back();
    list.pop_back();
  } else {
    if (bytes > kArena || top + n > kArena) return nullptr;
    p = arena + top;
    top += n;
  }
  DeviceMemoryOpen grown;
  std::memset(p, 0xFF, bytes);
  std::memset(p + bytes, kGuardByte, kGuard);
  in_use += (int64_t)bytes;
  return p;
}

void release(void* q, size_t bytes) {
  DeviceMemoryOpen open;
  char* p = static_cast<char*>(q);
  for (size_t i = 0; i < kGuard; ++i)
    if ((unsigned char)p[bytes + i] != kGuardByte) {
      fail("a kernel wrote past the end of a buffer");
      break;
    }
  std::memset(p, 0xFF, bytes);  // whoever still reads it gets NaN
  in_use -= (int64_t)bytes;
  free_blocks[block_size(bytes)].push_back(p);
}

bool contains(const void* p) { return arena && p >= arena && p < arena + kArena; }
int64_t bytes_in_use() { return in_use; }

}  // namespace weft::emulation
