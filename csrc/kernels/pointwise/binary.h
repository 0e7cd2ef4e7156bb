// Functions of two operands.
#pragma once

#include "kernels/pointwise/common.h"

namespace WEFT_FUNCTORS {

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
struct ShiftLeft {  // as of endless binary numbers; 0 for a negative shift
  WEFT_FN value(V a, V b, const Params&) {
    return vselect((b >= lit<V>(0)) & (b < lit<V>(64)), a << (b & lit<V>(63)), lit<V>(0));
  }
};
struct ShiftRight {  // the sign alone for a negative shift
  WEFT_FN value(V a, V b, const Params&) { return a >> vselect((b >= lit<V>(0)) & (b < lit<V>(64)), b, lit<V>(63)); }
};
struct Gcd {
  WEFT_FN value(V a, V b, const Params&) { return vgcd(a, b); }
};
struct Fmax {  // the other operand, where one is NaN
  WEFT_FN value(V a, V b, const Params&) { return vselect((a >= b) | (b != b), a, b); }
};
struct Fmin {
  WEFT_FN value(V a, V b, const Params&) { return vselect((a <= b) | (b != b), a, b); }
};
struct CopySign {
  WEFT_FN value(V a, V b, const Params&) { return vcopysign(a, b); }
};
struct Hypot {  // scaled by the larger one, whose square could overflow
  WEFT_FN value(V a, V b, const Params&) {
    V x = vabs(a), y = vabs(b), large = vmax(x, y), r = vmin(x, y) / large;
    V h = large * vsqrt(r * r + lit<V>(1));
    h = vselect(large == lit<V>(0), lit<V>(0), h);
    V inf = lit<V>(__builtin_inf());
    return vselect((x == inf) | (y == inf), inf, h);
  }
};
struct LogAddExp {  // log(e^a + e^b)
  WEFT_FN value(V a, V b, const Params&) {
    V d = vselect(a == b, lit<V>(0), vabs(a - b));  // equal infinities
    return vmax(a, b) + vlog1p(vexp(-d));
  }
};
struct LogAddExp2 {
  WEFT_FN value(V a, V b, const Params&) {
    V d = vselect(a == b, lit<V>(0), vabs(a - b));
    return vmax(a, b) + vlog1p(vexp2(-d)) * lit<V>(1.44269504088896340736);
  }
};
struct XLogY {  // a log b; 0 where a is 0 and b a number
  WEFT_FN value(V a, V b, const Params&) { return vselect((a == lit<V>(0)) & (b == b), lit<V>(0), a * vlog(b)); }
};
struct Prelu {
  WEFT_FN value(V a, V b, const Params&) { return vselect(a > lit<V>(0), a, a * b); }
};

}  // namespace WEFT_FUNCTORS
