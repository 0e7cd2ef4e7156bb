// Running results along the middle of [outer, n, inner], from the first row or, `reverse`, from the last.
//   Sum, Prod:   y[k] = y[k - 1] + x[k] or * x[k]. Floats in float64; integers wrap around
//   Max, Min:    the extreme so far, a NaN once there was one, and in `indices` where it was seen last
//   LogSumExp:   y[k] = log(exp(y[k - 1]) + exp(x[k])), in float64
//   triangle:    y[b, r, c] = x[b, r, c] where c - r >= diagonal (`upper`) or <= diagonal, else 0
// Contiguous; y may alias x.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

enum class ScanOp : uint8_t { Sum, Prod, Max, Min, LogSumExp };

struct Scan {
  void* y;
  int64_t* indices;  // Max and Min
  const void* x;
  int64_t outer, n, inner;
  DType dtype;  // bool for Max and Min alone; floating for LogSumExp
  ScanOp op;
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
  void (*scan)(const Scan&) = nullptr;
  void (*triangle)(const Triangle&) = nullptr;
};

}  // namespace weft
