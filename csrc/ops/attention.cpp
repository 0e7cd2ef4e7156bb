#include "ops/attention.h"

#include <cmath>

#include "kernels/attention.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

const char* const kOp = "scaled_dot_product_attention";

DType computed_in(DType d) { return is_half(d) ? DType::Float32 : d; }

// ---- the same by other operations: for second derivatives, and for the gradient of the mask

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
    launch(kOp, p.device(), kernels<AttentionKernels>(p.device()).factors, AttentionFactors{factors.data(), s},
           (double)factors.numel() * 4);
    dropped = mul(p, factors);
    dp = mul(dp, factors);
  }
  Tensor ds = mul(p, sub(dp, sum(mul(dp, p), {-1}, true)));
  Tensor dq = mul(matmul(ds, k5), s.scale), dk = mul(matmul(transpose(ds, -1, -2), q5), s.scale);
  Tensor dv = matmul(transpose(dropped, -1, -2), dout5);
  return {reshape(dq, q.shape()), sum(dk, {2}), sum(dv, {2}),
          mask.defined() ? reshape(ds, {s.batch, s.heads, s.queries, s.keys}) : Tensor()};
}

// The same for the half dtypes, of which everything but the mask becomes float32 on the way.
TensorList composed_in(DType dtype, const Tensor& dout, const Tensor& q, const Tensor& k, const Tensor& v,
                       const Tensor& mask, const AttentionShape& s) {
  const DType wide = computed_in(dtype);
  TensorList grads = composed_backward(to(dout, wide), to(q, wide), to(k, wide), to(v, wide), mask, s);
  for (int i = 0; i < 3; ++i) grads[i] = to(grads[i], dtype);
  return grads;
}

// ---- by blocks

Tensor with_rows(const Tensor& x) { return x.strides()[3] == 1 || x.shape()[3] == 1 ? x : contiguous(x); }

AttentionStrides strides_of(const Tensor& t) { return {t.strides()[0], t.strides()[1], t.strides()[2]}; }

void set_strides(AttentionShape& s, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  s.q = strides_of(q);
  s.k = strides_of(k);
  s.v = strides_of(v);
  if (!mask.defined()) return;
  s.mask_batch = mask.strides()[0];
  s.mask_head = mask.strides()[1];
  s.mask_row = mask.strides()[2];
  s.mask_col = mask.strides()[3];
}

// [B, H, L, E] in the order of `like`: heads inside of rows, where they are so there, so that the layer around finds
// rows of all heads as it left them.
Tensor empty_like_rows(const Tensor& like, const Dims& d) {
  Tensor made = Tensor::empty(d, like.dtype(), like.device());
  if (like.strides()[1] >= like.strides()[2]) return made;
  return made.as_view(d, {d[1] * d[2] * d[3], d[3], d[1] * d[3], 1}, 0);
}

double work_of(const AttentionShape& s) { return (double)s.batch * s.heads * s.queries * s.keys * (s.dim + s.v_dim); }

TensorList blocked_backward(const Tensor& dout, const Tensor& out, const Tensor& lse, const Tensor& query,
                            const Tensor& key, const Tensor& value, const Tensor& mask, AttentionShape s) {
  Tensor q = with_rows(query), k = with_rows(key), v = with_rows(value), dy = with_rows(dout);
  Tensor dq = empty_like_rows(q, q.shape()), dk = empty_like_rows(k, k.shape()), dv = empty_like_rows(v, v.shape());
  set_strides(s, q, k, v, mask);
  s.out = strides_of(out);
  AttentionBackward args{dq.data(),  dk.data(),      dv.data(),      dy.data(),      out.data(),
                         lse.data(), q.data(),       k.data(),       v.data(),       nullptr,
                         s,          strides_of(dq), strides_of(dk), strides_of(dv), strides_of(dy),
                         nullptr,    num_threads()};
  if (mask.defined()) args.mask = mask.data();
  const AttentionKernels& kernel = kernels<AttentionKernels>(q.device());
  Workspace space(kernel.backward_workspace ? kernel.backward_workspace(args) : 0, q.device());
  args.workspace = space.data();
  launch(kOp, q.device(), kernel.backward, args, 2.5 * work_of(s));
  return {dq, dk, dv, Tensor()};
}

