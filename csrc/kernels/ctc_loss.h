// Connectionist temporal classification (Graves et al. 2006): the probability of a labelling, summed over all its
// alignments in time.
//   states l' of item n: blank, target 0, blank, target 1, ... blank; lp[t, s] = log_probs[t, n, l'[s]]
//   forward:   alpha[t, s] = log(e^alpha[t-1, s] + e^alpha[t-1, s-1] + e^alpha[t-1, s-2]) + lp[t, s], the last term
//              where l'[s] is neither blank nor l'[s-2]; loss = -log(e^alpha[last, S] + e^alpha[last, S-1])
//   backward:  dx[t, c] = dloss (e^log_probs[t, c] - the probability that the alignment is in c at t)
// which is the gradient by what log_probs is the log_softmax of (and one of log_probs up to what log_softmax removes).
// log_probs and dx are [time, batch, classes], contiguous; 0 beyond an item's length. Labels are in [0, classes).
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct CtcProblem {
  const void* log_probs;
  const int64_t *targets, *offsets;  // item n's targets begin at offsets[n]
  const int64_t *steps, *labels;     // the items' lengths in time and in targets
  int64_t time, batch, classes;
  int64_t states;  // of the longest item: 2 labels + 1
  int64_t blank;
  void* workspace;  // batch * ctc_workspace() bytes
  DType dtype;      // Float32 or Float64
};
WEFT_HD WEFT_INLINE int64_t ctc_row(int64_t states) { return states + 2; }
WEFT_HD WEFT_INLINE int64_t ctc_workspace(int64_t states) { return ctc_row(states) * 6 * 8; }

struct CtcForward {
  CtcProblem problem;
  void* loss;   // [batch]
  void* alpha;  // [batch, time, ctc_row(states)]: after two of -inf
};

struct CtcBackward {
  CtcProblem problem;
  void* dx;
  const void *dloss, *loss, *alpha;
  bool zero_infinity;
};

struct CtcLossKernels {
  void (*forward)(const CtcForward&) = nullptr;
  void (*backward)(const CtcBackward&) = nullptr;
};

}  // namespace weft
