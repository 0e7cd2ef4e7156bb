// Functions of one operand: one body for all, driven by the list in kernels/pointwise.h.
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/pointwise_expr.h"
#include "ops/pointwise_launch.h"
#include "tensor/autograd.h"

namespace weft {

namespace {

using composed::Expr;
using composed::Reads;

struct Derivative {
  PointwiseOp op;  // fused: (dy, saved)
  Reads reads;
  Expr (*composed)(Expr dy, Expr saved, const Params& p);
};

template <class F>
Expr composed_grad(Expr dy, Expr saved, const Params& p) {
  return F::template grad<Expr>(dy, saved, saved, p);
}

// Indexed by PointwiseOp; steps and tests come later in the enumeration and have none.
constexpr Derivative kDerivatives[] = {
#define OP(F, ...) {PointwiseOp::F##Grad, composed::F::reads, &composed_grad<composed::F>},
    WEFT_UNARY_SMOOTH(OP) WEFT_UNARY_PARAMETRIC(OP)
#undef OP
};
constexpr int kSmooth = sizeof kDerivatives / sizeof kDerivatives[0];

// Of bools, "not" is logical.
PointwiseOp fitting(PointwiseOp op, const Tensor& x) {
  return op == PointwiseOp::BitwiseNot && x.dtype() == DType::Bool ? PointwiseOp::LogicalNot : op;
}

Tensor zero_grad(const Tensor& dy) { return Tensor::zeros(dy.shape(), dy.dtype(), dy.device()); }

}  // namespace

Tensor unary_grad(PointwiseOp op, const Tensor& dy, const Tensor& saved, const Params& params) {
  const Derivative& d = kDerivatives[(int)op];
  if (grad_enabled()) return d.composed(dy, saved, params).tensor;
  const Arg args[] = {dy, saved};
  return pointwise(d.op, args, 2, {saved.dtype(), saved.dtype()}, params);
}

Tensor unary(PointwiseOp op, const Tensor& x, Params params) {
  if (op == PointwiseOp::Square && x.dtype() == DType::Bool) return to(x, DType::Int64);
  op = fitting(op, x);
  const Arg arg(x);
  Tensor y = pointwise(op, &arg, 1, typing_of(op, x.dtype()), params);
  if (!needs_grad(x) || !is_floating(y.dtype())) return y;
  if ((int)op >= kSmooth) {
    record(name_of(op), {x}, {y}, [](Backward& b) { return b.grads(zero_grad(b.dy())); });
  } else if (kDerivatives[(int)op].reads == Reads::Nothing) {
    record(name_of(op), {x}, {y},
           [op, params](Backward& b) { return b.grads(unary_grad(op, b.dy(), b.dy(), params)); });
  } else if (kDerivatives[(int)op].reads == Reads::Output) {
    record(name_of(op), {x}, {y}, [op, params, y = Saved::output(y)](Backward& b) {
      return b.grads(unary_grad(op, b.dy(), y.get(b), params));
    });
  } else {
    record(name_of(op), {x}, {y},
           [op, params, x = Saved(x)](Backward& b) { return b.grads(unary_grad(op, b.dy(), x.get(b), params)); });
  }
  return y;
}

void unary_inplace(PointwiseOp op, const Tensor& x, Params params) {
  InPlace change(name_of(op), x);
  op = fitting(op, x);
  Typing typing = typing_of(op, x.dtype());
  check_castable(op, typing.result, x.dtype());
  bool records = needs_grad(x);
  Reads reads = (int)op < kSmooth ? kDerivatives[(int)op].reads : Reads::Nothing;
  Tensor before = records && reads == Reads::Input ? clone(x) : Tensor();
  const Arg arg(x);
  pointwise_into(op, x, &arg, 1, typing.computed, params);
  change.done();
  if (!records) return;
  if ((int)op >= kSmooth) {
    record_inplace(name_of(op), x, {x}, [](Backward& b) { return b.grads(zero_grad(b.dy())); });
  } else if (reads == Reads::Nothing) {
    record_inplace(name_of(op), x, {x},
                   [op, params](Backward& b) { return b.grads(unary_grad(op, b.dy(), b.dy(), params)); });
  } else if (reads == Reads::Input) {
    record_inplace(name_of(op), x, {x}, [op, params, x = Saved(before)](Backward& b) {
      return b.grads(unary_grad(op, b.dy(), x.get(b), params));
    });
  } else {
    record_inplace(name_of(op), x, {x}, [op, params, y = Saved::output(x)](Backward& b) {
      return b.grads(unary_grad(op, b.dy(), y.get(b), params));
    });
  }
}

Tensor unary_maybe_inplace(PointwiseOp op, const Tensor& x, bool inplace, const Params& params) {
  if (!inplace) return unary(op, x, params);
  unary_inplace(op, x, params);
  return x;
}

void unary_out(PointwiseOp op, const Tensor& out, const Tensor& x, Params params) {
  check_out(op, {&out, &x});
  op = fitting(op, x);
  Typing typing = typing_of(op, x.dtype());
  check_castable(op, typing.result, out.dtype());
  const Arg arg(x);
  pointwise_into(op, out, &arg, 1, typing.computed, params);
  out.bump_version();
}

Tensor neg(const Tensor& a) { return unary(PointwiseOp::Neg, a); }
Tensor exp(const Tensor& a) { return unary(PointwiseOp::Exp, a); }
Tensor log(const Tensor& a) { return unary(PointwiseOp::Log, a); }
Tensor log1p(const Tensor& a) { return unary(PointwiseOp::Log1p, a); }
Tensor sqrt(const Tensor& a) { return unary(PointwiseOp::Sqrt, a); }
Tensor rsqrt(const Tensor& a) { return unary(PointwiseOp::Rsqrt, a); }
Tensor tanh(const Tensor& a) { return unary(PointwiseOp::Tanh, a); }
Tensor sigmoid(const Tensor& a) { return unary(PointwiseOp::Sigmoid, a); }
Tensor relu(const Tensor& a) { return unary(PointwiseOp::Relu, a); }
Tensor gelu(const Tensor& a, bool tanh_form) { return unary(tanh_form ? PointwiseOp::GeluTanh : PointwiseOp::Gelu, a); }
Tensor silu(const Tensor& a) { return unary(PointwiseOp::Silu, a); }
Tensor abs(const Tensor& a) { return unary(PointwiseOp::Abs, a); }
Tensor sign(const Tensor& a) { return unary(PointwiseOp::Sign, a); }
Tensor square(const Tensor& a) { return unary(PointwiseOp::Square, a); }
Tensor sin(const Tensor& a) { return unary(PointwiseOp::Sin, a); }
Tensor cos(const Tensor& a) { return unary(PointwiseOp::Cos, a); }
Tensor positive(const Tensor& a) {
  WEFT_CHECK(a.dtype() != DType::Bool, Runtime, "[positive] is not defined for bools");
  return a;
}
Tensor bitwise_not(const Tensor& a) { return unary(PointwiseOp::BitwiseNot, a); }

}  // namespace weft
