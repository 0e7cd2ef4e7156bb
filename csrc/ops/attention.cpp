#include "ops/attention.h"

#include <cmath>

#include "kernels/attention.h"
#include "ops/autocast.h"
#include "ops/cat.h"
#include "ops/copy.h"
#include "ops/random.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

const char* const kOp = "scaled_dot_product_attention";

DType computed_in(DType d) { return is_half(d) ? DType::Float32 : d; }

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
  return made.as_view(d, {d[1] * d[2] * d[3], d[3], d[1] * d[3], 1}, 0).detach();
}

double work_of(const AttentionShape& s) { return (double)s.batch * s.heads * s.queries * s.keys * (s.dim + s.v_dim); }

struct AttentionRule : AttentionShape {
  Ref<Storage> random;  // where the stream is read, if it is
};

// Query, key and value, or their gradients: [B, H, L, E], [B, Hk, S, E], [B, Hk, S, Ev], the last dimension dense.
struct Three {
  Tensor q, k, v;
};

void run_backward(const Tensor& dout, const Tensor& out, const Tensor& lse, const Three& x, const Tensor& mask,
                  AttentionShape s, const Three& d) {
  Tensor dy = with_rows(dout);
  set_strides(s, x.q, x.k, x.v, mask);
  s.out = strides_of(out);
  AttentionBackward args{
      d.q.data(), d.k.data(),      d.v.data(),      dy.data(),       out.data(),
      lse.data(), x.q.data(),      x.k.data(),      x.v.data(),      mask.defined() ? mask.data() : nullptr,
      s,          strides_of(d.q), strides_of(d.k), strides_of(d.v), strides_of(dy),
      nullptr,    num_threads()};
  const AttentionKernels& kernel = kernels<AttentionKernels>(out.device());
  Workspace space(kernel.backward_workspace ? kernel.backward_workspace(args) : 0, out.device());
  args.workspace = space.data();
  launch(kOp, out.device(), kernel.backward, args, 2.5 * work_of(s));
}

// Fills out, and returns lse.
Tensor run_forward(const Three& x, const Tensor& mask, AttentionShape s, const Tensor& out) {
  Tensor lse = Tensor::empty({s.batch, s.heads, s.queries}, computed_in(s.dtype), out.device());
  set_strides(s, x.q, x.k, x.v, mask);
  s.out = strides_of(out);
  AttentionForward args{out.data(), lse.data(), x.q.data(),
                        x.k.data(), x.v.data(), mask.defined() ? mask.data() : nullptr,
                        s,          nullptr,    num_threads()};
  const AttentionKernels& kernel = kernels<AttentionKernels>(out.device());
  Workspace space(kernel.forward_workspace ? kernel.forward_workspace(args) : 0, out.device());
  args.workspace = space.data();
  launch(kOp, out.device(), kernel.forward, args, work_of(s));
  return lse;
}

// query [B, H, L, E], key [B, Hk, S, E], value [B, Hk, S, Ev], mask [B, H, L, S] or undefined; nothing empty
Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, const AttentionRule& s) {
  const Three rows{with_rows(query), with_rows(key), with_rows(value)};
  Tensor out = empty_like_rows(rows.q, {s.batch, s.heads, s.queries, s.v_dim});
  Tensor lse = run_forward(rows, mask, s, out);

  TensorList inputs{query, key, value};
  if (mask.defined()) inputs.push_back(mask);
  if (needs_grad(inputs))
    record(kOp, inputs, TensorList{out},
           [s, lse, query = Saved(query), key = Saved(key), value = Saved(value),
            mask = mask.defined() ? Saved(mask) : Saved(), out = Saved::output(out)](Backward& b) {
             Tensor q = query.get(b), k = key.get(b), v = value.get(b), m = mask.defined() ? mask.get(b) : Tensor();
             TensorList grads;
             if (grad_enabled() || (m.defined() && b.needs(3))) {
               grads = attention_backward_composed(b.dy(), q, k, v, m, s);
             } else {
               const Three x{with_rows(q), with_rows(k), with_rows(v)};
               const Three d{empty_like_rows(x.q, q.shape()), empty_like_rows(x.k, k.shape()),
                             empty_like_rows(x.v, v.shape())};
               run_backward(b.dy(), out.get(b), lse, x, m, s, d);
               grads = {d.q, d.k, d.v, Tensor()};
             }
             grads.resize(m.defined() ? 4 : 3);
             return grads;
           });
  return out;
}

