// A recurrent layer by the fused kernels, on the tape.
#include "ops/cat.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/packed.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/rnn.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"

namespace weft {
namespace {

RnnShape shape_of(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in) {
  RnnShape s{};
  s.mode = mode;
  s.dtype = in.x.dtype();
  s.projected = in.w[0].projection.defined();
  s.lower = layout.lower == DType::BFloat16 && s.dtype == DType::Float32 && !s.projected &&
            kernels<RnnKernels>(in.x.device()).lowers && in.w[0].hh.shape()[1] % 2 == 0;
  s.directions = directions;
  s.steps = layout.steps;
  s.batch = layout.batch;
  s.hidden = in.w[0].hh.shape()[0] / rnn_gates(mode);
  s.out = in.w[0].hh.shape()[1];
  s.row_step = layout.row_step;
  s.first = layout.first.ptr<int64_t>();
  s.active = layout.active.ptr<int64_t>();
  return s;
}

// The biases that are added before the steps: both, but for the third gate of Gru.
Tensor first_bias(RnnMode mode, const RnnWeights& w) {
  if (!w.bias_ih.defined()) return {};
  Tensor ih = w.bias_ih.detach(), hh = w.bias_hh.detach();
  if (mode != RnnMode::Gru) return add(ih, hh);
  const int64_t n = hh.shape()[0] / 3;
  return join({add(narrow(ih, 0, 0, 2 * n), narrow(hh, 0, 0, 2 * n)), narrow(ih, 0, 2 * n, n)}, 0);
}

template <class Args>
void run(void (*kernel)(const Args&), Args& args, Device device, int64_t rows) {
  const RnnKernels& k = kernels<RnnKernels>(device);
  Workspace room(k.workspace ? k.workspace(args.s) : 0, device);
  args.workspace = room.data();
  const RnnShape& s = args.s;
  if (rows)
    launch(kRnnLayer, device, kernel, args, (double)(rows * rnn_gates(s.mode) * s.hidden * s.out * s.directions));
}

// W_hh packed, where it serves pass after pass.
Ref<Storage> packed_hh(const RnnShape& s, const Tensor& hh) {
  const RnnKernels& k = kernels<RnnKernels>(hh.device());
  if (!k.pack || !hh.is_contiguous()) return {};
  const PackedKey key{reinterpret_cast<void (*)()>(k.pack),
                      hh.get()->offset,
                      {s.hidden, s.out, (int64_t)s.mode, (int64_t)s.dtype, s.lower}};
  const int64_t bytes = k.packed_bytes(s);
  return packed_copy(hh, key, bytes, [&](void* to) {
    launch(kRnnLayer, hh.device(), k.pack, RnnPack{s, hh.data(), to}, (double)bytes);
  });
}

// Products over all steps at once, in the lower dtype where there is one.
struct AllSteps {
  std::optional<DType> lower;
  Tensor operator()(const Tensor& a, bool a_transposed, const Tensor& b, bool b_transposed,
                    const Epilogue& e = {}) const {
    if (!lower) return product(kRnnLayer, a, a_transposed, b, b_transposed, e);
    Epilogue lowered = e;
    if (e.bias.defined()) lowered.bias = to(e.bias, *lower);
    return to(product(kRnnLayer, to(a, *lower), a_transposed, to(b, *lower), b_transposed, lowered), DType::Float32);
  }
  void add_to(Tensor& sum, const Tensor& a, const Tensor& b) const {
    Epilogue more;
    more.beta = 1;
    if (!sum.defined())
      sum = (*this)(a, false, b, false);
    else if (lower)
      add_into(sum, (*this)(a, false, b, false));
    else
      product_into(kRnnLayer, sum, a, false, b, false, more);
  }
};

// What the forward pass leaves for the backward one, for each direction.
struct LayerKept {
  Tensor gates, kept, raw;
};

struct Fused {
  TensorList results;  // y, h and, of Lstm, c
  LayerKept kept[2];
};

Fused fused_forward(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in, bool keep) {
  const Device device = in.x.device();
  const DType dtype = in.x.dtype();
  RnnForward f{};
  f.s = shape_of(mode, directions, layout, in);
  const int64_t rows = in.x.shape()[0], H = f.s.hidden;
  Fused result;
  Tensor y = Tensor::empty({rows, directions * f.s.out}, dtype, device), x = in.x.detach();
  Tensor h = clone(in.h0.detach()), h0 = contiguous(in.h0.detach()), c, h0_lower, lower[2];
  if (f.s.lower) h0_lower = to(h0, DType::BFloat16);
  if (mode == RnnMode::Lstm) c = clone(in.c0.detach());
  const AllSteps all{layout.lower};
  TensorList alive;
  Ref<Storage> packed[2];
  auto pointer = [&](const Tensor& t) -> const void* {
    if (!t.defined()) return nullptr;
    alive.push_back(contiguous(t.detach()));
    return alive.back().data();
  };
  for (int i = 0; i < directions; ++i) {
    const RnnWeights& w = in.w[i];
    RnnForward::Direction& d = f.d[i];
    LayerKept& kept = result.kept[i];
    Epilogue e;
    e.bias = first_bias(mode, w);
    kept.gates = all(x, false, w.ih.detach(), true, e);
    if (keep && mode >= RnnMode::Lstm) kept.kept = Tensor::empty({rows, H}, dtype, device);
    if (f.s.projected) kept.raw = Tensor::empty({rows, H}, dtype, device);
    d.gates = kept.gates.data();
    d.kept = kept.kept.defined() ? kept.kept.data() : nullptr;
    d.raw = kept.raw.defined() ? kept.raw.data() : nullptr;
    d.weight = pointer(w.hh);
    if (!keep) packed[i] = packed_hh(f.s, w.hh);
    d.packed = packed[i] ? packed[i]->data : nullptr;
    d.projection = pointer(w.projection);
    if (mode == RnnMode::Gru && w.bias_hh.defined()) d.bias = pointer(narrow(w.bias_hh.detach(), 0, 2 * H, H));
    d.h0 = select(h0, 0, i).data();
    d.h = select(h, 0, i).data();
    d.c = c.defined() ? select(c, 0, i).data() : nullptr;
    if (!f.s.lower) continue;
    lower[i] = Tensor::empty({rows, f.s.out}, DType::BFloat16, device);
    d.lower = lower[i].data();
    d.h0_lower = select(h0_lower, 0, i).data();
  }
  f.y = y.data();
  f.y_row = directions * f.s.out;
  f.keep = keep;
  run(kernels<RnnKernels>(device).forward, f, device, rows);
  result.results = {y, h};
  if (c.defined()) result.results.push_back(c);
  return result;
}

TensorList fused_backward(Backward& b, RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in,
                          const Tensor& y, const LayerKept* kept) {
  const Device device = in.x.device();
  const DType dtype = in.x.dtype();
  RnnBackward f{};
  f.s = shape_of(mode, directions, layout, in);
  const int64_t rows = in.x.shape()[0], H = f.s.hidden, G = rnn_gates(mode) * H;
  auto room = [&](int64_t width) { return Tensor::empty({rows, width}, dtype, device); };
  auto start = [&](int output, const Tensor& like) {
    return b.dy(output).defined() ? clone(b.dy(output)) : Tensor::zeros(like.shape(), dtype, device);
  };
  Tensor dy = b.dy(0).defined() ? contiguous(b.dy(0)) : Tensor(), dh = start(1, in.h0), dc;
  if (mode == RnnMode::Lstm) dc = start(2, in.c0);
  Tensor h0 = contiguous(in.h0), c0 = in.c0.defined() ? contiguous(in.c0) : in.c0;
  Tensor weight[2], projection[2], dp[2], dq[2], lower[2], before[2], dout[2];
  for (int i = 0; i < directions; ++i) {
    RnnBackward::Direction& d = f.d[i];
    weight[i] = contiguous(in.w[i].hh);
    dp[i] = room(G);
    dq[i] = mode == RnnMode::Gru ? room(G) : dp[i];
    before[i] = room(f.s.out);
    d.dgates = dp[i].data();
    d.dhidden = mode == RnnMode::Gru ? dq[i].data() : nullptr;
    d.before = before[i].data();
    if (f.s.lower) {
      lower[i] = Tensor::empty({rows, G}, DType::BFloat16, device);
      d.lower = lower[i].data();
    }
    d.gates = kept[i].gates.defined() ? kept[i].gates.data() : nullptr;
    d.kept = kept[i].kept.defined() ? kept[i].kept.data() : nullptr;
    d.weight = weight[i].data();
    if (f.s.projected) {
      projection[i] = contiguous(in.w[i].projection);
      dout[i] = room(f.s.out);
      d.projection = projection[i].data();
      d.dout = dout[i].data();
    }
    d.h0 = select(h0, 0, i).data();
    d.dh = select(dh, 0, i).data();
    if (mode == RnnMode::Lstm) {
      d.c0 = select(c0, 0, i).data();
      d.dc = select(dc, 0, i).data();
    }
  }
  f.y = y.data();
  f.dy = dy.defined() ? dy.data() : nullptr;
  f.y_row = directions * f.s.out;
  f.first = b.needs(RnnSlots::h0);
  run(kernels<RnnKernels>(device).backward, f, device, rows);

  const AllSteps all{layout.lower};
  TensorList grads(RnnSlots::weights(directions));
  if (f.first) grads[RnnSlots::h0] = dh;
  grads[RnnSlots::c0] = dc;
  for (int i = 0; i < directions; ++i) {
    const int at = RnnSlots::weights(i);
    if (b.needs(at + 2)) grads[at + 2] = sum(dp[i], {0});
    if (b.needs(at + 3))
      grads[at + 3] = mode != RnnMode::Gru && grads[at + 2].defined() ? clone(grads[at + 2]) : sum(dq[i], {0});
    const Tensor q = lower[i].defined() ? lower[i] : to(dq[i], layout.lower.value_or(dtype));
    const Tensor p = mode == RnnMode::Gru ? to(dp[i], layout.lower.value_or(dtype)) : q;
    if (b.needs(0)) all.add_to(grads[0], p, in.w[i].ih);
    if (b.needs(at)) grads[at] = all(p, true, in.x, false);
    if (b.needs(at + 1)) grads[at + 1] = all(q, true, before[i], false);
    if (b.needs(at + 4)) grads[at + 4] = all(dout[i], true, kept[i].raw, false);
  }
  return grads;
}

// The same on the tape: the formula is computed again from the inputs, and gone back through.
TensorList backward_by_steps(Backward& b, RnnMode mode, int directions, const RnnLayout& layout, TensorList inputs) {
  TensorList wanted;
  std::vector<size_t> slots;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (inputs[i].defined() && b.needs((int)i)) {
      inputs[i] = squeeze(unsqueeze(inputs[i], 0), 0);  // where this backward ends
      wanted.push_back(inputs[i]);
      slots.push_back(i);
    }
  TensorList results = rnn_by_steps(mode, directions, layout, rnn_inputs(inputs, directions)), roots, dy;
  for (size_t i = 0; i < results.size(); ++i)
    if (b.dy((int)i).defined()) {
      roots.push_back(results[i]);
      dy.push_back(b.dy((int)i));
    }
  TensorList found = run_backward(roots, dy, true, true, wanted, false), grads(inputs.size());
  for (size_t i = 0; i < slots.size(); ++i) grads[slots[i]] = found[i];
  return grads;
}

}  // namespace

TensorList list_of(const RnnInputs& in, int directions) {
  TensorList list{in.x, in.h0, in.c0};
  for (int i = 0; i < directions; ++i)
    for (const Tensor* t : {&in.w[i].ih, &in.w[i].hh, &in.w[i].bias_ih, &in.w[i].bias_hh, &in.w[i].projection})
      list.push_back(*t);
  return list;
}
RnnInputs rnn_inputs(const TensorList& list, int directions) {
  RnnInputs in{list[0], list[RnnSlots::h0], list[RnnSlots::c0], {}};
  for (int i = 0; i < directions; ++i) {
    const Tensor* t = &list[RnnSlots::weights(i)];
    in.w[i] = {t[0], t[1], t[2], t[3], t[4]};
  }
  return in;
}

TensorList rnn_by_kernel(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in) {
  TensorList inputs = list_of(in, directions);
  const bool keep = needs_grad(inputs);
  Fused f = fused_forward(mode, directions, layout, in, keep);
  if (!keep) return f.results;
  struct SavedKept {
    Saved gates, kept, raw;
  };
  auto save = [](const Tensor& t) { return t.defined() ? Saved(t) : Saved(); };
  std::vector<Saved> saved;
  std::vector<SavedKept> kept;
  for (const Tensor& t : inputs) saved.push_back(save(t));
  for (int i = 0; i < directions; ++i)
    kept.push_back(
        {mode >= RnnMode::Lstm ? Saved(f.kept[i].gates) : Saved(), save(f.kept[i].kept), save(f.kept[i].raw)});
  record(kRnnLayer, inputs, f.results,
         [mode, directions, layout, saved = std::move(saved), kept = std::move(kept),
          y = Saved::output(f.results[0])](Backward& b) {
           auto get = [&](const Saved& s) { return s.defined() ? s.get(b) : Tensor(); };
           TensorList inputs;
           for (const Saved& s : saved) inputs.push_back(get(s));
           if (grad_enabled()) return backward_by_steps(b, mode, directions, layout, std::move(inputs));
           LayerKept k[2];
           for (int i = 0; i < directions; ++i) k[i] = {get(kept[i].gates), get(kept[i].kept), get(kept[i].raw)};
           return fused_backward(b, mode, directions, layout, rnn_inputs(inputs, directions), y.get(b), k);
         });
  return f.results;
}

}  // namespace weft
