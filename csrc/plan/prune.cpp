#include "plan/prune.h"

#include <cstdint>
#include <cstring>

namespace weft {

namespace {

const Arena::Life* life_of(const void* p, size_t at, const std::vector<Arena::Life>& lives) {
  const char* address = static_cast<const char*>(p);
  for (const Arena::Life& life : lives)
    if (life.at <= address && address < life.at + life.bytes && life.born <= at && at < life.died) return &life;
  return nullptr;
}

bool may_read(const PrunableLaunch& launch, const Arena::Life& life) {
  if (!launch.args) return true;
  const auto begin = reinterpret_cast<uintptr_t>(life.at);
  for (size_t i = 0; i + sizeof(uintptr_t) <= launch.bytes; i += sizeof(uintptr_t)) {
    uintptr_t word;
    memcpy(&word, static_cast<const char*>(launch.args) + i, sizeof word);
    if (begin <= word && word < begin + life.bytes) return true;
  }
  return false;
}

}  // namespace

std::vector<bool> unread_launches(const std::vector<PrunableLaunch>& launches, const std::vector<Arena::Life>& lives) {
  std::vector<bool> unread(launches.size());
  for (size_t i = launches.size(); i-- > 0;) {
    if (!launches[i].result) continue;
    const Arena::Life* life = life_of(launches[i].result, i, lives);
    if (!life || life->died == Arena::kAlive) continue;
    unread[i] = true;
    for (size_t k = i + 1; k < life->died && unread[i]; ++k) unread[i] = unread[k] || !may_read(launches[k], *life);
  }
  return unread;
}

}  // namespace weft
