#include "kernels/pointwise_rows.h"

namespace weft::WEFT_ISA {

void fill_unary(PointwiseKernels& k) {
#define OP(F, name, domain) add<F, 1, Domain::domain>(k, PointwiseOp::F);
  WEFT_UNARY_SMOOTH(OP)
  WEFT_UNARY_PARAMETRIC(OP)
  WEFT_UNARY_STEP(OP)
  WEFT_UNARY_STEP_PARAMETRIC(OP)
#undef OP
}

}  // namespace weft::WEFT_ISA
