#include "pointwise.cuh"

namespace weft::cuda {

void fill(PointwiseKernels& k) {
  fill_unary(k);
  fill_grad(k);
  fill_binary(k);
  fill_ternary(k);
}

}  // namespace weft::cuda
