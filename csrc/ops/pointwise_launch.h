// From tensors and numbers to a pointwise kernel: dtype of computation, shape, layout, arguments. Off the tape.
#pragma once

#include <initializer_list>

#include "kernels/pointwise.h"
#include "tensor/operand.h"

namespace weft {

// A borrowed operand: a tensor, or a number if `tensor` is null.
struct Arg {
  const Tensor* tensor;
  double number = 0;
  int64_t integer = 0;
  DType category = DType::Float32;
  Arg(const Tensor& t) : tensor(&t) {}
  Arg(const Operand& o)
      : tensor(o.is_number() ? nullptr : &o.tensor), number(o.number), integer(o.integer), category(o.category) {}
};

const char* name_of(PointwiseOp op);  // as in Python
Domain domain_of(PointwiseOp op);

// PyTorch's promotion: tensors with dimensions, then 0-dimensional ones, then numbers; a lower class counts only where
// its category (bool, integers, floating) is higher.
DType result_type(const Arg* args, int n);

// What `op` computes in, given its operands' common type, and the dtype of its result. TypeError or RuntimeError (as in
// PyTorch) for an op that this dtype does not have.
struct Typing {
  DType computed, result;
};
Typing typing_of(PointwiseOp op, DType common);

// RuntimeError if a result cannot be stored: floating in integers, anything but bool in bool.
void check_castable(PointwiseOp op, DType result, DType stored);

// RuntimeError if a tensor among out and its operands (undefined: a number) requires grad.
void check_out(PointwiseOp op, std::initializer_list<const Tensor*> tensors);

// A fresh result; it takes over the memory order (such as channels-last) of the first operand of full shape.
Tensor pointwise(PointwiseOp op, const Arg* args, int n, Typing typing, const Params& params);

// Into a given tensor of the right shape. An operand that shares memory with it otherwise than element by element is
// copied first.
void pointwise_into(PointwiseOp op, const Tensor& out, const Arg* args, int n, DType computed, const Params& params);

}  // namespace weft
