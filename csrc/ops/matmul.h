// Products. Shapes and broadcasting as torch.matmul and torch.nn.functional.linear.
#pragma once

#include "kernels/matmul.h"
#include "tensor/tensor.h"

namespace weft {

Tensor matmul(const Tensor& a, const Tensor& b);
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1);    // 2-D
Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta = 1, double alpha = 1);  // 3-D
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});  // x [..., in], weight [out, in]
Tensor linear_act(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation act);  // act(linear(…))

// Off the tape, for operations that have checked their operands: c = act(alpha * A B + beta * c + bias), where A is a
// or its transpose, all have at least two dimensions, and the others broadcast to c's.
struct Epilogue {
  double alpha = 1, beta = 0;
  Tensor bias, pre;  // [n]; like c
  Activation act = Activation::None;
};
void product_into(const char* op, const Tensor& c, const Tensor& a, bool a_transposed, const Tensor& b,
                  bool b_transposed, const Epilogue& e = {});
Tensor product(const char* op, const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed,
               const Epilogue& e = {});
// The same on the tape where one is being written: what a gradient is made of.
Tensor times(const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed);
Tensor rows_of(const Tensor& x);  // [..., n] as [rows, n]

void check_operands(const char* op, const Tensor& a, const Tensor& b);  // dtypes and devices

}  // namespace weft
