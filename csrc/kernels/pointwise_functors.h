// The functions of the pointwise family, value and derivative, for the CPU, for CUDA and for the tape.
//
// Each is a template over a value type V. The includer defines WEFT_FUNCTORS as a namespace where, declared before this
// header is included, V has + - * / and comparisons; comparisons give masks with & | !; and these functions exist:
//
//   lit<V>(double)  vselect(mask, a, b)  vmin vmax (NaN wins)  vabs vsqrt vrint vfloor vceil vtrunc vcopysign
//   vexp vexp2 vexpm1 vlog vlog2 vlog10 vlog1p vsin vcos vtan vsinh vcosh vtanh vasin vacos vatan vatan2 verf vsigmoid
//   vpow vfmod vnormal_cdf vnormal_pdf   is_integer<V>, and for integers vquotient (truncating; 0 where b is 0) and ~ &
//   | ^
//
//   csrc/kernels   WEFT_FUNCTORS = weft::WEFT_ISA             V = f32v, f64v, i64v        (simd/math.h)
//   cuda           WEFT_FUNCTORS = weft::cuda::math           V = float, double, int64_t  (math.cuh)
//   csrc/ops       WEFT_FUNCTORS = weft::composed             V = Expr: operations on tensors, recorded on the tape,
//                                                             which is how every derivative has a derivative
//
// Literals: lit<V>(0.5), or a small int. No branches on values: vselect. `grad` is given dy and, as both x and y, the
// tensor that `reads` names: the input or the output.
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

// Unary, differentiable.

struct Neg {
  static constexpr Reads reads = Reads::Nothing;
  WEFT_FN value(V x, const Params&) { return -x; }
  WEFT_FN grad(V dy, V, V, const Params&) { return -dy; }
};
struct Abs {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vabs(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    return vselect(x > lit<V>(0), dy, vselect(x < lit<V>(0), -dy, lit<V>(0)));
  }
};
struct Square {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return x * x; }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * (x + x); }
};
struct Cube {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return x * x * x; }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * lit<V>(3) * x * x; }
};
struct Relu {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vselect(x < lit<V>(0), lit<V>(0), x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return vselect(y > lit<V>(0), dy, lit<V>(0)); }
};
struct Relu6 {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vselect(x < lit<V>(0), lit<V>(0), vselect(x > lit<V>(6), lit<V>(6), x)); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return vselect((x > lit<V>(0)) & (x < lit<V>(6)), dy, lit<V>(0)); }
};
struct Reciprocal {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return lit<V>(1) / x; }
  WEFT_FN grad(V dy, V, V y, const Params&) { return -dy * y * y; }
};
struct Sqrt {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vsqrt(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy / (y + y); }
};
struct Rsqrt {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return lit<V>(1) / vsqrt(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return lit<V>(-0.5) * dy * y * y * y; }
};
struct Exp {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vexp(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * y; }
};
struct Exp2 {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vexp2(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * y * lit<V>(0.69314718055994530942); }
};
struct Expm1 {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vexpm1(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * (y + lit<V>(1)); }
};
struct Log {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vlog(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / x; }
};
struct Log2 {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vlog2(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / (x * lit<V>(0.69314718055994530942)); }
};
struct Log10 {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vlog10(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / (x * lit<V>(2.30258509299404568402)); }
};
struct Log1p {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vlog1p(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / (x + lit<V>(1)); }
};
struct Sin {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vsin(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * vcos(x); }
};
struct Cos {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vcos(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return -dy * vsin(x); }
};
struct Tan {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vtan(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * (y * y + lit<V>(1)); }
};
struct Sinh {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vsinh(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * vcosh(x); }
};
struct Cosh {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vcosh(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * vsinh(x); }
};
struct Tanh {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vtanh(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * (lit<V>(1) - y * y); }
};
struct Asin {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vasin(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / vsqrt(lit<V>(1) - x * x); }
};
struct Acos {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vacos(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return -dy / vsqrt(lit<V>(1) - x * x); }
};
struct Atan {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vatan(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / (x * x + lit<V>(1)); }
};
struct Erf {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return verf(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * lit<V>(1.12837916709551257390) * vexp(-(x * x)); }
};
struct Sigmoid {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vsigmoid(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * y * (lit<V>(1) - y); }
};
struct LogSigmoid {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vselect(x > lit<V>(0), lit<V>(0), x) - vlog1p(vexp(-vabs(x))); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * vsigmoid(-x); }
};
struct Silu {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return x / (lit<V>(1) + vexp(-x)); }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    V s = vsigmoid(x);
    return dy * (s * (lit<V>(1) + x * (lit<V>(1) - s)));
  }
};
struct Mish {  // x tanh(log(1 + e^x)), arXiv:1908.08681
  static constexpr Reads reads = Reads::Input;
  // tanh(...) = a / b, both without overflow or cancellation; 1 - tanh^2 = gap (a + b) / b^2
  template <class V>
  struct Parts {
    V u, a, b, gap;
  };
  template <class V>
  WEFT_HD WEFT_INLINE Parts<V> parts(V x) {
    V u = vexp(-vabs(x)), twice = u + u;
    auto positive = x > lit<V>(0);
    V a = vselect(positive, lit<V>(1) + twice, u * (u + lit<V>(2)));
    V gap = vselect(positive, twice * u, lit<V>(2));
    return {u, a, a + gap, gap};
  }
  WEFT_FN value(V x, const Params&) {
    Parts<V> p = parts(x);
    return x * (p.a / p.b);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    Parts<V> p = parts(x);
    V s = vselect(x > lit<V>(0), lit<V>(1), p.u) / (lit<V>(1) + p.u);
    return dy * (p.a / p.b + x * s * (p.gap * (p.a + p.b) / (p.b * p.b)));
  }
};
struct Selu {  // arXiv:1706.02515
  static constexpr Reads reads = Reads::Output;
  static constexpr double alpha = 1.6732632423543772848170429916717, scale = 1.0507009873554804934193349852946;
  WEFT_FN value(V x, const Params&) {
    return vselect(x < lit<V>(0), lit<V>(scale * alpha) * vexpm1(x), lit<V>(scale) * x);
  }
  WEFT_FN grad(V dy, V, V y, const Params&) {
    return dy * vselect(y > lit<V>(0), lit<V>(scale), y + lit<V>(scale * alpha));
  }
};
struct HardSigmoid {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) {
    V t = x + lit<V>(3);
    return vselect(t < lit<V>(0), lit<V>(0), vselect(t > lit<V>(6), lit<V>(6), t)) / lit<V>(6);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    return vselect((x > lit<V>(-3)) & (x < lit<V>(3)), dy / lit<V>(6), lit<V>(0));
  }
};
struct HardSwish {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return x * HardSigmoid::value(x, p); }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    return vselect(x <= lit<V>(-3), lit<V>(0), vselect(x < lit<V>(3), dy * (x / lit<V>(3) + lit<V>(0.5)), dy));
  }
};

