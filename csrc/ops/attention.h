// Scaled dot product attention; arguments and results as in torch.nn.functional, except that a query that may attend
// to nothing gives zeros and zero gradients instead of NaN.
#pragma once

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

}  // namespace weft
