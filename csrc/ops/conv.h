// The three products of a convolution of [N, C, L], [N, C, H, W] or [N, C, D, H, W]. Each is linear in both of its
// tensors, and their gradients are again these three, so that derivatives of any order come for free.
#pragma once

#include <atomic>

#include "kernels/conv.h"
#include "tensor/tensor.h"

namespace weft {

// Whether Winograd's algorithm may be used on the CPU.
extern std::atomic<bool> conv_winograd;

struct ConvGeometry {
  ConvShape shape;
  int spatial;                             // how many of the shape's axes the tensors have
  bool last = false, weight_last = false;  // results like x and y, and like the weight, have their channels last

  Dims input() const;
  Dims output() const;
  Dims weight() const;
};

// Tensors of one dtype, float32 or float64; the bias may be undefined.
Tensor conv_forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvGeometry& g,
                    bool relu = false);  // of the result
Tensor conv_backward_input(const char* op, const Tensor& y, const Tensor& weight, const Tensor& bias,
                           const ConvGeometry& g);
Tensor conv_backward_weight(const Tensor& y, const Tensor& x, const ConvGeometry& g);

}  // namespace weft
