// Functions of one operand that step: rounding, signs, tests, replacement.
#pragma once

#include "kernels/pointwise/common.h"

namespace WEFT_FUNCTORS {

struct NanToNum {  // for NaN, for infinity, for minus infinity
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) {
    V y = vselect(x == lit<V>(__builtin_inf()), lit<V>(p[1]), vselect(x == lit<V>(-__builtin_inf()), lit<V>(p[2]), x));
    return vselect(x != x, lit<V>(p[0]), y);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) { return vselect(x - x == lit<V>(0), dy, lit<V>(0)); }
};
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
struct SignBit {
  WEFT_FN value(V x, const Params&) {
    if constexpr (is_integer<V>)
      return as_number<V>(x < lit<V>(0));
    else
      return as_number<V>(vcopysign(lit<V>(1), x) < lit<V>(0));
  }
};
struct RoundDecimals {  // 10^|decimals|; whether decimals are negative
  WEFT_FN value(V x, const Params& p) {
    V ten = lit<V>(p[0]);
    return p[1] != 0 ? vrint(x / ten) * ten : vrint(x * ten) / ten;
  }
};

}  // namespace WEFT_FUNCTORS
