// Elementwise operations with broadcasting and PyTorch's type promotion. All differentiable where the mathematics is,
// any number of times: the derivative of a fused derivative kernel is its functor again, on tensors
// (ops/pointwise_expr.h).
#pragma once

#include <optional>

#include "kernels/pointwise.h"
#include "tensor/operand.h"
#include "tensor/tensor.h"

namespace weft {

// 0 of t's dtype where t is, without dimensions.
inline Tensor zero_like(const Tensor& t) { return Tensor::zeros({}, t.dtype(), t.device()); }

// Any function of one operand, with its functor's parameters.
Tensor unary(PointwiseOp op, const Tensor& x, Params params = {});
void unary_inplace(PointwiseOp op, const Tensor& x, Params params = {});
Tensor unary_maybe_inplace(PointwiseOp op, const Tensor& x, bool inplace, const Params& params = {});
// The gradient of x, given what the derivative reads: x or y. Composed while a tape is being written.
Tensor unary_grad(PointwiseOp op, const Tensor& dy, const Tensor& saved, const Params& params = {});

// The number protocol of Tensor: any function of WEFT_BINARY on tensors and numbers, of which one is a tensor.
Tensor binary_operand(PointwiseOp op, const Operand& a, const Operand& b, double alpha = 1);
void binary_inplace(PointwiseOp op, const Tensor& x, const Operand& b, double alpha = 1);
// The same (unary_out, ternary_maybe_out too) into `out`, which has the result's shape and a dtype that it fits. Off
// the tape: RuntimeError if an operand requires grad.
void binary_out(PointwiseOp op, const Tensor& out, const Operand& a, const Operand& b, double alpha = 1);
void unary_out(PointwiseOp op, const Tensor& out, const Tensor& x, Params params = {});

// Where, Lerp, Addcmul, Addcdiv and Clamp.
Tensor ternary(PointwiseOp op, const Operand& a, const Operand& b, const Operand& c, Params params = {});
Tensor ternary_maybe_out(PointwiseOp op, const Operand& a, const Operand& b, const Operand& c, const Params& params,
                         const std::optional<Tensor>& out);
void ternary_inplace(PointwiseOp op, const Tensor& x, const Operand& b, const Operand& c, Params params = {});
Tensor where_operand(const Tensor& condition, const Operand& a, const Operand& b);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Operand& value);
void masked_fill_inplace(const Tensor& x, const Tensor& mask, const Operand& value);

Tensor add(const Tensor& a, const Tensor& b, double alpha = 1);  // a + alpha * b
Tensor sub(const Tensor& a, const Tensor& b, double alpha = 1);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, double b);
Tensor sub(const Tensor& a, double b);
Tensor mul(const Tensor& a, double b);
Tensor rsub(const Tensor& a, double b);  // b - a
Tensor div(const Tensor& a, double b);
Tensor rdiv(const Tensor& a, double b);  // b / a
Tensor pow(const Tensor& a, double exponent);
Tensor neg(const Tensor& a);
Tensor positive(const Tensor& a);  // a itself
Tensor exp(const Tensor& a);
Tensor log(const Tensor& a);
Tensor log1p(const Tensor& a);
Tensor sqrt(const Tensor& a);
Tensor rsqrt(const Tensor& a);
Tensor tanh(const Tensor& a);
Tensor sigmoid(const Tensor& a);
Tensor relu(const Tensor& a);
Tensor gelu(const Tensor& a, bool tanh_form = false);
Tensor silu(const Tensor& a);
Tensor abs(const Tensor& a);
Tensor sign(const Tensor& a);
Tensor square(const Tensor& a);
Tensor sin(const Tensor& a);
Tensor cos(const Tensor& a);
Tensor bitwise_not(const Tensor& a);          // of bools: logical
Tensor eq(const Tensor& a, const Tensor& b);  // bool results
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, double b);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);
void add_into(const Tensor& dst, const Tensor& src);  // dst += src, off the tape: gradient accumulation

}  // namespace weft
