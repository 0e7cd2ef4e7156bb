#include "pointwise.cuh"

namespace weft::cuda {

#define CASE(F, name, domain) WEFT_POINTWISE_CASE(math::F, F, domain)
WEFT_POINTWISE_SET(Binary, WEFT_BINARY(CASE));
#undef CASE

void fill_binary(PointwiseKernels& k) {
#define OP(F, name, domain) add<math::F, Binary, 2, Domain::domain, PointwiseOp::F>(k);
  WEFT_BINARY(OP)
#undef OP
}

}  // namespace weft::cuda
