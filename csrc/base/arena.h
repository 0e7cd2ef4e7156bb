// Memory of one recorded step. What is released is given out again at once, neighbours joined, the smallest that fits
// first: the same places in the same order each time the step is run, and no more than it needs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "base/ref.h"

namespace weft {

class Arena final : public RefCounted {
 public:
  ~Arena() override;
  void* allocate(size_t bytes);  // 64-byte aligned; nullptr when out of memory. Any thread, as release
  void release(void* p, size_t bytes);

  // What was given out from begin() to end(), with the values that *clock had when it came and went (none: not yet).
  struct Life {
    char* at;
    size_t bytes, born, died;
  };
  static constexpr size_t kAlive = SIZE_MAX;
  void begin(const size_t* clock);
  std::vector<Life> end();

  size_t bytes() const;   // taken from the system
  size_t in_use() const;  // given out
  size_t peak() const;    // the most that was ever given out

 private:
  // Little requests share blocks of their own, so that they do not keep a big piece from being whole again.
  struct Pool {
    std::map<char*, size_t> free;              // by place, to join neighbours, but not across blocks
    std::set<std::pair<size_t, char*>> sizes;  // the same, by size
  };
  Pool& pool_of(size_t bytes);
  void insert(Pool& pool, char* at, size_t bytes);

  mutable std::mutex mutex_;
  std::map<char*, size_t> blocks_;  // from the system
  Pool little_, big_;
  const size_t* clock_ = nullptr;
  std::vector<Life> lives_;
  std::map<char*, size_t> living_;  // into lives_
  size_t bytes_ = 0, in_use_ = 0, peak_ = 0;
};

}  // namespace weft
