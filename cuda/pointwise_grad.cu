#include "pointwise.cuh"

namespace weft::cuda {

#define CASE(F, name, domain) WEFT_POINTWISE_CASE(math::GradOf<math::F>, F##Grad, Real)
WEFT_POINTWISE_SET(UnaryGrad, WEFT_UNARY_SMOOTH(CASE) WEFT_UNARY_PARAMETRIC(CASE));
#undef CASE

void fill_grad(PointwiseKernels& k) {
#define OP(F, name, domain) add<math::GradOf<math::F>, UnaryGrad, 2, Domain::Real, PointwiseOp::F##Grad>(k);
  WEFT_UNARY_SMOOTH(OP)
  WEFT_UNARY_PARAMETRIC(OP)
#undef OP
}

}  // namespace weft::cuda
