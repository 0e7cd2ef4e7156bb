// Memory of one recorded step on one device. What is released is given out again at once, neighbours joined, the
// smallest that fits first: the same places in the same order each time the step is run, and no more than it needs. On
// a GPU too, whose work is done in the order in which it is sent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "base/device.h"
#include "base/ref.h"

namespace weft {

class Arena final : public RefCounted {
 public:
  explicit Arena(Device device) : device_(device) {}
  ~Arena() override;
  void* allocate(size_t bytes);  // aligned as the device's own; nullptr when out of memory. Any thread, as release
  void release(void* p, size_t bytes);

  // What was given out from begin() to end(), with the values that *clock had when it came and went (none: not yet).
  struct Life {
    char* at;
    size_t bytes, born, died;
  };
  static constexpr size_t kAlive = SIZE_MAX;
  void begin(const size_t* clock);
  std::vector<Life> end();

  Device device() const { return device_; }
  size_t bytes() const;   // taken from the device
  size_t in_use() const;  // given out
  size_t peak() const;    // the most that was ever given out

 private:
  // Little requests share blocks of their own, so that they do not keep a big piece from being whole again.
  struct Pool {
    std::map<char*, size_t> free;              // by place, to join neighbours, but not across blocks
    std::set<std::pair<size_t, char*>> sizes;  // the same, by size
  };
  Pool& pool_of(size_t bytes);
  size_t rounded(size_t bytes) const;
  void insert(Pool& pool, char* at, size_t bytes);

  const Device device_;
  mutable std::mutex mutex_;
  std::map<char*, size_t> blocks_;  // from the device
  Pool little_, big_;
  const size_t* clock_ = nullptr;
  std::vector<Life> lives_;
  std::map<char*, size_t> living_;  // into lives_
  size_t bytes_ = 0, in_use_ = 0, peak_ = 0;
};

}  // namespace weft
