#include "pointwise.cuh"

namespace weft::cuda {

void fill_ternary(PointwiseKernels& k) {
#define OP(F, name, domain) add<math::F, 3, Domain::domain>(k, PointwiseOp::F);
  WEFT_TERNARY(OP)
#undef OP
}

}  // namespace weft::cuda
