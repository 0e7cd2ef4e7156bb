#include "kernels/batch_norm/backward.h"
#include "kernels/batch_norm/forward.h"

namespace weft::WEFT_ISA {

namespace {

using namespace batch_norm;

void batch_norm_forward(const BatchNormForward& a) {
  switch (a.dtype) {
    case DType::Float16: return batch_norm_forward_of<float16>(a);
    case DType::BFloat16: return batch_norm_forward_of<bfloat16>(a);
    case DType::Float32: return batch_norm_forward_of<float>(a);
    default: return batch_norm_forward_of<double>(a);
  }
}

void batch_norm_backward(const BatchNormBackward& a) {
  switch (a.dtype) {
    case DType::Float16: return batch_norm_backward_of<float16>(a);
    case DType::BFloat16: return batch_norm_backward_of<bfloat16>(a);
    case DType::Float32: return batch_norm_backward_of<float>(a);
    default: return batch_norm_backward_of<double>(a);
  }
}

}  // namespace

void fill(BatchNormKernels& k) {
  k.forward = batch_norm_forward;
  k.backward = batch_norm_backward;
}

}  // namespace weft::WEFT_ISA
