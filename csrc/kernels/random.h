// Filling contiguous memory with random numbers. Element i is a function of the stream and of i alone; the words it
// uses (see base/philox.h) depend on the kind and the dtype:
//   Uniform:    a + (b - a) * u, u in [0, 1) of as many bits as the dtype resolves: 8 for bfloat16, 11 for float16, 24
//   for
//               float32 (one word), 53 for float64 (words 2i and 2i + 1)
//   Normal:     a + b * z, z by Box and Muller: elements 2k and 2k + 1 are sqrt(-2 log u) cos and sin of 2 pi v, where
//   u and
//               v are words 2k and 2k + 1 (float64: two words each)
//   Integer:    low + floor(range * w / 2^64), w from words 2i and 2i + 1; range 0 means 2^64
//   Bernoulli:  u < p[i] (p null: u < a) as 0 or 1, u of 24 bits from word i
//   choice:  the first c with cdf[r, c] > u * cdf[r, cols - 1], u of 53 bits from words 2i and 2i + 1
//   permutation:  0 .. n-1 shuffled by Fisher and Yates, last place first, place i by words 2i and 2i + 1
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct RandomStream {
  uint64_t seed, offset;  // in blocks of four words
  const uint64_t* at;     // where given, seed and offset are read there when the kernel runs
};
WEFT_HD WEFT_INLINE uint64_t seed_of(const RandomStream& s) { return s.at ? s.at[0] : s.seed; }
WEFT_HD WEFT_INLINE uint64_t offset_of(const RandomStream& s) { return s.at ? s.at[1] : s.offset; }

enum class RandomKind : uint8_t { Uniform, Normal, Integer, Bernoulli };

struct RandomFill {
  void* y;
  const void* p;  // Bernoulli: probabilities in `p_dtype`, floating; or null
  int64_t n;
  RandomStream stream;
  double a, b;
  int64_t low;
  uint64_t range;
  DType dtype, p_dtype;  // dtype is floating for Uniform and Normal
  RandomKind kind;
};

struct RandomPermutation {
  int64_t* y;
  int64_t n;
  RandomStream stream;
};

struct RandomChoice {
  int64_t* y;         // [rows, samples]
  const double* cdf;  // [rows, cols], never falling, the last positive
  int64_t rows, cols, samples;
  RandomStream stream;
};

struct RandomKernels {
  void (*fill)(const RandomFill&) = nullptr;
  void (*choice)(const RandomChoice&) = nullptr;
  void (*permutation)(const RandomPermutation&) = nullptr;
};

}  // namespace weft
