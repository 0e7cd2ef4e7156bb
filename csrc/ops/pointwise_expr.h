// The value type that makes the functors of kernels/pointwise_functors.h into operations on tensors: a derivative that
// is itself to be differentiated is computed by these instead of by its fused kernel.
#pragma once

#include "ops/pointwise.h"

namespace weft::composed {

struct Expr : Operand {
  Expr() = default;
  Expr(const Tensor& t) { tensor = t; }
  Expr(const Operand& o) : Operand(o) {}
  explicit Expr(double x) { number = x, integer = (int64_t)x; }
};

inline Expr apply(PointwiseOp op, const Expr& a, const Expr& b) {
  if (a.is_number() && b.is_number()) switch (op) {
      case PointwiseOp::Add: return Expr(a.number + b.number);
      case PointwiseOp::Sub: return Expr(a.number - b.number);
      case PointwiseOp::Mul: return Expr(a.number * b.number);
      case PointwiseOp::Div: return Expr(a.number / b.number);
      default: break;
    }
  return binary_operand(op, a, b);
}
inline Expr operator+(const Expr& a, const Expr& b) { return apply(PointwiseOp::Add, a, b); }
inline Expr operator-(const Expr& a, const Expr& b) { return apply(PointwiseOp::Sub, a, b); }
inline Expr operator*(const Expr& a, const Expr& b) { return apply(PointwiseOp::Mul, a, b); }
inline Expr operator/(const Expr& a, const Expr& b) { return apply(PointwiseOp::Div, a, b); }
inline Expr operator==(const Expr& a, const Expr& b) { return apply(PointwiseOp::Eq, a, b); }
inline Expr operator!=(const Expr& a, const Expr& b) { return apply(PointwiseOp::Ne, a, b); }
inline Expr operator<(const Expr& a, const Expr& b) { return apply(PointwiseOp::Lt, a, b); }
inline Expr operator<=(const Expr& a, const Expr& b) { return apply(PointwiseOp::Le, a, b); }
inline Expr operator>(const Expr& a, const Expr& b) { return apply(PointwiseOp::Gt, a, b); }
inline Expr operator>=(const Expr& a, const Expr& b) { return apply(PointwiseOp::Ge, a, b); }
inline Expr operator&(const Expr& a, const Expr& b) { return apply(PointwiseOp::LogicalAnd, a, b); }
inline Expr operator|(const Expr& a, const Expr& b) { return apply(PointwiseOp::LogicalOr, a, b); }
inline Expr operator-(const Expr& a) { return a.is_number() ? Expr(-a.number) : Expr(neg(a.tensor)); }

template <class V>
Expr lit(double x) {
  return Expr(x);
}
template <class V>
inline constexpr bool is_integer = false;

inline Expr vselect(const Expr& mask, const Expr& a, const Expr& b) { return where_operand(mask.tensor, a, b); }
inline Expr vpow(const Expr& a, const Expr& b) { return apply(PointwiseOp::Pow, a, b); }
inline Expr apply(PointwiseOp op, const Expr& x) {
  if (x.is_number()) return Expr(unary(op, Tensor::full({}, x.number, DType::Float64)).item());
  return unary(op, x.tensor);
}
#define WEFT_UNARY(name, F) \
  inline Expr name(const Expr& x) { return apply(PointwiseOp::F, x); }
WEFT_UNARY(vabs, Abs)
WEFT_UNARY(vsqrt, Sqrt)
WEFT_UNARY(vexp, Exp)
WEFT_UNARY(vexpm1, Expm1)
WEFT_UNARY(vlog, Log)
WEFT_UNARY(vlog1p, Log1p)
WEFT_UNARY(vsin, Sin)
WEFT_UNARY(vcos, Cos)
WEFT_UNARY(vsinh, Sinh)
WEFT_UNARY(vcosh, Cosh)
WEFT_UNARY(vtanh, Tanh)
WEFT_UNARY(vsigmoid, Sigmoid)
WEFT_UNARY(verf, Erf)
#undef WEFT_UNARY
inline Expr vnormal_cdf(const Expr& x) { return (verf(x * Expr(0.70710678118654752440)) + Expr(1.0)) * Expr(0.5); }
inline Expr vnormal_pdf(const Expr& x) { return vexp(x * x * Expr(-0.5)) * Expr(0.39894228040143267794); }

}  // namespace weft::composed

#define WEFT_FUNCTORS weft::composed
#include "kernels/pointwise_functors.h"
