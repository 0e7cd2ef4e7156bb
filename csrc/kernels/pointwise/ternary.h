// Functions of three operands, and the derivatives of those of two.
#pragma once

#include "kernels/pointwise/common.h"

namespace WEFT_FUNCTORS {

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

}  // namespace WEFT_FUNCTORS
