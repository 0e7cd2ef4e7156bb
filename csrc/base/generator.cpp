#include "base/generator.h"

#include <random>

namespace weft {

void Generator::manual_seed(uint64_t seed) { set_state(seed, 0); }

uint64_t Generator::seed() const {
  std::lock_guard lock(mutex_);
  return seed_;
}

uint64_t Generator::position() const {
  std::lock_guard lock(mutex_);
  return position_;
}

void Generator::set_state(uint64_t seed, uint64_t position) {
  std::lock_guard lock(mutex_);
  seed_ = seed;
  position_ = position;
}

Generator::Range Generator::draw(uint64_t values) {
  std::lock_guard lock(mutex_);
  uint64_t offset = position_;
  position_ += values / 4 + (values % 4 != 0);
  return {seed_, offset};
}

Generator& default_generator() {
  static Generator generator = [] {
    std::random_device entropy;
    return Generator((uint64_t)entropy() << 32 | entropy());
  }();
  return generator;
}

}  // namespace weft
