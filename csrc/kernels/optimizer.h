// One optimizer step over a list of tensors, in place. All begin with
//
//   g = grad * scale, negated by `maximize`;  decoupled: p *= 1 - lr * weight_decay, else g += weight_decay * p
//
// and go on as their rule says (kernels/optimizer_rules.h, one struct each, for the CPU and for CUDA).
//   scale:  p *= scale
//   norm:   *norm = sqrt(sum of p * p over all tensors), in float64, in an order that depends on the sizes alone, and
//           *clip, where given, is what makes the norm of scale * p at most max_norm, and scales: scale * min(1,
//           max_norm / (scale * norm + 1e-6))
// A gradient of some rows only: list.t[0] alone, `ids` the rows of it and of its state that change, g and n the rows of
// the gradient one after the other. The others stay as they are.
// The tensors of a list are contiguous, of one dtype, and do not overlap. Half precision is computed in float32.
// What changes from step to step can be read from memory: lr and scale are *lr_at and *scale_at where these are given.
// A step whose *norm_at is not finite does nothing at all.
#pragma once

#include <cstdint>

#include "base/dtype.h"

// The rules: name, name in Python, how many tensors of state are elements like the parameter's, whether it counts its
// steps, and the names of its numbers, in the order of OptimizerStep::numbers.
#define WEFT_OPTIMIZERS(RULE)                                         \
  RULE(Sgd, "sgd", 1, false, "momentum dampening nesterov")           \
  RULE(Adam, "adam", 3, true, "beta1 beta2 eps plain_eps")            \
  RULE(Rmsprop, "rmsprop", 3, true, "alpha eps momentum centered")    \
  RULE(Adagrad, "adagrad", 1, true, "lr_decay eps")                   \
  RULE(Adadelta, "adadelta", 2, true, "rho eps")                      \
  RULE(Adamax, "adamax", 2, true, "beta1 beta2 eps")                  \
  RULE(Nadam, "nadam", 2, true, "beta1 beta2 eps momentum_decay")     \
  RULE(Radam, "radam", 2, true, "beta1 beta2 eps")                    \
  RULE(Asgd, "asgd", 1, true, "lambd alpha t0")                       \
  RULE(Rprop, "rprop", 2, true, "etaminus etaplus step_min step_max") \
  RULE(Lion, "lion", 1, false, "beta1 beta2")

namespace weft {

enum class OptimizerRule : int {
#define RULE(name, text, states, counted, numbers) name,
  WEFT_OPTIMIZERS(RULE)
#undef RULE
};

constexpr int kOptimizerTensors = 64;  // in one launch; an argument struct stays below 4 KiB, CUDA's limit
constexpr int kOptimizerStates = 3;
constexpr int kOptimizerNumbers = 4;

struct OptimizerTensor {
  void* p;
  const void* g;
  void* s[kOptimizerStates];  // the rule's state: elements like p's, then single float32 numbers; null where unused
  float* step;                // how many came before; null where the rule does not count
  int64_t n;
};

struct OptimizerList {
  OptimizerTensor t[kOptimizerTensors];
  int count;
  DType dtype;         // floating
  uint64_t fresh;      // bit k: the state of tensor k was made for this step
  const int64_t* ids;  // of rows of `cols` elements, or null
  int64_t cols;
};

struct OptimizerStep {
  OptimizerList list;
  OptimizerRule rule;
  double lr, weight_decay, scale;
  const float *lr_at, *scale_at, *norm_at;
  double numbers[kOptimizerNumbers];
  bool decoupled, maximize;
};

struct ScaleList {
  OptimizerList list;
  double scale;
  const float* scale_at;
};

struct NormOfList {
  OptimizerList list;
  double* partial;  // workspace: optimizer_pieces(list) values
  float *norm, *clip;
  double max_norm, scale;
  const float* scale_at;
  double* sum;  // running sum of squares over several launches; the first one clears it
  bool first, last;
};

struct OptimizerKernels {
  void (*step)(const OptimizerStep&) = nullptr;
  void (*scale)(const ScaleList&) = nullptr;
  void (*norm)(const NormOfList&) = nullptr;
};

// From element i of the gradient to the same element of the parameter.
WEFT_HD WEFT_INLINE int64_t optimizer_shift(const OptimizerList& list, int64_t i) {
  return list.ids ? (list.ids[i / list.cols] - i / list.cols) * list.cols : 0;
}

WEFT_HD WEFT_INLINE bool left_out(const OptimizerStep& a) { return a.norm_at && *a.norm_at - *a.norm_at != 0; }

// Pieces of a list: each of kOptimizerGrain elements of one tensor.
constexpr int64_t kOptimizerGrain = 16 * 1024;
WEFT_HD WEFT_INLINE int64_t optimizer_pieces(const OptimizerList& list) {
  int64_t pieces = 0;
  for (int i = 0; i < list.count; ++i) pieces += (list.t[i].n + kOptimizerGrain - 1) / kOptimizerGrain;
  return pieces;
}

// What the last launch of a norm writes.
WEFT_HD WEFT_INLINE void finish_norm(const NormOfList& a, double sum) {
  double norm = __builtin_sqrt(sum), scale = a.scale_at ? *a.scale_at : a.scale;
  *a.norm = (float)norm;
  if (!a.clip) return;
  double most = a.max_norm / (__builtin_fabs(scale) * norm + 1e-6);
  *a.clip = (float)(scale * (most < 1 ? most : most != most ? most : 1));
}

}  // namespace weft