// query [B, H, L, E], key [B, Hk, S, E], value [B, Hk, S, Ev], mask [B, H, L, S] or undefined; nothing empty
Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, AttentionShape s) {
  Tensor q = with_rows(query), k = with_rows(key), v = with_rows(value);
  Tensor out = empty_like_rows(q, {s.batch, s.heads, s.queries, s.v_dim});
  Tensor lse = Tensor::empty({s.batch, s.heads, s.queries}, computed_in(q.dtype()), q.device());
  set_strides(s, q, k, v, mask);
  s.out = strides_of(out);
  AttentionForward args{out.data(), lse.data(), q.data(), k.data(), v.data(), nullptr, s, nullptr, num_threads()};
  if (mask.defined()) args.mask = mask.data();
  const AttentionKernels& kernel = kernels<AttentionKernels>(q.device());
  Workspace space(kernel.forward_workspace ? kernel.forward_workspace(args) : 0, q.device());
  args.workspace = space.data();
  launch(kOp, q.device(), kernel.forward, args, work_of(s));

  TensorList inputs{query, key, value};
  if (mask.defined()) inputs.push_back(mask);
  if (needs_grad(inputs))
    record(kOp, inputs, TensorList{out},
           [s, lse, query = Saved(query), key = Saved(key), value = Saved(value),
            mask = mask.defined() ? Saved(mask) : Saved(), out = Saved::output(out)](Backward& b) {
             Tensor q = query.get(b), k = key.get(b), v = value.get(b), m = mask.defined() ? mask.get(b) : Tensor();
             const bool mask_gradient = m.defined() && b.needs(3);
             TensorList grads = grad_enabled() || mask_gradient
                                    ? composed_in(s.dtype, b.dy(), q, k, v, m, s)
                                    : blocked_backward(b.dy(), out.get(b), lse, q, k, v, m, s);
             grads.resize(m.defined() ? 4 : 3);
             return grads;
           });
  return out;
}

// ---- arguments

Dims leading(const Tensor& x) {
  Dims d = x.shape();
  d.n -= 2;
  return d;
}

Dims joined(Dims lead, int64_t a, int64_t b) {
  lead.push_back(a);
  lead.push_back(b);
  return lead;
}

Tensor expand_to(const Tensor& x, const Dims& shape) { return x.shape() == shape ? x : expand(x, shape); }

// [..., H, M, N] to [B, H, M, N]
Tensor four(const Tensor& x) {
  if (x.dim() == 4) return x;
  if (x.dim() == 3) return unsqueeze(x, 0);
  if (x.dim() == 2) return unsqueeze(unsqueeze(x, 0), 0);
  const Dims& s = x.shape();
  const int n = s.size();
  int64_t batch = 1;
  for (int i = 0; i < n - 3; ++i) batch *= s[i];
  return reshape(x, {batch, s[n - 3], s[n - 2], s[n - 1]});
}

