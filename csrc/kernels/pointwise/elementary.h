// Elementary functions of one operand.
#pragma once

#include "kernels/pointwise/common.h"

namespace WEFT_FUNCTORS {

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
struct Erfc {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return verfc(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * lit<V>(-1.12837916709551257390) * vexp(-(x * x)); }
};
struct Erfinv {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return verfinv(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * lit<V>(0.88622692545275801365) * vexp(y * y); }
};
// The inverse hyperbolic functions by log1p, so that small arguments keep their digits; huge ones by log(2x), whose
// square would overflow.
struct Asinh {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) {
    V a = vabs(x), s = a * a;
    V near = vlog1p(a + s / (lit<V>(1) + vsqrt(s + lit<V>(1))));
    return vcopysign(vselect(a > lit<V>(1e9), vlog(a) + lit<V>(0.69314718055994530942), near), x);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / vsqrt(x * x + lit<V>(1)); }
};
struct Acosh {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) {
    V t = vselect(x < lit<V>(1), lit<V>(-1), x - lit<V>(1));  // below 1: the root of -1
    V near = vlog1p(t + vsqrt(t * (t + lit<V>(2))));
    return vselect(x > lit<V>(1e9), vlog(x) + lit<V>(0.69314718055994530942), near);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / vsqrt(x * x - lit<V>(1)); }
};
struct Atanh {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) {
    V a = vabs(x);
    return vcopysign(lit<V>(0.5) * vlog1p((a + a) / (lit<V>(1) - a)), x);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy / (lit<V>(1) - x * x); }
};
struct Logit {  // log(x / (1 - x)); eps: x is kept within [eps, 1 - eps] first, unless it is negative
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) {
    V low = lit<V>(p[0]), high = lit<V>(1) - low;
    V z = vselect(low < lit<V>(0), x, vselect(x < low, low, vselect(x > high, high, x)));
    return vlog(z / (lit<V>(1) - z));
  }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    V low = lit<V>(p[0] < 0 ? 0.0 : p[0]), outside = lit<V>(p[0] < 0 ? __builtin_nan("") : 0.0);
    return vselect((x < low) | (x > lit<V>(1) - low), outside, dy / (x * (lit<V>(1) - x)));
  }
};

}  // namespace WEFT_FUNCTORS
