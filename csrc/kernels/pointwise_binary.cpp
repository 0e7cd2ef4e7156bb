// Two and three operands.
#include "kernels/pointwise_rows.h"

namespace weft::WEFT_ISA {

void fill_binary(PointwiseKernels& k) {
#define OP(F, name, domain) add<F, 2, Domain::domain>(k, PointwiseOp::F);
  WEFT_BINARY(OP)
#undef OP
#define OP(F, name, domain) add<F, 3, Domain::domain>(k, PointwiseOp::F);
  WEFT_TERNARY(OP)
#undef OP
}

}  // namespace weft::WEFT_ISA