// ---- query, key and value side by side

// [A, B, parts * H * D] as [batch, H, rows, D] of one part, off the tape; rows are dimension 1 or 0.
Tensor heads_of(const Tensor& x, int64_t heads, int64_t dim, int64_t part, int batch_axis) {
  const Dims &d = x.shape(), &at = x.strides();
  return x
      .as_view({d[batch_axis], heads, d[1 - batch_axis], dim}, {at[batch_axis], dim, at[1 - batch_axis], 1},
               x.get()->offset + part * heads * dim)
      .detach();
}
// The same for all of [A, B, H * D], on the tape, and back.
Tensor split_heads(const Tensor& x, int64_t heads, int batch_axis) {
  Tensor y = reshape(x, {x.shape()[0], x.shape()[1], heads, x.shape()[2] / heads});
  return batch_axis == 0 ? permute(y, {0, 2, 1, 3}) : permute(y, {1, 2, 0, 3});
}
Tensor join_heads(const Tensor& x, int batch_axis) {
  Tensor y = batch_axis == 0 ? permute(x, {0, 2, 1, 3}) : permute(x, {2, 0, 1, 3});
  return reshape(y, {y.shape()[0], y.shape()[1], y.shape()[2] * y.shape()[3]});
}

// x: [N, L, 3 * H * D], its last dimension dense; mask [N, H, L, L] or undefined; nothing empty. One gradient for all
// three, so that a layer's projection finds it as one.
Tensor attend_packed(const Tensor& x, const Tensor& mask, const AttentionRule& s, int batch_axis) {
  const int64_t width = s.heads * s.dim;
  auto parts = [=](const Tensor& t) {
    return Three{heads_of(t, s.heads, s.dim, 0, batch_axis), heads_of(t, s.heads, s.dim, 1, batch_axis),
                 heads_of(t, s.heads, s.dim, 2, batch_axis)};
  };
  auto rows = [=](const Tensor& t) { return heads_of(t, s.heads, s.dim, 0, batch_axis); };
  Tensor out = Tensor::empty({x.shape()[0], x.shape()[1], width}, x.dtype(), x.device());
  Tensor lse = run_forward(parts(x), mask, s, rows(out));

  TensorList inputs{x};
  if (mask.defined()) inputs.push_back(mask);
  if (needs_grad(inputs))
    record(kOp, inputs, TensorList{out},
           [=, x = Saved(x), mask = mask.defined() ? Saved(mask) : Saved(), out = Saved::output(out)](Backward& b) {
             Tensor v = x.get(b), m = mask.defined() ? mask.get(b) : Tensor();
             TensorList grads(m.defined() ? 2 : 1);
             if (grad_enabled() || (m.defined() && b.needs(1))) {
               TensorList three;
               for (int i = 0; i < 3; ++i)
                 three.push_back(split_heads(narrow(v, 2, i * width, width), s.heads, batch_axis));
               TensorList d = attention_backward_composed(split_heads(b.dy(), s.heads, batch_axis), three[0], three[1],
                                                          three[2], m, s);
               for (int i = 0; i < 3; ++i) three[i] = join_heads(d[i], batch_axis);
               grads[0] = join(three, 2);
               if (m.defined()) grads[1] = d[3];
             } else {
               grads[0] = Tensor::empty(v.shape(), v.dtype(), v.device());
               run_backward(rows(contiguous(b.dy())), rows(out.get(b)), lse, parts(v), m, s, parts(grads[0]));
             }
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

void set_dropout(AttentionRule& s, double p, Device device) {
  if (p == 0) return;
  s.dropout = true;
  // p = 1 keeps everything, times 0: 2^32 does not fit drop_below.
  s.drop_below = p < 1 ? (uint32_t)(p * 4294967296.0) : 0;
  s.keep_scale = p < 1 ? 1 / (1 - p) : 0;
  DrawnStream drawn = draw_stream(nullptr, s.batch * s.heads * s.queries * ((s.keys + 3) / 4 * 4), device);
  s.stream = drawn.stream;
  s.random = drawn.cell;
}

// What the kernels of a device take a dtype as.
DType taken_as(DType dtype, Device device) {
  return kernels<AttentionKernels>(device).half ? dtype : computed_in(dtype);
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
  const DType dtype = query.dtype(), sums = computed_in(dtype), inner = taken_as(dtype, query.device());
  AttentionRule s{};
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
  set_dropout(s, o.dropout_p, query.device());
  Tensor out = to(attend(q, k, v, m, s), dtype);
  return out.shape() == out_shape ? out : reshape(out, out_shape);
}

Tensor self_attention(const Tensor& packed, int64_t heads, const Tensor& mask, double dropout_p, bool causal,
                      bool batch_first) {
  const Dims d = packed.shape();
  WEFT_CHECK(d.n == 3 && heads > 0 && d[2] % (3 * heads) == 0, Runtime, "[", kOp,
             "] expected query, key and value side by side, [N, L, 3 * E] with E a multiple of ", heads, ", got ",
             to_string(d));
  const int axis = batch_first ? 0 : 1;
  const DType dtype = packed.dtype();
  AttentionRule s{};
  s.batch = d[axis];
  s.heads = s.kv_heads = heads;
  s.queries = s.keys = d[1 - axis];
  s.dim = s.v_dim = d[2] / (3 * heads);
  s.scale = s.dim > 0 ? 1 / std::sqrt((double)s.dim) : 1;
  s.causal = causal;
  s.dtype = taken_as(dtype, packed.device());
  if (packed.numel() == 0) return Tensor::zeros({d[0], d[1], d[2] / 3}, dtype, packed.device());
  Tensor x = to(packed, s.dtype), m;
  if (x.strides()[2] != 1) x = contiguous(x);
  if (mask.defined()) {
    s.mask_is_bool = mask.dtype() == DType::Bool;
    m = expand(s.mask_is_bool ? mask : to(mask, computed_in(dtype)), {s.batch, heads, s.queries, s.keys});
  }
  set_dropout(s, dropout_p, packed.device());
  return to(attend_packed(x, m, s, axis), dtype);
}

void bind_attention(py::module_& m) {
  m.def(
      kOp,
      autocasting<Autocast::Lower>([](const Tensor& query, const Tensor& key, const Tensor& value,
                                      const std::optional<Tensor>& mask, double dropout_p, bool is_causal,
                                      std::optional<double> scale, bool enable_gqa) {
        return scaled_dot_product_attention(query, key, value, mask.value_or(Tensor()),
                                            {dropout_p, is_causal, scale.value_or(0), !scale, enable_gqa});
      }),
      py::arg("query"), py::arg("key"), py::arg("value"), py::arg("attn_mask") = py::none(), py::arg("dropout_p") = 0.0,
      py::arg("is_causal") = false, py::arg("scale") = py::none(), py::arg("enable_gqa") = false,
      "softmax(scale * query key^T + attn_mask) value for query [..., L, E], key [..., S, E], value [..., S, Ev], by\n"
      "blocks: the L x S scores are never stored. attn_mask broadcasts to [..., L, S]; bool means True attends, "
      "floats\n"
      "are added. scale defaults to 1 / sqrt(E). dropout_p always applies. enable_gqa: the heads (dimension -3) of "
      "query\n"
      "are a multiple of those of key and value. A query that may attend to nothing gives zeros and zero gradients.\n"
      "Dao 2023, https://arxiv.org/abs/2307.08691.");
  m.def(
      "_self_attention",
      [](const Tensor& packed, int64_t heads, const std::optional<Tensor>& mask, double dropout_p, bool is_causal,
         bool batch_first) {
        return self_attention(packed, heads, mask.value_or(Tensor()), dropout_p, is_causal, batch_first);
      },
      py::arg("packed"), py::arg("heads"), py::arg("attn_mask") = py::none(), py::arg("dropout_p") = 0.0,
      py::arg("is_causal") = false, py::arg("batch_first") = true,
      "Attention of [N, L, 3 * E] (or [L, N, 3 * E]), query, key and value side by side in its last dimension, to "
      "itself "
      "in\n`heads` heads: [N, L, E]. attn_mask is of 4 dimensions that expand to [N, heads, L, L].");
}

}  // namespace weft