// With parameters.

struct Gelu {  // x P(X <= x), arXiv:1606.08415
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return x * vnormal_cdf(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * (vnormal_cdf(x) + x * vnormal_pdf(x)); }
};
struct GeluTanh {  // with (1 + tanh(u)) / 2 = sigmoid(2u), which keeps its relative accuracy in the tail
  static constexpr Reads reads = Reads::Input;
  static constexpr double a = 1.59576912160573071176, b = 0.044715;  // 2 sqrt(2 / pi)
  WEFT_FN value(V x, const Params&) { return x / (lit<V>(1) + vexp(-inner(x))); }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    V s = vsigmoid(inner(x));
    return dy * (s + x * s * (lit<V>(1) - s) * (lit<V>(a) + lit<V>(3 * a * b) * x * x));
  }
  WEFT_FN inner(V x) { return x * (lit<V>(a) + lit<V>(a * b) * x * x); }
};
struct Softplus {  // beta, threshold
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) {
    V t = x * lit<V>(p[0]);
    V soft = vselect(t > lit<V>(0), t, lit<V>(0)) + vlog1p(vexp(-vabs(t)));
    return vselect(t > lit<V>(p[1]), x, soft / lit<V>(p[0]));
  }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    V t = x * lit<V>(p[0]);
    return vselect(t > lit<V>(p[1]), dy, dy * vsigmoid(t));
  }
};
struct Elu {  // alpha
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return vselect(x > lit<V>(0), x, lit<V>(p[0]) * vexpm1(x)); }
  WEFT_FN grad(V dy, V x, V, const Params& p) { return vselect(x > lit<V>(0), dy, dy * lit<V>(p[0]) * vexp(x)); }
};
struct LeakyRelu {  // slope
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return vselect(x > lit<V>(0), x, x * lit<V>(p[0])); }
  WEFT_FN grad(V dy, V x, V, const Params& p) { return vselect(x > lit<V>(0), dy, dy * lit<V>(p[0])); }
};
struct ClampNumbers {  // low, high
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) {
    V raised = vselect(x < lit<V>(p[0]), lit<V>(p[0]), x);
    return vselect(raised > lit<V>(p[1]), lit<V>(p[1]), raised);
  }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    return vselect((x >= lit<V>(p[0])) & (x <= lit<V>(p[1])), dy, lit<V>(0));
  }
};
struct HardTanh {  // low, high: no gradient at the bounds
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return ClampNumbers::value(x, p); }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    return vselect((x > lit<V>(p[0])) & (x < lit<V>(p[1])), dy, lit<V>(0));
  }
};

