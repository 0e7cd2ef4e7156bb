// The activations of the epilogue, over a row in L1.
#pragma once

#include "kernels/matmul.h"
#include "kernels/matmul/vec.h"

namespace weft::WEFT_ISA::mm {

template <class T>
WEFT_INLINE void activate(T* x, int n, Activation act) {
  (void)x, (void)n, (void)act;
}

}  // namespace weft::WEFT_ISA::mm
