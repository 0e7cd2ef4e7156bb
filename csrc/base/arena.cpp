#include "base/arena.h"

#include <algorithm>

#include "base/allocator.h"

namespace weft {

namespace {

constexpr size_t kLittle = size_t(16) << 10;
constexpr size_t kFirst = size_t(4) << 10;   // what little requests share, at first,
constexpr size_t kBlock = size_t(32) << 10;  // and once there are many
constexpr size_t kAlignGpu = 256;

}  // namespace

Arena::~Arena() {
  for (auto [at, bytes] : blocks_) device_runtime(device_.kind).release(at, bytes, device_.index);
}

size_t Arena::rounded(size_t bytes) const {
  const size_t align = device_.is_cpu() ? kAlign : kAlignGpu;
  return std::max(align, (bytes + align - 1) / align * align);
}

Arena::Pool& Arena::pool_of(size_t bytes) { return bytes <= kLittle ? little_ : big_; }

void* Arena::allocate(size_t bytes) {
  bytes = rounded(bytes);
  std::lock_guard lock(mutex_);
  Pool& pool = pool_of(bytes);
  auto found = pool.sizes.lower_bound({bytes, nullptr});
  if (found == pool.sizes.end()) {
    size_t room = bytes > kLittle ? bytes : std::max(bytes, pool.sizes.empty() && blocks_.empty() ? kFirst : kBlock);
    char* block = static_cast<char*>(device_runtime(device_.kind).allocate(room, device_.index));
    if (!block) return nullptr;
    blocks_.emplace(block, room);
    bytes_ += room;
    insert(pool, block, room);
    found = pool.sizes.lower_bound({bytes, nullptr});
  }
  auto [size, at] = *found;
  pool.sizes.erase(found);
  pool.free.erase(at);
  if (size > bytes) {
    pool.free.emplace(at + bytes, size - bytes);
    pool.sizes.emplace(size - bytes, at + bytes);
  }
  in_use_ += bytes;
  peak_ = std::max(peak_, in_use_);
  if (clock_) {
    living_.emplace(at, lives_.size());
    lives_.push_back({at, bytes, *clock_, kAlive});
  }
  return at;
}

void Arena::release(void* p, size_t bytes) {
  std::lock_guard lock(mutex_);
  bytes = rounded(bytes);
  in_use_ -= bytes;
  if (auto life = living_.find(static_cast<char*>(p)); clock_ && life != living_.end()) {
    lives_[life->second].died = *clock_;
    living_.erase(life);
  }
  insert(pool_of(bytes), static_cast<char*>(p), bytes);
}

void Arena::insert(Pool& pool, char* at, size_t bytes) {
  auto after = pool.free.lower_bound(at);
  if (after != pool.free.end() && at + bytes == after->first && !blocks_.count(after->first)) {
    bytes += after->second;
    pool.sizes.erase({after->second, after->first});
    after = pool.free.erase(after);
  }
  if (after != pool.free.begin() && !blocks_.count(at)) {
    auto before = std::prev(after);
    if (before->first + before->second == at) {
      at = before->first;
      bytes += before->second;
      pool.sizes.erase({before->second, before->first});
      pool.free.erase(before);
    }
  }
  pool.free.emplace(at, bytes);
  pool.sizes.emplace(bytes, at);
}

void Arena::begin(const size_t* clock) {
  std::lock_guard lock(mutex_);
  clock_ = clock;
}

std::vector<Arena::Life> Arena::end() {
  std::lock_guard lock(mutex_);
  clock_ = nullptr;
  living_.clear();
  return std::exchange(lives_, {});
}

size_t Arena::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}
size_t Arena::in_use() const {
  std::lock_guard lock(mutex_);
  return in_use_;
}
size_t Arena::peak() const {
  std::lock_guard lock(mutex_);
  return peak_;
}

}  // namespace weft
