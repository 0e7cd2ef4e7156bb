#include "pointwise.cuh"

namespace weft::cuda {

void fill_grad(PointwiseKernels& k) {
#define OP(F, name, domain) add<math::GradOf<math::F>, 2, Domain::Real>(k, PointwiseOp::F##Grad);
  WEFT_UNARY_SMOOTH(OP)
  WEFT_UNARY_PARAMETRIC(OP)
#undef OP
}

}  // namespace weft::cuda
