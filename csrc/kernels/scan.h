// Running sums along the middle of [outer, n, inner], and triangles of matrices.
//   cumsum:    y[o, k, j] = x[o, 0, j] + ... + x[o, k, j]; `reverse`: x[o, k, j] + ... + x[o, n - 1, j]. Floats are
//   summed in
//              float64, one after another; y may alias x
//   triangle:  y[b, r, c] = x[b, r, c] where c - r >= diagonal (`upper`) or <= diagonal, else 0
// Contiguous.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct CumulativeSum {
  void* y;
  const void* x;
  int64_t outer, n, inner;
  DType dtype;  // not bool
  bool reverse;
};

struct Triangle {
  void* y;
  const void* x;
  int64_t batch, rows, cols, diagonal;
  DType dtype;
  bool upper;
};

struct ScanKernels {
  void (*cumsum)(const CumulativeSum&) = nullptr;
  void (*triangle)(const Triangle&) = nullptr;
};

}  // namespace weft
