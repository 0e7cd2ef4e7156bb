#include "pointwise.cuh"

namespace weft::cuda {

void fill_binary(PointwiseKernels& k) {
#define OP(F, name, domain) add<math::F, 2, Domain::domain>(k, PointwiseOp::F);
  WEFT_BINARY(OP)
#undef OP
}

}  // namespace weft::cuda