// Unary steps and tests.

struct Sign {
  WEFT_FN value(V x, const Params&) {
    return vselect(x > lit<V>(0), lit<V>(1), vselect(x < lit<V>(0), lit<V>(-1), lit<V>(0)));
  }
};
#define WEFT_ROUNDING(F, f)             \
  struct F {                            \
    WEFT_FN value(V x, const Params&) { \
      if constexpr (is_integer<V>)      \
        return x;                       \
      else                              \
        return f(x);                    \
    }                                   \
  };
WEFT_ROUNDING(Floor, vfloor)
WEFT_ROUNDING(Ceil, vceil)
WEFT_ROUNDING(Round, vrint)
WEFT_ROUNDING(Trunc, vtrunc)
#undef WEFT_ROUNDING
struct IsNan {
  WEFT_FN value(V x, const Params&) { return as_number<V>(x != x); }
};
struct IsInf {
  WEFT_FN value(V x, const Params&) { return as_number<V>((x - x != lit<V>(0)) & (x == x)); }
};
struct IsFinite {
  WEFT_FN value(V x, const Params&) { return as_number<V>(x - x == lit<V>(0)); }
};
struct LogicalNot {
  WEFT_FN value(V x, const Params&) { return as_number<V>(x == lit<V>(0)); }
};
struct BitwiseNot {
  WEFT_FN value(V x, const Params&) { return ~x; }
};

// Binary.

struct Add {  // a + alpha b
  WEFT_FN value(V a, V b, const Params& p) { return a + lit<V>(p[0]) * b; }
};
struct Sub {
  WEFT_FN value(V a, V b, const Params& p) { return a - lit<V>(p[0]) * b; }
};
struct Mul {
  WEFT_FN value(V a, V b, const Params&) { return a * b; }
};
struct Div {
  WEFT_FN value(V a, V b, const Params&) { return a / b; }
};
struct DivTrunc {
  WEFT_FN value(V a, V b, const Params&) {
    if constexpr (is_integer<V>)
      return vquotient(a, b);
    else
      return vtrunc(a / b);
  }
};
struct Fmod {
  WEFT_FN value(V a, V b, const Params&) {
    if constexpr (is_integer<V>)
      return a - vquotient(a, b) * b;
    else
      return vfmod(a, b);
  }
};
struct Remainder {  // the sign of b, as in Python
  WEFT_FN value(V a, V b, const Params& p) {
    V r = Fmod::value(a, b, p);
    return vselect((r != lit<V>(0)) & ((r < lit<V>(0)) != (b < lit<V>(0))), r + b, r);
  }
};
struct DivFloor {  // as Python's //: from the remainder, so that a == b * (a // b) + a % b
  WEFT_FN value(V a, V b, const Params& p) {
    V r = Fmod::value(a, b, p);
    auto below = (r != lit<V>(0)) & ((r < lit<V>(0)) != (b < lit<V>(0)));
    if constexpr (is_integer<V>) {
      V q = vquotient(a, b);
      return vselect(below, q - lit<V>(1), q);
    } else {
      V q = (a - r) / b;
      q = vselect(below, q - lit<V>(1), q);
      V f = vfloor(q);
      f = vselect(q - f > lit<V>(0.5), f + lit<V>(1), f);
      f = vselect(q == lit<V>(0), vcopysign(lit<V>(0), a / b), f);
      return vselect(b == lit<V>(0), a / b, f);
    }
  }
};
struct Pow {
  WEFT_FN value(V a, V b, const Params&) { return vpow(a, b); }
};
struct Maximum {
  WEFT_FN value(V a, V b, const Params&) { return vmax(a, b); }
};
struct Minimum {
  WEFT_FN value(V a, V b, const Params&) { return vmin(a, b); }
};
struct Atan2 {
  WEFT_FN value(V a, V b, const Params&) { return vatan2(a, b); }
};
#define WEFT_TEST(F, condition)                                                \
  struct F {                                                                   \
    WEFT_FN value(V a, V b, const Params&) { return as_number<V>(condition); } \
  };
