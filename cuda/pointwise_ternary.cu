#include "pointwise.cuh"

namespace weft::cuda {

#define CASE(F, name, domain) WEFT_POINTWISE_CASE(math::F, F, domain)
WEFT_POINTWISE_SET(Ternary, WEFT_TERNARY(CASE));
#undef CASE

void fill_ternary(PointwiseKernels& k) {
#define OP(F, name, domain) add<math::F, Ternary, 3, Domain::domain, PointwiseOp::F>(k);
  WEFT_TERNARY(OP)
#undef OP
}

}  // namespace weft::cuda