void check(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, const AttentionOptions& o) {
  for (const Tensor* t : {&q, &k, &v})
    WEFT_CHECK(t->dim() >= 2, Runtime, "[", kOp, "] expected query, key and value of at least 2 dimensions, got shape ",
               to_string(t->shape()));
  WEFT_CHECK(is_floating(q.dtype()), Runtime, "[", kOp, "] expected a floating dtype, got ", name_of(q.dtype()));
  WEFT_CHECK(q.dtype() == k.dtype() && q.dtype() == v.dtype(), Runtime, "[", kOp,
             "] expected query, key and value of one dtype, got ", name_of(q.dtype()), ", ", name_of(k.dtype()),
             " and ", name_of(v.dtype()));
  WEFT_CHECK(q.device() == k.device() && q.device() == v.device() && (!mask.defined() || mask.device() == q.device()),
             Runtime, "[", kOp, "] expected all tensors on one device, query is on ", to_string(q.device()));
  WEFT_CHECK(q.size(-1) == k.size(-1), Runtime, "[", kOp,
             "] query and key differ in their last size: ", to_string(q.shape()), " and ", to_string(k.shape()));
  WEFT_CHECK(k.size(-2) == v.size(-2), Runtime, "[", kOp,
             "] key and value differ in their number of rows: ", to_string(k.shape()), " and ", to_string(v.shape()));
  WEFT_CHECK(o.dropout_p >= 0 && o.dropout_p <= 1, Value, "[", kOp, "] expected a dropout_p between 0 and 1, got ",
             o.dropout_p);
  if (!mask.defined()) return;
  WEFT_CHECK(!o.is_causal, Runtime, "[", kOp, "] expected attn_mask or is_causal=True, got both");
  WEFT_CHECK(mask.dtype() == DType::Bool || mask.dtype() == q.dtype(), Runtime, "[", kOp,
             "] expected an attn_mask of bool or of the query's dtype, got ", name_of(mask.dtype()), " for ",
             name_of(q.dtype()));
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                                    const AttentionOptions& o) {
  check(query, key, value, mask, o);
  const DType dtype = query.dtype(), sums = computed_in(dtype);
  const DType inner = kernels<AttentionKernels>(query.device()).half ? dtype : sums;
  AttentionShape s{};
  s.queries = query.size(-2);
  s.keys = key.size(-2);
  s.dim = query.size(-1);
  s.v_dim = value.size(-1);
  s.scale = !o.default_scale ? o.scale : s.dim > 0 ? 1 / std::sqrt((double)s.dim) : 1;
  s.causal = o.is_causal;
  s.dtype = inner;

  // Leading dimensions: broadcast, but for the heads where queries share keys.
  Dims lead_q = leading(query), lead_k = leading(key), lead_v = leading(value);
  int64_t heads = 1, kv_heads = 1;
  if (o.enable_gqa) {
    WEFT_CHECK(lead_q.size() && lead_k.size() && lead_v.size(), Runtime, "[", kOp,
               "] enable_gqa needs a dimension of heads in query, key and value");
    heads = lead_q.back();
    kv_heads = lead_k.back();
    WEFT_CHECK(kv_heads == lead_v.back() && kv_heads > 0 && heads % kv_heads == 0, Runtime, "[", kOp,
               "] expected as many heads in key as in value, and a multiple of them in query, got ", heads, ", ",
               kv_heads, " and ", lead_v.back());
    for (Dims* d : {&lead_q, &lead_k, &lead_v}) --d->n;
  }
  Dims lead = broadcast_shapes(kOp, broadcast_shapes(kOp, lead_q, lead_k), lead_v), lead_kv = lead;
  lead_q = lead;
  if (o.enable_gqa) {
    lead_q.push_back(heads);
    lead_kv.push_back(kv_heads);
  }
  const Dims out_shape = joined(lead_q, s.queries, s.v_dim), mask_shape = joined(lead_q, s.queries, s.keys);
  if (mask.defined())
    WEFT_CHECK(broadcast_shapes(kOp, mask.shape(), mask_shape) == mask_shape, Runtime, "[", kOp,
               "] expected an attn_mask that broadcasts to ", to_string(mask_shape), ", got ", to_string(mask.shape()));
  if (numel_of(out_shape) == 0 || s.keys == 0) {
    // Of no use to any gradient but for its shape.
    return Tensor::zeros(out_shape, dtype, query.device());
  }

  Tensor q = four(to(expand_to(query, joined(lead_q, s.queries, s.dim)), inner));
  Tensor k = four(to(expand_to(key, joined(lead_kv, s.keys, s.dim)), inner));
  Tensor v = four(to(expand_to(value, joined(lead_kv, s.keys, s.v_dim)), inner));
  Tensor m;
  if (mask.defined()) {
    s.mask_is_bool = mask.dtype() == DType::Bool;
    m = four(expand_to(s.mask_is_bool ? mask : to(mask, sums), mask_shape));
  }
  s.batch = q.shape()[0];
  s.heads = q.shape()[1];
  s.kv_heads = k.shape()[1];
  if (o.dropout_p > 0) {
    const double p = o.dropout_p;
    s.dropout = true;
    // p = 1 keeps everything, times 0: 2^32 does not fit drop_below.
    s.drop_below = p < 1 ? (uint32_t)(p * 4294967296.0) : 0;
    s.keep_scale = p < 1 ? 1 / (1 - p) : 0;
    s.stream = draw_stream(nullptr, s.batch * s.heads * s.queries * ((s.keys + 3) / 4 * 4));
  }
  Tensor out = to(attend(q, k, v, m, s), dtype);
  return out.shape() == out_shape ? out : reshape(out, out_shape);
}

void bind_attention(py::module_& m) {
  m.def(
      kOp,
      [](const Tensor& query, const Tensor& key, const Tensor& value, const std::optional<Tensor>& mask,
         double dropout_p, bool is_causal, std::optional<double> scale, bool enable_gqa) {
        return scaled_dot_product_attention(query, key, value, mask.value_or(Tensor()),
                                            {dropout_p, is_causal, scale.value_or(0), !scale, enable_gqa});
      },
      py::arg("query"), py::arg("key"), py::arg("value"), py::arg("attn_mask") = py::none(), py::arg("dropout_p") = 0.0,
      py::arg("is_causal") = false, py::arg("scale") = py::none(), py::arg("enable_gqa") = false,
      "softmax(scale * query key^T + attn_mask) value for query [..., L, E], key [..., S, E], value [..., S, Ev], by\n"
      "blocks: the L x S scores are never stored. attn_mask broadcasts to [..., L, S]; bool means True attends, "
      "floats\n"
      "are added. scale defaults to 1 / sqrt(E). dropout_p always applies. enable_gqa: the heads (dimension -3) of "
      "query\n"
      "are a multiple of those of key and value. A query that may attend to nothing gives zeros and zero gradients.\n"
      "Dao 2023, https://arxiv.org/abs/2307.08691.");
}

}  // namespace weft
