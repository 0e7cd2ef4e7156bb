// Recurrent layers: what follows one step after the other. With p = x W_ih^T + b, made before for all steps at once,
// and q = W_hh h, where h and c are those of the step before:
//   Tanh, Relu   h' = act(p + q)
//   Lstm         i, f, g, o = p + q; c' = sigmoid(f) c + sigmoid(i) tanh(g); h' = sigmoid(o) tanh(c')
//                (Hochreiter and Schmidhuber 1997), and h' becomes W_hr h' with a projection (Sak et al. 2014)
//   Gru          r, z = sigmoid(p + q); n = tanh(p + r (q + b_hn)); h' = n + z (h - n)             (Cho et al. 2014)
// The gates lie one after the other in a row of p, and in the rows of W_hh, `hidden` each.
//
// Sequence b at step t is row first[t] + b * row_step of every [rows, ...] here, so any order of time and batch will
// do. active[t], which never grows, is how many sequences have a step t: the first ones. Both are on the host. With two
// directions the second one begins at each sequence's last step. float32 or float64; nothing overlaps.
//
// With `lower`, where the kernels can, the recurrent products are of bfloat16, summed in float32: h, W_hh and the
// gradients of q are rounded for them, and the states kept as they are.
//
// Each element's sum runs over h in one order, whoever computes it: the same bits for any number of threads.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"

namespace weft {

enum class RnnMode : uint8_t { Tanh, Relu, Lstm, Gru };
WEFT_HD WEFT_INLINE int64_t rnn_gates(RnnMode m) { return m == RnnMode::Lstm ? 4 : m == RnnMode::Gru ? 3 : 1; }

struct RnnShape {
  RnnMode mode;
  DType dtype;
  bool projected;
  bool lower;  // float32 of an even `hidden` without a projection, and kernels with `lowers`
  int directions;
  int64_t steps, batch, hidden, out;  // out: the width of h, `hidden` without a projection
  int64_t row_step;
  const int64_t *first, *active;  // [steps]
};

struct RnnForward {
  RnnShape s;
  struct Direction {
    void* gates;             // [rows, gates * hidden]: p; if `keep`, of Lstm and Gru the activated gates afterwards
    void* kept;              // [rows, hidden] or null; Lstm: c', Gru: q + b_hn of the third gate
    void* raw;               // [rows, hidden]: h' before the projection
    const void* weight;      // W_hh [gates * hidden, out]
    const void* packed;      // what pack() made of it, or null; weight is then not read
    const void* bias;        // b_hn [hidden], or null
    const void* projection;  // W_hr [out, hidden]
    const void* h0;          // [batch, out]
    void *h, *c;             // [batch, out], [batch, hidden]: c before, and both after the last step
    void* lower;             // with `lower`, bfloat16: [rows, out] is h', and
    const void* h0_lower;    // [batch, out]
  } d[2];
  void* y;  // rows of y_row elements; the columns of direction d begin at d * out
  int64_t y_row;
  bool keep;
  void* workspace;
};

struct RnnBackward {
  RnnShape s;
  struct Direction {
    void* dgates;   // [rows, gates * hidden]: the gradient of p
    void* dhidden;  // Gru: the same of q; otherwise null, they are one
    void* before;   // [rows, out]: h before the step
    void* dout;     // [rows, out]: the gradient of W_hr h', with a projection
    const void *gates, *kept, *weight, *projection, *h0, *c0;
    void *dh, *dc;  // [batch, out], [batch, hidden]: the gradients of the last h and c become those of the first
    void* lower;    // with `lower`: the gradient of q in bfloat16
  } d[2];
  const void *y, *dy;  // rows of y_row elements; dy may be null
  int64_t y_row;
  bool first;  // whether the gradients of the first h are wanted; otherwise dh is scratch
  void* workspace;
};

struct RnnPack {
  RnnShape s;
  const void* weight;
  void* to;
};

struct RnnKernels {
  bool lowers = false;
  void (*forward)(const RnnForward&) = nullptr;
  void (*backward)(const RnnBackward&) = nullptr;
  int64_t (*workspace)(const RnnShape&) = nullptr;  // bytes, for either
  // Weights that serve many forward passes are worth packing once: bytes of the packed copy, and making it. It depends
  // on the numbers, mode, dtype, `lower`, hidden and out alone.
  int64_t (*packed_bytes)(const RnnShape&) = nullptr;
  void (*pack)(const RnnPack&) = nullptr;
};

}  // namespace weft
