// The functions of the pointwise family, value and derivative, for the CPU, for CUDA and for the tape.
//
// Each is a template over a value type V. The includer defines WEFT_FUNCTORS as a namespace where, declared before this
// header is included, V has + - * / and comparisons; comparisons give masks with & | !; and these functions exist:
//
//   lit<V>(double)  vselect(mask, a, b)  vmin vmax (NaN wins)  vabs vsqrt vrint vfloor vceil vtrunc vcopysign
//   vexp vexp2 vexpm1 vlog vlog2 vlog10 vlog1p vsin vcos vtan vsinh vcosh vtanh vasin vacos vatan vatan2 verf verfc
//   verfinv vsigmoid vpow vfmod vnormal_cdf vnormal_pdf   is_integer<V>, and for integers vquotient (truncating; 0
//   where b is 0), vgcd and ~ & | ^ << >>
//
//   csrc/kernels   WEFT_FUNCTORS = weft::WEFT_ISA             V = f32v, f64v, i64v        (simd/math.h)
//   cuda           WEFT_FUNCTORS = weft::cuda::math           V = float, double, int64_t  (math.cuh)
//   csrc/ops       WEFT_FUNCTORS = weft::composed             V = Expr: operations on tensors, recorded on the tape,
//                                                             which is how every derivative has a derivative
//
// Literals: lit<V>(0.5), or a small int. No branches on values: vselect. `grad` is given dy and, as both x and y, the
// tensor that `reads` names: the input or the output.
#pragma once

#include "kernels/pointwise/activations.h"
#include "kernels/pointwise/binary.h"
#include "kernels/pointwise/elementary.h"
#include "kernels/pointwise/steps.h"
#include "kernels/pointwise/ternary.h"

namespace WEFT_FUNCTORS {

// A unary functor's derivative as a function of (dy, saved).
template <class F>
struct GradOf {
  WEFT_FN value(V dy, V saved, const Params& p) { return F::grad(dy, saved, saved, p); }
};

#undef WEFT_FN

}  // namespace WEFT_FUNCTORS
