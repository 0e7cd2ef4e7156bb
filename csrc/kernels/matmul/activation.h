// The activations of the epilogue: the formulas of pointwise_functors.h, so that fused and separate give the same bits.
#pragma once

#include "kernels/matmul.h"
#include "simd/math.h"
#include "simd/math64.h"

namespace weft::WEFT_ISA::mm {

template <class V>
WEFT_INLINE V relu(V x) {
  return x < 0 ? V{} : x;  // NaN stays
}

// In place over a row of whole vectors.
template <class V>
WEFT_INLINE void activate(scalar_of<V>* row, int n, Activation act) {
  auto each = [&](auto f) __attribute__((always_inline)) {
    for (int j = 0; j < n; j += lanes<V>) store<V>(row + j, f(load<V>(row + j)));
  };
  switch (act) {
    case Activation::None: return;
    case Activation::Relu: return each([](V x) { return relu(x); });
    case Activation::Gelu: return each([](V x) { return x * vnormal_cdf(x); });
    case Activation::GeluTanh:
      return each([](V x) {
        constexpr double a = 1.59576912160573071176, b = 0.044715;  // 2 sqrt(2 / pi)
        V inner = x * (splat<V>(a) + splat<V>(a * b) * x * x);
        return x / (splat<V>(1) + vexp(-inner));
      });
    case Activation::Silu: return each([](V x) { return x / (splat<V>(1) + vexp(-x)); });
  }
}

}  // namespace weft::WEFT_ISA::mm
