// Philox blocks as vectors: the words of base/philox.h, lanes<u64v> blocks at a time.
#pragma once

#include "base/philox.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {

// Words 0 to 3 of block b in lane b, each in the low half of 64 bits.
struct PhiloxLanes {
  u64v w[4];
};
constexpr int kPhiloxBlocks = lanes<u64v>, kPhiloxWords = 4 * kPhiloxBlocks;

WEFT_INLINE u64v multiply_low_halves(u64v a, uint32_t b) {
#if WEFT_AVX512
  return (u64v)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif WEFT_AVX2
  return (u64v)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__SSE2__)
  return (u64v)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
  return (a & 0xffffffffu) * (uint64_t)b;
#endif
}

// Blocks index, index + 1, ... of the stream. Upper halves carry nonsense between the rounds: the product ignores them.
WEFT_INLINE PhiloxLanes philox_lanes(uint64_t seed, uint64_t offset, uint64_t index) {
  u64v position = splat<u64v>(offset + index) + iota<u64v>();
  u64v c0 = position, c1 = position >> 32, c2{}, c3{};
  uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    u64v p0 = multiply_low_halves(c0, 0xD2511F53u), p1 = multiply_low_halves(c2, 0xCD9E8D57u);
    c0 = (p1 >> 32) ^ c1 ^ (uint64_t)k0;
    c2 = (p0 >> 32) ^ c3 ^ (uint64_t)k1;
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// a's low halves in the even, b's in the odd 32-bit lanes.
WEFT_INLINE u32v pair_up(u64v a, u64v b) { return (u32v)((a & 0xffffffffu) | (b << 32)); }

// Lane i of a, lane i of b, for each i: the first and the second half of that sequence.
template <class V>
WEFT_INLINE void interleave64(V& a, V& b) {
  u64v x = (u64v)a, y = (u64v)b;
#if WEFT_VEC_BYTES == 64
  a = (V)__builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
  b = (V)__builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
#elif WEFT_VEC_BYTES == 32
  a = (V)__builtin_shufflevector(x, y, 0, 4, 1, 5);
  b = (V)__builtin_shufflevector(x, y, 2, 6, 3, 7);
#else
  a = (V)__builtin_shufflevector(x, y, 0, 2);
  b = (V)__builtin_shufflevector(x, y, 1, 3);
#endif
}
WEFT_INLINE void interleave32(f32v& a, f32v& b) {
  u32v x = (u32v)a, y = (u32v)b;
#if WEFT_VEC_BYTES == 64
  a = (f32v)__builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  b = (f32v)__builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif WEFT_VEC_BYTES == 32
  a = (f32v)__builtin_shufflevector(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
  b = (f32v)__builtin_shufflevector(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
#else
  a = (f32v)__builtin_shufflevector(x, y, 0, 4, 1, 5);
  b = (f32v)__builtin_shufflevector(x, y, 2, 6, 3, 7);
#endif
}

// The words in the order of the stream: two vectors of lanes<u32v> each.
struct PhiloxWords {
  u32v v[2];
};
WEFT_INLINE PhiloxWords philox_words(uint64_t seed, uint64_t offset, uint64_t index) {
  PhiloxLanes l = philox_lanes(seed, offset, index);
  u32v a = pair_up(l.w[0], l.w[1]), b = pair_up(l.w[2], l.w[3]);
  interleave64(a, b);
  return {{a, b}};
}

}  // namespace weft::WEFT_ISA