WEFT_TEST(Eq, a == b)
WEFT_TEST(Ne, a != b)
WEFT_TEST(Lt, a < b)
WEFT_TEST(Le, a <= b)
WEFT_TEST(Gt, a > b)
WEFT_TEST(Ge, a >= b)
WEFT_TEST(LogicalAnd, (a != lit<V>(0)) & (b != lit<V>(0)))
WEFT_TEST(LogicalOr, (a != lit<V>(0)) | (b != lit<V>(0)))
WEFT_TEST(LogicalXor, (a != lit<V>(0)) != (b != lit<V>(0)))
#undef WEFT_TEST
struct BitwiseAnd {
  WEFT_FN value(V a, V b, const Params&) { return a & b; }
};
struct BitwiseOr {
  WEFT_FN value(V a, V b, const Params&) { return a | b; }
};
struct BitwiseXor {
  WEFT_FN value(V a, V b, const Params&) { return a ^ b; }
};

// Ternary.

struct Where {
  WEFT_FN value(V condition, V a, V b, const Params&) { return vselect(condition != lit<V>(0), a, b); }
};
struct Lerp {  // from the nearer end, so that w = 1 gives b exactly
  WEFT_FN value(V a, V b, V w, const Params&) {
    return vselect(vabs(w) < lit<V>(0.5), a + w * (b - a), b - (b - a) * (lit<V>(1) - w));
  }
};
struct Addcmul {
  WEFT_FN value(V x, V a, V b, const Params& p) { return x + lit<V>(p[0]) * a * b; }
};
struct Addcdiv {
  WEFT_FN value(V x, V a, V b, const Params& p) { return x + lit<V>(p[0]) * a / b; }
};
struct Clamp {
  WEFT_FN value(V x, V low, V high, const Params&) { return vmin(vmax(x, low), high); }
};

// Derivatives of binary functions.

struct DivGradOther {  // y = a / b
  WEFT_FN value(V dy, V y, V b, const Params&) { return -dy * y / b; }
};
struct PowGradBase {
  WEFT_FN value(V dy, V a, V b, const Params&) {
    return vselect(b == lit<V>(0), lit<V>(0), dy * (b * vpow(a, b - lit<V>(1))));
  }
};
struct PowGradExponent {  // y = a ^ b; 0 ^ b has no slope for b >= 0
  WEFT_FN value(V dy, V a, V y, const Params&) {
    return vselect((a == lit<V>(0)) & (y <= lit<V>(1)), lit<V>(0), dy * (y * vlog(a)));
  }
};
struct MaximumGrad {  // of the first operand; equal operands share
  WEFT_FN value(V dy, V a, V b, const Params&) {
    return vselect(a > b, dy, vselect(a == b, dy * lit<V>(0.5), lit<V>(0)));
  }
};
struct MinimumGrad {
  WEFT_FN value(V dy, V a, V b, const Params&) {
    return vselect(a < b, dy, vselect(a == b, dy * lit<V>(0.5), lit<V>(0)));
  }
};
struct Atan2Grad {  // of the first operand; of the second: -Atan2Grad(dy, b, a)
  WEFT_FN value(V dy, V a, V b, const Params&) { return dy * b / (a * a + b * b); }
};

// A unary functor's derivative as a function of (dy, saved).
template <class F>
struct GradOf {
  WEFT_FN value(V dy, V saved, const Params& p) { return F::grad(dy, saved, saved, p); }
};

#undef WEFT_FN

}  // namespace WEFT_FUNCTORS
