// Dropout: y[i] = x[i] * (word i of the stream >= drop_below ? scale : 0). Its own backward: dx from dy by the same
// stream. Contiguous; y may alias x. Half precision is computed in float32.
#pragma once

#include "kernels/random.h"

namespace weft {

struct Dropout {
  void* y;
  const void* x;
  int64_t n;
  RandomStream stream;
  uint32_t drop_below;  // p * 2^32
  double scale;         // 1 / (1 - p)
  DType dtype;          // floating
};

struct DropoutKernels {
  void (*apply)(const Dropout&) = nullptr;
};

}  // namespace weft
