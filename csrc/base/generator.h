// A random stream: a seed and a position. Drawing n blocks hands out a range of positions and moves on.
#pragma once

#include <cstdint>
#include <mutex>

namespace weft {

class Generator {
 public:
  explicit Generator(uint64_t seed = 0) : seed_(seed) {}
  void manual_seed(uint64_t seed);
  uint64_t seed() const;
  uint64_t position() const;
  void set_state(uint64_t seed, uint64_t position);
  struct Range {
    uint64_t seed, offset;
  };
  Range draw(uint64_t values);  // room for `values` 32-bit words, rounded up to blocks of four

 private:
  mutable std::mutex mutex_;
  uint64_t seed_, position_ = 0;
};

Generator& default_generator();  // seeded from the system's entropy until manual_seed is called

}  // namespace weft
