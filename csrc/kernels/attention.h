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
// All but lse, which is contiguous, have strides for every dimension but the last, whose elements are neighbours.
// Everything is of `dtype`, but lse and an additive mask: they are float32 for the half dtypes, in which sums, the
// running maximum and the softmax are float32 too. Kernels for the half dtypes are there where `half` says so.
// "FlashAttention-2: Faster Attention with Better Parallelism and Work Partitioning", Dao 2023.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/random.h"

namespace weft {

struct AttentionStrides {  // in elements
  int64_t batch, head, row;
};

struct AttentionShape {
  int64_t batch, heads, kv_heads, queries, keys, dim, v_dim;
  AttentionStrides q, k, v, out;
  int64_t mask_batch, mask_head, mask_row, mask_col;
  double scale;
  bool causal;
  bool mask_is_bool;
  bool dropout;
  uint32_t drop_below;
  double keep_scale;
  RandomStream stream;
  DType dtype;
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
  AttentionStrides dq_at, dk_at, dv_at, dout_at;
  void* workspace;
  int workers;
};

struct AttentionFactors {
  void* y;  // float32 for the half dtypes
  AttentionShape shape;
};

struct AttentionKernels {
  void (*forward)(const AttentionForward&) = nullptr;
  void (*backward)(const AttentionBackward&) = nullptr;
  void (*factors)(const AttentionFactors&) = nullptr;
  int64_t (*forward_workspace)(const AttentionForward&) = nullptr;  // of pointers, only whether there is a mask counts
  int64_t (*backward_workspace)(const AttentionBackward&) = nullptr;
  bool half = false;  // float16 and bfloat16 too
};

}  // namespace weft
