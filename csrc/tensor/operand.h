// A number or tensor where either may stand: x + 1, clamp(min=…). Python and NumPy numbers do not change a tensor's
// dtype within its category, as in PyTorch.
#pragma once

#include "tensor/tensor.h"

namespace weft {

struct Operand {
  Tensor tensor;  // undefined: a number
  double number = 0;
  int64_t integer = 0;
  DType category = DType::Float32;  // Bool, Int64 or Float32 for Python bool, int, float
  bool is_number() const { return !tensor.defined(); }
};

}  // namespace weft
