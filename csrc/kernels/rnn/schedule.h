// Which thread does what. Either sequences are shared out, each piece going through all its steps on its own, or units
// are, and all threads meet after each step: then a thread reads the same part of the weights at every step, out of its
// own cache. Every element is computed the same way in both, so the number of threads may choose.
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

// A counter that threads share, on a cache line of its own.
struct Counter {
  int64_t value, others[7];
};
constexpr int64_t kMostParts = 64;
constexpr int64_t kCounterBytes = (kMostParts + 1) * (int64_t)sizeof(Counter);  // at the beginning of the workspace

struct Share {
  int64_t rows;     // sequences of a piece that goes on alone, or 0
  int64_t parts;    // otherwise: of the units of a step and direction
  int64_t stretch;  // steps between two looks at the world outside
};
// terms: of W_hh for each unit. Sequences are shared out where there are enough of them for all threads, and the
// weights stay in the second cache of each beside the rest.
WEFT_INLINE Share share_of(const RnnShape& s, int64_t terms, int64_t blocks) {
  const int64_t threads = num_threads(), weights = s.hidden * terms;
  const int64_t work = weights * (s.batch < 8 ? 8 : s.batch);
  const int64_t parts = smaller(smaller(blocks, threads), smaller(kMostParts / 2, work >> 18));
  const int64_t wanted = ceil_div(threads, s.directions), pieces = smaller(wanted, s.batch / 16);
  if (s.projected || parts < 2 || (pieces >= wanted && weights <= 1 << 17)) {
    const int64_t rows = ceil_div(s.batch, pieces > 1 ? pieces : 1);
    return {smaller(rows, kGroup), 0, 0};
  }
  return {0, parts, 1 + ((int64_t)1 << 30) / work};
}

// step(direction, i, b0, b1, block0, block1) for all steps i < n in order.
template <class F>
WEFT_INLINE void over_steps(const RnnShape& s, const Share& share, int64_t n, int64_t blocks, void* room,
                            const F& step) {
  if (share.rows) {
    const int64_t pieces = ceil_div(s.batch, share.rows);
    parallel(pieces * s.directions, [&](int64_t piece, int) {
      const int64_t b0 = piece / s.directions * share.rows, b1 = smaller(b0 + share.rows, s.batch);
      for (int64_t i = 0; i < n; ++i) step((int)(piece % s.directions), i, b0, b1, (int64_t)0, blocks);
    });
    return;
  }
  // Each thread takes its own parts of a step, then those that nobody has begun, and waits for the rest.
  const int64_t parts = share.parts * s.directions, threads = smaller(num_threads(), parts);
  Counter *begun = (Counter*)room, *done = begun + kMostParts;
  for (int64_t from = 0; from < n && !interrupted(); from += share.stretch) {
    const int64_t to = smaller(n, from + share.stretch);
    for (int64_t part = 0; part < parts; ++part) begun[part].value = from;
    done->value = 0;
    parallel(threads, [&](int64_t member, int) {
      for (int64_t i = from; i < to; ++i) {
        for (int64_t k = 0; k < parts; ++k) {
          const int64_t part = (parts * member / threads + k) % parts, at = part / s.directions;
          int64_t now = i;
          if (!__atomic_compare_exchange_n(&begun[part].value, &now, i + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            continue;
          const int64_t block0 = blocks * at / share.parts, block1 = blocks * (at + 1) / share.parts;
          for (int64_t b0 = 0; b0 < s.batch; b0 += kGroup)
            step((int)(part % s.directions), i, b0, smaller(b0 + kGroup, s.batch), block0, block1);
          __atomic_fetch_add(&done->value, 1, __ATOMIC_RELEASE);
        }
        wait_for(&done->value, (i + 1 - from) * parts);
      }
    });
  }
}

// Blocks of the weights there and back, step by step: the last ones are still in the cache.
WEFT_INLINE int64_t in_turns(int64_t i, int64_t n, int64_t first, int64_t end) {
  return i & 1 ? first + end - 1 - n : n;
}

template <class T, class F>
WEFT_INLINE void over_vectors(int64_t u0, int64_t units, int most, const F& each) {
  for (int j = 0; j < most && u0 + j * kLanes<T> < units; ++j) each(j, At<T>::make(u0 + j * kLanes<T>, units));
}

}  // namespace weft::WEFT_ISA::rnn
