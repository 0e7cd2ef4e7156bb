// Which thread does what. Either sequences are shared out, each piece going through all its steps on its own, or, where
// they are few, units are, and all threads meet after each step. Every element is computed the same way in both, so
// the number of threads may choose.
#pragma once

#include "base/threads.h"
#include "kernels/rnn/cells.h"

namespace weft::WEFT_ISA::rnn {

// Step number i of direction d, and the one before it in that direction's order; -1 where there is none.
struct Step {
  int64_t t, before, after;
};
WEFT_INLINE Step step_of(const RnnShape& s, int direction, int64_t i) {
  const int64_t t = direction ? s.steps - 1 - i : i, next = direction ? -1 : 1;
  Step step{t, t - next, t + next};
  if (step.before < 0 || step.before >= s.steps) step.before = -1;
  if (step.after < 0 || step.after >= s.steps) step.after = -1;
  return step;
}
WEFT_INLINE int64_t row_of(const RnnShape& s, int64_t t, int64_t b) { return s.first[t] + b * s.row_step; }
// Sequences of [b0, b1) that have step t: they end here.
WEFT_INLINE int64_t active(const RnnShape& s, int64_t t, int64_t b0, int64_t b1) {
  const int64_t end = t < 0 ? b0 : smaller(b1, s.active[t]);
  return end > b0 ? end : b0;
}

struct Share {
  int64_t rows;   // sequences of a piece that goes on alone, or 0
  int64_t units;  // otherwise: pieces of a step and direction
};
WEFT_INLINE Share share_of(const RnnShape& s, int64_t terms, int64_t blocks) {
  const int64_t threads = num_threads(), least = s.batch < 8 ? 8 : s.batch;
  const int64_t units = smaller(blocks, s.hidden * terms * least >> 20);
  const int64_t wanted = ceil_div(threads, s.directions), parts = smaller(wanted, s.batch / 16);
  if (s.projected || units < 2 || parts >= wanted) {
    const int64_t rows = ceil_div(s.batch, parts > 1 ? parts : 1);
    return {smaller(rows, kGroup), 0};
  }
  return {0, units};
}

// step(direction, i, b0, b1, block0, block1) for all steps i < n in order.
template <class F>
WEFT_INLINE void over_steps(const RnnShape& s, const Share& share, int64_t n, int64_t blocks, const F& step) {
  if (share.rows) {
    const int64_t parts = ceil_div(s.batch, share.rows);
    parallel(parts * s.directions, [&](int64_t piece, int) {
      const int64_t b0 = piece / s.directions * share.rows, b1 = smaller(b0 + share.rows, s.batch);
      for (int64_t i = 0; i < n; ++i) step((int)(piece % s.directions), i, b0, b1, (int64_t)0, blocks);
    });
    return;
  }
  for (int64_t i = 0; i < n && !interrupted(); ++i)
    parallel(share.units * s.directions, [&](int64_t piece, int) {
      const int64_t part = piece / s.directions, from = blocks * part / share.units;
      const int64_t to = blocks * (part + 1) / share.units;
      for (int64_t b0 = 0; b0 < s.batch; b0 += kGroup)
        step((int)(piece % s.directions), i, b0, smaller(b0 + kGroup, s.batch), from, to);
    });
}

template <class T, class F>
WEFT_INLINE void over_vectors(int64_t u0, int64_t units, int most, const F& each) {
  for (int j = 0; j < most && u0 + j * kLanes<T> < units; ++j) each(j, At<T>::make(u0 + j * kLanes<T>, units));
}

}  // namespace weft::WEFT_ISA::rnn
