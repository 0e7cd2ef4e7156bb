// A linear recurrence along the middle of [outer, n, inner], the ground of state-space models:
//   y[o, t, j] = a[o, t, j] * y[o, t - 1, j] + b[o, t, j], with y[o, -1, j] = initial[o, j], or 0
//   `reverse`: t runs from n - 1 down to 0 and t - 1 reads t + 1
//   `delayed`: the factor is a of the step before (of t - 1, or t + 1 in reverse), without an initial state: the
//              gradient of either form is the other one from the opposite end
// Contiguous, no overlap. Half precision is computed in float32. Where there are few sequences, time is cut into
// chunks: each is scanned from 0 with the product of its factors, which gives every chunk its start, then scanned
// again. The chunks depend on the sizes alone, and so do the bits.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"

namespace weft {

struct LinearScan {
  void* y;
  const void* a;
  const void* b;
  const void* initial;  // [outer, inner], or null
  int64_t outer, n, inner;
  void* workspace;  // linear_scan_chunks * outer * inner * 2 numbers of 8 bytes; not for a single chunk
  DType dtype;      // floating
  bool reverse, delayed;
};

// How many chunks time is cut into: enough pieces for many threads, none shorter than 1024 steps.
WEFT_INLINE int64_t linear_scan_chunks(int64_t outer, int64_t n, int64_t inner) {
  int64_t tiles = inner == 1 ? (outer + 7) / 8 : outer * ((inner + 63) / 64);
  int64_t wanted = tiles > 0 ? 64 / tiles : 1, most = n / 1024, chunks = wanted < most ? wanted : most;
  return chunks > 1 ? chunks : 1;
}

struct LinearScanKernels {
  void (*scan)(const LinearScan&) = nullptr;
};

}  // namespace weft
