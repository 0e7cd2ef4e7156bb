// Launches whose results nobody reads.
#pragma once

#include <cstddef>
#include <vector>

#include "base/arena.h"

namespace weft {

// A launch, or what the host does in between, which may read anything.
struct PrunableLaunch {
  const void* args;  // null: the host
  size_t bytes;
  const void* result;  // all that it writes begins here; null: not known
};

// Which of them can be left out: their results lie in memory of the step that is released again before another launch
// was given its address. Arguments are looked through for addresses, whatever they are.
std::vector<bool> unread_launches(const std::vector<PrunableLaunch>& launches, const std::vector<Arena::Life>& lives);

}  // namespace weft
