// What this machine can do, measured: the denominators of the benchmarks.
//   fma:     `pieces` pieces of `rounds` rounds of multiply-adds in registers; fma_flops operations a round
//   stream:  y = x (z null), or the triad y = x + 3 * z; 8 or 12 bytes an element. An ordinary store reads its line
//   first,
//            4 bytes more; with `past` the triad's stores go past the caches (n, a whole number of vectors, aligned)
//   read:    sum of x into sink[piece], a float for each kProbeGrain elements
#pragma once

#include <cstdint>

#include "base/macros.h"

namespace weft {

constexpr int64_t kProbeGrain = 64 * 1024;

struct ProbeFma {
  float* sink;  // a float for each piece
  int64_t rounds, pieces;
};

struct ProbeStream {
  float* y;
  const float* x;
  const float* z;
  int64_t n;
  bool past;
};

struct ProbeRead {
  float* sink;
  const float* x;
  int64_t n;
};

struct ProbeKernels {
  void (*fma)(const ProbeFma&) = nullptr;
  void (*stream)(const ProbeStream&) = nullptr;
  void (*read)(const ProbeRead&) = nullptr;
  int64_t fma_flops = 0;
};

}  // namespace weft
