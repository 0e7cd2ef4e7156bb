// Functions of two operands, tensors or numbers: promotion, broadcasting, gradients.
#include <cmath>

#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/pointwise_expr.h"
#include "ops/pointwise_launch.h"
#include "ops/pointwise_tape.h"
#include "tensor/autograd.h"

namespace weft {

namespace {

using composed::Expr;
using composed::vselect;

Operand number(double x) { return Operand{{}, x, (int64_t)x, DType::Float32}; }

// A fused derivative kernel, or its functor on tensors where the tape is on.
template <class F>
Tensor derivative(PointwiseOp op, const Operand& dy, const Operand& a, const Operand& b) {
  if (grad_enabled()) return F::template value<Expr>(Expr(dy), Expr(a), Expr(b), Params{}).tensor;
  const Arg args[] = {dy, a, b};
  return pointwise(op, args, 3, typing_of(op, dy.tensor.dtype()), Params{});
}
#define DERIVATIVE(F, dy, a, b) derivative<composed::F>(PointwiseOp::F, dy, a, b)

Tensor op2(PointwiseOp op, const Operand& a, const Operand& b) { return binary_operand(op, a, b); }

// Where fmax and fmin take the first operand.
Expr takes_first(PointwiseOp op, const Operand& a, const Operand& b) {
  return op2(PointwiseOp::LogicalOr, as_operand(op2(op == PointwiseOp::Fmax ? PointwiseOp::Ge : PointwiseOp::Le, a, b)),
             as_operand(op2(PointwiseOp::Ne, b, b)));
}

// Gradients of functions that are used seldom: formulas on tensors.
Expr formula_of_first(PointwiseOp op, const Expr& dy, const Expr& a, const Expr& b, const Expr& y) {
  const Expr zero(0.0);
  switch (op) {
    case PointwiseOp::Fmax:
    case PointwiseOp::Fmin: return vselect(takes_first(op, a, b), dy, zero);
    case PointwiseOp::CopySign: return vselect(a == zero, zero, dy * (y / a));
    case PointwiseOp::Hypot: return dy * (a / y);
    case PointwiseOp::LogAddExp: return dy * vsigmoid(a - b);
    case PointwiseOp::LogAddExp2: return dy * vsigmoid((a - b) * Expr(M_LN2));
    case PointwiseOp::XLogY: return vselect((a == zero) & (b <= zero), zero, dy * vlog(b));
    case PointwiseOp::Prelu: return vselect(a > zero, dy, dy * b);
    default: return dy * zero;
  }
}
Expr formula_of_second(PointwiseOp op, const Expr& dy, const Expr& a, const Expr& b, const Expr& y) {
  const Expr zero(0.0);
  switch (op) {
    case PointwiseOp::Fmax:
    case PointwiseOp::Fmin: return vselect(takes_first(op, a, b), zero, dy);
    case PointwiseOp::Hypot: return dy * (b / y);
    case PointwiseOp::LogAddExp: return dy * vsigmoid(b - a);
    case PointwiseOp::LogAddExp2: return dy * vsigmoid((b - a) * Expr(M_LN2));
    case PointwiseOp::XLogY: return dy * a / b;
    case PointwiseOp::Prelu: return vselect(a > zero, zero, dy * a);
    default: return dy * zero;
  }
}

// Gradients before broadcasting is undone, of all but sums. `y` is the result, for those that need it.
Tensor grad_of_first(PointwiseOp op, const Tensor& dy, const Operand& a, const Operand& b, const Tensor& y) {
  Operand g = as_operand(dy);
  switch (op) {
    case PointwiseOp::Mul: return op2(PointwiseOp::Mul, g, b);
    case PointwiseOp::Div: return op2(PointwiseOp::Div, g, b);
    case PointwiseOp::Pow: return DERIVATIVE(PowGradBase, g, a, b);
    case PointwiseOp::Maximum: return DERIVATIVE(MaximumGrad, g, a, b);
    case PointwiseOp::Minimum: return DERIVATIVE(MinimumGrad, g, a, b);
    case PointwiseOp::Atan2: return DERIVATIVE(Atan2Grad, g, a, b);
    case PointwiseOp::Remainder:
    case PointwiseOp::Fmod: return dy;
    default: return formula_of_first(op, g, a, b, y).tensor;
  }
}
Tensor grad_of_second(PointwiseOp op, const Tensor& dy, const Operand& a, const Operand& b, const Tensor& y) {
  Operand g = as_operand(dy);
  switch (op) {
    case PointwiseOp::Mul: return op2(PointwiseOp::Mul, g, a);
    case PointwiseOp::Div: return DERIVATIVE(DivGradOther, g, as_operand(y), b);
    case PointwiseOp::Pow: return DERIVATIVE(PowGradExponent, g, a, as_operand(y));
    case PointwiseOp::Maximum: return DERIVATIVE(MaximumGrad, g, b, a);
    case PointwiseOp::Minimum: return DERIVATIVE(MinimumGrad, g, b, a);
    case PointwiseOp::Atan2: return neg(DERIVATIVE(Atan2Grad, g, b, a));
    case PointwiseOp::Fmod: return neg(mul(dy, op2(PointwiseOp::DivTrunc, a, b)));
    case PointwiseOp::Remainder: return neg(mul(dy, op2(PointwiseOp::DivFloor, a, b)));
    default: return formula_of_second(op, g, a, b, y).tensor;
  }
}
#undef DERIVATIVE

// What the gradients that are wanted read: the operands, the result.
struct BinaryNeeds {
  bool a, b, y;
};
BinaryNeeds needs_of(PointwiseOp op, bool da, bool db) {
  switch (op) {
    case PointwiseOp::Mul: return {db, da, false};
    case PointwiseOp::Prelu: return {true, da, false};
    case PointwiseOp::Div: return {false, true, db};
    case PointwiseOp::Pow: return {true, da, db};
    case PointwiseOp::Maximum:
    case PointwiseOp::Minimum:
    case PointwiseOp::Fmax:
    case PointwiseOp::Fmin:
    case PointwiseOp::LogAddExp:
    case PointwiseOp::LogAddExp2:
    case PointwiseOp::XLogY:
    case PointwiseOp::Atan2: return {true, true, false};
    case PointwiseOp::Hypot: return {da, db, true};
    case PointwiseOp::CopySign: return {da, false, da};
    case PointwiseOp::Remainder:
    case PointwiseOp::Fmod: return {db, db, false};
    default: return {false, false, false};
  }
}
bool is_sum(PointwiseOp op) { return op == PointwiseOp::Add || op == PointwiseOp::Sub; }

// What goes back through y = op(a, b); kept values of an in-place change are copies made before it.
struct BinaryBackward {
  PointwiseOp op;
  Origin first, second;
  Kept a, b;
  Saved y;
  TensorList operator()(Backward& ctx) const {
    bool wants_a = ctx.needs(0), wants_b = ctx.needs(1);
    const Tensor& dy = ctx.dy();
    Operand va = a.get(ctx), vb = b.get(ctx);
    Tensor result = y.defined() ? y.get(ctx) : Tensor();
    Tensor da = wants_a ? first.back(grad_of_first(op, dy, va, vb, result)) : Tensor();
    Tensor db = wants_b ? second.back(grad_of_second(op, dy, va, vb, result)) : Tensor();
    return ctx.grads(std::move(da), std::move(db));
  }
};
// Sums of operands of any shape: nothing is kept.
struct SumBackward {
  double alpha;
  Origin first, second;
  TensorList operator()(Backward& ctx) const {
    Tensor da = ctx.needs(0) ? first.back(ctx.dy()) : Tensor();
    Tensor db = ctx.needs(1) ? second.back(alpha == 1 ? ctx.dy() : mul(ctx.dy(), alpha)) : Tensor();
    return ctx.grads(std::move(da), std::move(db));
  }
};

// A whole power that has a kernel of its own.
bool small_power(const Operand& exponent, const Tensor& x, PointwiseOp* op) {
  if (!exponent.is_number()) return false;
  double e = exponent.category == DType::Float32 ? exponent.number : (double)exponent.integer;
  bool real = is_floating(x.dtype());
  if (!real && (exponent.category == DType::Float32 || x.dtype() == DType::Bool)) return false;
  if (e == 2) return *op = PointwiseOp::Square, true;
  if (e == 3) return *op = PointwiseOp::Cube, true;
  if (e == 0.5 && real) return *op = PointwiseOp::Sqrt, true;
  if (e == -1 && real) return *op = PointwiseOp::Reciprocal, true;
  if (e == -0.5 && real) return *op = PointwiseOp::Rsqrt, true;
  return false;
}

// What would trap or has no answer among the integers.
void check_integers(PointwiseOp op, DType common, const Operand& a, const Operand& b) {
  if (is_floating(common)) return;
  auto any = [&](PointwiseOp test) {
    if (!b.is_number()) return any_host(binary_operand(test, b, Operand{{}, 0, 0, DType::Int64}));
    return test == PointwiseOp::Eq ? b.integer == 0 : b.integer < 0;
  };
  switch (op) {
    case PointwiseOp::DivTrunc:
    case PointwiseOp::DivFloor:
    case PointwiseOp::Remainder:
    case PointwiseOp::Fmod:
      WEFT_CHECK(!any(PointwiseOp::Eq), Runtime, "[", name_of(op), "] integer division by zero (ZeroDivisionError)");
      break;
    case PointwiseOp::Pow:
      WEFT_CHECK(!b.is_number() || a.is_number() || !any(PointwiseOp::Lt), Runtime,
                 "[pow] integers to negative integer powers are not allowed; convert the base to floating point");
      break;
    default: break;
  }
}

Params params_of(double alpha) { return Params{{alpha, 0, 0}}; }

}  // namespace

Tensor binary_operand(PointwiseOp op, const Operand& a, const Operand& b, double alpha) {
  if (op == PointwiseOp::Pow && !a.is_number()) {
    PointwiseOp whole;
    if (small_power(b, a.tensor, &whole)) return unary(whole, a.tensor);
  }
  const Arg args[] = {a, b};
  DType common = !a.is_number() && !b.is_number() && a.tensor.dtype() == b.tensor.dtype() ? a.tensor.dtype()
                                                                                          : result_type(args, 2);
  check_integers(op, common, a, b);
  Tensor y = pointwise(op, args, 2, typing_of(op, common), params_of(alpha));
  if (!is_floating(y.dtype()) || (!takes_gradient(a) && !takes_gradient(b))) return y;
  if (is_sum(op)) {
    double slope = op == PointwiseOp::Sub ? -alpha : alpha;
    record(name_of(op), {a.tensor, b.tensor}, {y}, SumBackward{slope, Origin(a), Origin(b)});
  } else {
    BinaryNeeds needs = needs_of(op, takes_gradient(a), takes_gradient(b));
    record(name_of(op), {a.tensor, b.tensor}, {y},
           BinaryBackward{op, Origin(a), Origin(b), Kept(a, needs.a), Kept(b, needs.b),
                          needs.y ? Saved::output(y) : Saved()});
  }
  return y;
}

void binary_inplace(PointwiseOp op, const Tensor& x, const Operand& b, double alpha) {
  InPlace change(name_of(op), x);
  Operand a = as_operand(x);
  const Arg args[] = {a, b};
  DType common = result_type(args, 2);
  check_integers(op, common, a, b);
  Typing typing = typing_of(op, common);
  check_castable(op, typing.result, x.dtype());
  bool records = is_floating(x.dtype()) && (needs_grad(x) || takes_gradient(b));
  Operand before = a, other = b;
  BinaryNeeds needs = needs_of(op, needs_grad(x), takes_gradient(b));
  if (records && needs.a) before.tensor = clone(x);
  if (records && needs.b && !b.is_number() && b.tensor.get()->storage.get() == x.get()->storage.get())
    other.tensor = clone(b.tensor);
  pointwise_into(op, x, args, 2, typing.computed, params_of(alpha));
  change.done();
  if (!records) return;
  if (is_sum(op)) {
    double slope = op == PointwiseOp::Sub ? -alpha : alpha;
    record_inplace(name_of(op), x, {x, b.tensor}, SumBackward{slope, Origin(a), Origin(b)});
  } else {
    record_inplace(name_of(op), x, {x, b.tensor},
                   BinaryBackward{op, Origin(a), Origin(b), Kept(before, needs.a), Kept(other, needs.b),
                                  needs.y ? Saved::output(x) : Saved()});
  }
}

void binary_out(PointwiseOp op, const Tensor& out, const Operand& a, const Operand& b, double alpha) {
  check_out(op, {&out, &a.tensor, &b.tensor});
  const Arg args[] = {a, b};
  DType common = result_type(args, 2);
  check_integers(op, common, a, b);
  Typing typing = typing_of(op, common);
  check_castable(op, typing.result, out.dtype());
  pointwise_into(op, out, args, 2, typing.computed, params_of(alpha));
  out.bump_version();
}

Tensor add(const Tensor& a, const Tensor& b, double alpha) {
  return binary_operand(PointwiseOp::Add, as_operand(a), as_operand(b), alpha);
}
Tensor sub(const Tensor& a, const Tensor& b, double alpha) {
  return binary_operand(PointwiseOp::Sub, as_operand(a), as_operand(b), alpha);
}
#define WEFT_TENSORS(name, F) \
  Tensor name(const Tensor& a, const Tensor& b) { return op2(PointwiseOp::F, as_operand(a), as_operand(b)); }
WEFT_TENSORS(mul, Mul)
WEFT_TENSORS(div, Div)
WEFT_TENSORS(eq, Eq)
WEFT_TENSORS(ne, Ne)
WEFT_TENSORS(lt, Lt)
WEFT_TENSORS(le, Le)
WEFT_TENSORS(gt, Gt)
WEFT_TENSORS(ge, Ge)
WEFT_TENSORS(maximum, Maximum)
WEFT_TENSORS(minimum, Minimum)
#undef WEFT_TENSORS
#define WEFT_NUMBER(name, F) \
  Tensor name(const Tensor& a, double b) { return op2(PointwiseOp::F, as_operand(a), number(b)); }
WEFT_NUMBER(add, Add)
WEFT_NUMBER(sub, Sub)
WEFT_NUMBER(mul, Mul)
WEFT_NUMBER(div, Div)
WEFT_NUMBER(gt, Gt)
WEFT_NUMBER(pow, Pow)
#undef WEFT_NUMBER
Tensor rsub(const Tensor& a, double b) { return op2(PointwiseOp::Sub, number(b), as_operand(a)); }
Tensor rdiv(const Tensor& a, double b) { return op2(PointwiseOp::Div, number(b), as_operand(a)); }

void add_into(const Tensor& dst, const Tensor& src) {
  const Arg args[] = {dst, src};
  pointwise_into(PointwiseOp::Add, dst, args, 2, dst.dtype(), params_of(1));
}

}  // namespace weft
