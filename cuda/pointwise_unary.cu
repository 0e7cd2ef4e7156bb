#include "pointwise.cuh"

namespace weft::cuda {

#define CASE(F, name, domain) WEFT_POINTWISE_CASE(math::F, F, domain)
WEFT_POINTWISE_SET(Unary, WEFT_UNARY_SMOOTH(CASE) WEFT_UNARY_PARAMETRIC(CASE) WEFT_UNARY_STEP(CASE)
                              WEFT_UNARY_STEP_PARAMETRIC(CASE));
#undef CASE

void fill_unary(PointwiseKernels& k) {
#define OP(F, name, domain) add<math::F, Unary, 1, Domain::domain, PointwiseOp::F>(k);
  WEFT_UNARY_SMOOTH(OP)
  WEFT_UNARY_PARAMETRIC(OP)
  WEFT_UNARY_STEP(OP)
  WEFT_UNARY_STEP_PARAMETRIC(OP)
#undef OP
}

}  // namespace weft::cuda
