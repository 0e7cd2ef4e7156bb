// What every file of functors begins with; their contract is kernels/pointwise_functors.h.
#pragma once

#include "kernels/pointwise.h"

namespace WEFT_FUNCTORS {

#define WEFT_FN      \
  template <class V> \
  WEFT_HD WEFT_INLINE V

enum class Reads { Nothing, Input, Output };

template <class V, class M>
WEFT_HD WEFT_INLINE V as_number(M mask) {
  return vselect(mask, lit<V>(1), lit<V>(0));
}

}  // namespace WEFT_FUNCTORS
