#include "kernels/pointwise_rows.h"

namespace weft::WEFT_ISA {

void fill_grad(PointwiseKernels& k) {
#define OP(F, name, domain) add<GradOf<F>, 2, Domain::Real>(k, PointwiseOp::F##Grad);
  WEFT_UNARY_SMOOTH(OP)
  WEFT_UNARY_PARAMETRIC(OP)
#undef OP
}

}  // namespace weft::WEFT_ISA
