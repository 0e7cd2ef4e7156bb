// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): element i of a stream is a
// pure function of (seed, offset, i), on any number of threads and on any device.
#pragma once

#include <cstdint>

#include "base/macros.h"

namespace weft {

struct Philox4 {
  uint32_t v[4];
};

// Block `index` of the stream that starts at `offset` (counted in blocks of four words) under `seed`.
WEFT_HD WEFT_INLINE Philox4 philox(uint64_t seed, uint64_t offset, uint64_t index) {
  uint64_t position = offset + index;
  uint32_t c0 = (uint32_t)position, c1 = (uint32_t)(position >> 32), c2 = 0, c3 = 0;
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c0 = n0;
    c1 = (uint32_t)p1;
    c2 = n2;
    c3 = (uint32_t)p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// 24 random bits to [0, 1).
WEFT_HD WEFT_INLINE float philox_uniform(uint32_t bits) { return (float)(bits >> 8) * (1.0f / 16777216.0f); }

}  // namespace weft
