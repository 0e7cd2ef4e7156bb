// Scaled dot product attention, one head h of one batch item at a time:
//   s[i, j] = scale * sum over e of q[i, e] k[j, e] + mask[i, j]      causal: -inf for j > i
//   p = softmax of s along j, times dropout            out[i] = sum over j of p[i, j] v[j]
// A boolean mask is true where attention is allowed. A row that is masked throughout gives zeros, and zero gradients.
// Query head h reads key head h / (heads / kv_heads).
//   forward:  writes out and lse = log2 of the sum of 2^(s log2(e)) (+inf for a masked row), which backward needs
//   backward: writes dq, dk, dv, and recomputes the scores block by block: they never exist as a whole
//   factors:  writes what dropout multiplies each probability by, [batch, heads, queries, keys]
// Dropout of element (b, h, i, j): word ((b * heads + h) * queries + i) * 4 * ceil(keys / 4) + j of the stream below
// drop_below means 0, else keep_scale.
// out, dq, dk, dv, dout, lse are contiguous; q, k, v have strides (in elements) for all but the last dimension.
// "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning", Dao 2023.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/random.h"

namespace weft {

struct AttentionShape {
  int64_t batch, heads, kv_heads, queries, keys, dim, v_dim;
  int64_t q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row;
  int64_t mask_batch, mask_head, mask_row, mask_col;
  double scale;
  bool causal;
  bool mask_is_bool;
  bool dropout;
  uint32_t drop_below;
  double keep_scale;
  RandomStream stream;
  DType dtype;  // float32, float64; of lse and an additive mask as well
};

struct AttentionForward {
  void* out;
  void* lse;
  const void *q, *k, *v, *mask;  // mask: or null
  AttentionShape shape;
  void* workspace;
  int workers;
};

struct AttentionBackward {
  void *dq, *dk, *dv;
  const void *dout, *out, *lse, *q, *k, *v, *mask;
  AttentionShape shape;
  void* workspace;
  int workers;
};

struct AttentionFactors {
  void* y;
  AttentionShape shape;
};

struct AttentionKernels {
  void (*forward)(const AttentionForward&) = nullptr;
  void (*backward)(const AttentionBackward&) = nullptr;
  void (*factors)(const AttentionFactors&) = nullptr;
  int64_t (*forward_workspace)(const AttentionForward&) = nullptr;  // pointers are not looked at
  int64_t (*backward_workspace)(const AttentionBackward&) = nullptr;
};

}  // namespace weft
