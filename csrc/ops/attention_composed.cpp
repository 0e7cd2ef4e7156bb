// Attention's gradient by other operations: for second derivatives, and for the gradient of the mask.
#include <cmath>

#include "ops/attention.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/launch.h"

namespace weft {

namespace {

// True where the causal mask attends: [queries, keys].
Tensor causal_mask(const AttentionShape& s, Device device) {
  Tensor mask = Tensor::empty({s.queries, s.keys}, DType::Bool);
  bool* p = mask.ptr<bool>();
  for (int64_t i = 0; i < s.queries; ++i)
    for (int64_t j = 0; j < s.keys; ++j) *p++ = j <= i;
  return to(mask, device);
}

// Probabilities after the mask and before dropout; rows that attend to nothing are 0.
Tensor probabilities(const Tensor& q, const Tensor& k, const Tensor& mask, const AttentionShape& s) {
  const Tensor nothing = Tensor::full({}, -INFINITY, q.dtype(), q.device());
  Tensor scores = mul(matmul(q, transpose(k, -1, -2)), s.scale);
  if (mask.defined()) scores = s.mask_is_bool ? where(mask, scores, nothing) : add(scores, mask);
  if (s.causal) scores = where(causal_mask(s, q.device()), scores, nothing);
  Tensor top = amax(scores.detach(), {-1}, true);
  top = where(eq(top, nothing), Tensor::full({}, 0, q.dtype(), q.device()), top);
  Tensor weights = exp(sub(scores, top)), total = sum(weights, {-1}, true);
  return div(weights, where(gt(total, 0), total, Tensor::full({}, 1, q.dtype(), q.device())));
}

// Gradients of query, key, value and mask. All 4-D; heads are grouped by key head on the way.
TensorList composed_backward(const Tensor& dout, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask,
                             const AttentionShape& s) {
  const int64_t group = s.heads / s.kv_heads;
  auto grouped = [&](const Tensor& x) { return reshape(x, {s.batch, s.kv_heads, group, x.shape()[2], x.shape()[3]}); };
  Tensor q5 = grouped(q), k5 = unsqueeze(k, 2), v5 = unsqueeze(v, 2), dout5 = grouped(dout);
  Tensor p = probabilities(q5, k5, mask.defined() ? grouped(mask) : mask, s), dropped = p;
  Tensor dp = matmul(dout5, transpose(v5, -1, -2));
  if (s.dropout) {
    Tensor factors = Tensor::empty(p.shape(), p.dtype(), p.device());
    launch("scaled_dot_product_attention", p.device(), kernels<AttentionKernels>(p.device()).factors,
           AttentionFactors{factors.data(), s}, (double)factors.numel() * 4);
    dropped = mul(p, factors);
    dp = mul(dp, factors);
  }
  Tensor ds = mul(p, sub(dp, sum(mul(dp, p), {-1}, true)));
  Tensor dq = mul(matmul(ds, k5), s.scale), dk = mul(matmul(transpose(ds, -1, -2), q5), s.scale);
  Tensor dv = matmul(transpose(dropped, -1, -2), dout5);
  return {reshape(dq, q.shape()), sum(dk, {2}), sum(dv, {2}),
          mask.defined() ? reshape(ds, {s.batch, s.heads, s.queries, s.keys}) : Tensor()};
}

}  // namespace

TensorList attention_backward_composed(const Tensor& dout, const Tensor& q, const Tensor& k, const Tensor& v,
                                       const Tensor& mask, const AttentionShape& s) {
  const DType wide = is_half(s.dtype) ? DType::Float32 : s.dtype;
  TensorList grads = composed_backward(to(dout, wide), to(q, wide), to(k, wide), to(v, wide), mask, s);
  for (int i = 0; i < 3; ++i) grads[i] = to(grads[i], s.dtype);
  return grads;
}

}  // namespace weft
