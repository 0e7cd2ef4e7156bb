#include "kernels/softmax.h"

namespace weft::WEFT_ISA {

void fill(SoftmaxKernels&) {}

}  // namespace weft::WEFT_ISA
