// The activations of the epilogue: the formulas of pointwise_functors.h, so that fused and separate give the same bits.
#pragma once

#include "kernels/matmul.h"
#include "kernels/matmul/pack.h"
#include "simd/math.h"
#include "simd/math64.h"

namespace weft::WEFT_ISA::mm {

template <class V>
WEFT_INLINE V relu(V x) {
  return x < 0 ? V{} : x;  // NaN stays
}

// body(f), where f is the activation of a vector.
template <class V, class Body>
WEFT_INLINE void with_activation(Activation act, const Body& body) {
  if constexpr (kReal<scalar_of<V>>) switch (act) {
      case Activation::None: break;
      case Activation::Relu: return body([](V x) { return relu(x); });
      case Activation::Gelu: return body([](V x) { return x * vnormal_cdf(x); });
      case Activation::GeluTanh:
        return body([](V x) {
          constexpr double a = 1.59576912160573071176, b = 0.044715;  // 2 sqrt(2 / pi)
          V inner = x * (splat<V>(a) + splat<V>(a * b) * x * x);
          return x / (splat<V>(1) + vexp(-inner));
        });
      case Activation::Silu: return body([](V x) { return x / (splat<V>(1) + vexp(-x)); });
    }
  body([](V x) { return x; });
}

}  // namespace weft::WEFT_ISA::mm
