// One optimizer step over a list of tensors, in place. With g = grad * scale, negated by `maximize`:
//   sgd:    g += weight_decay * p;  b = first ? g : momentum * b + (1 - dampening) * g;
//           p -= lr * (nesterov ? g + momentum * b : b), or of g itself without momentum
//   adam:   step += 1;  decoupled: p *= 1 - lr * weight_decay, else g += weight_decay * p;
//           m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g * g;  amsgrad: x = max(x, v), used for v
//           below; p -= lr / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + eps)
// (Kingma and Ba 2015; Loshchilov and Hutter 2019 for `decoupled`; Reddi et al. 2018 for `amsgrad`.)
//   scale:  p *= scale
//   norm:   *norm = sqrt(sum of p * p over all tensors), in float64, in an order that depends on the sizes alone
// The tensors of a list are contiguous, of one dtype, and do not overlap. Half precision is computed in float32.
// What changes from step to step can be read from memory: lr and scale are *lr_at and *scale_at where these are given.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

constexpr int kOptimizerTensors = 64;  // in one launch; an argument struct stays below 4 KiB, CUDA's limit

struct OptimizerTensor {
  void* p;
  const void* g;
  void *m, *v, *x;  // m: also sgd's momentum buffer b; null where unused
  float* step;
  int64_t n;
};

struct OptimizerList {
  OptimizerTensor t[kOptimizerTensors];
  int count;
  DType dtype;  // floating
};

struct SgdStep {
  OptimizerList list;
  double lr, momentum, dampening, weight_decay, scale;
  const float *lr_at, *scale_at;
  bool nesterov, maximize, first;
};

struct AdamStep {
  OptimizerList list;
  double lr, beta1, beta2, eps, weight_decay, scale;
  const float *lr_at, *scale_at;
  bool decoupled, amsgrad, maximize;
};

struct ScaleList {
  OptimizerList list;
  double scale;
  const float* scale_at;
};

struct NormOfList {
  OptimizerList list;
  double* partial;  // workspace: optimizer_pieces(list) values
  float* norm;
  double* sum;  // running sum of squares over several launches; the first one clears it
  bool first, last;
};

struct OptimizerKernels {
  void (*sgd)(const SgdStep&) = nullptr;
  void (*adam)(const AdamStep&) = nullptr;
  void (*scale)(const ScaleList&) = nullptr;
  void (*norm)(const NormOfList&) = nullptr;
};

// Pieces of a list: each of kOptimizerGrain elements of one tensor.
constexpr int64_t kOptimizerGrain = 16 * 1024;
WEFT_HD WEFT_INLINE int64_t optimizer_pieces(const OptimizerList& list) {
  int64_t pieces = 0;
  for (int i = 0; i < list.count; ++i) pieces += (list.t[i].n + kOptimizerGrain - 1) / kOptimizerGrain;
  return pieces;
}

}  // namespace weft
