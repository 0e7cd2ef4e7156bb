// Scaled dot product attention; arguments and results as in torch.nn.functional, except that a query that may attend
// to nothing gives zeros and zero gradients instead of NaN.
#pragma once

#include "kernels/attention.h"
#include "tensor/tensor.h"

namespace weft {

// query [..., L, E], key [..., S, E], value [..., S, Ev], mask broadcastable to [..., L, S] (bool: true attends; or
// added to the scores) or undefined.
struct AttentionOptions {
  double dropout_p = 0;
  bool is_causal = false;
  double scale = 0;
  bool default_scale = true;
  bool enable_gqa = false;
};
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                                    const AttentionOptions& options);

// packed [N, L, 3 * heads * D] ([L, N, ...] without batch_first): query, key and value of all heads side by side. mask:
// expands to [N, heads, L, L], or undefined. The result is [N, L, heads * D], in the order of `packed`.
Tensor self_attention(const Tensor& packed, int64_t heads, const Tensor& mask, double dropout_p, bool causal,
                      bool batch_first);

// Gradients of query, key, value and mask (undefined without one), all 4-D, by operations that have derivatives.
TensorList attention_backward_composed(const Tensor& dout, const Tensor& q, const Tensor& k, const Tensor& v,
                                       const Tensor& mask, const AttentionShape& s);

}  // namespace weft
