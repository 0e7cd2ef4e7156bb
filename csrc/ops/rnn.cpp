#include "ops/rnn.h"

#include "ops/cat.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

const char* const kRnnLayer = "rnn_layer";

RnnShape shape_of(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in) {
  RnnShape s{};
  s.mode = mode;
  s.dtype = in.x.dtype();
  s.projected = in.w[0].projection.defined();
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
  const int64_t rows = in.x.shape()[0], H = f.s.hidden, G = rnn_gates(mode) * H;
  Fused result;
  Tensor y = Tensor::empty({rows, directions * f.s.out}, dtype, device), x = in.x.detach();
  Tensor h = clone(in.h0.detach()), h0 = contiguous(in.h0.detach()), c;
  if (mode == RnnMode::Lstm) c = clone(in.c0.detach());
  TensorList alive;
  auto pointer = [&](const Tensor& t) -> const void* {
    if (!t.defined()) return nullptr;
    alive.push_back(contiguous(t.detach()));
    return alive.back().data();
  };
  for (int i = 0; i < directions; ++i) {
    const RnnWeights& w = in.w[i];
    RnnForward::Direction& d = f.d[i];
    LayerKept& kept = result.kept[i];
    kept.gates = Tensor::empty({rows, G}, dtype, device);
    Epilogue e;
    e.bias = first_bias(mode, w);
    if (rows) product_into(kRnnLayer, kept.gates, x, false, w.ih.detach(), true, e);
    if (keep && mode >= RnnMode::Lstm) kept.kept = Tensor::empty({rows, H}, dtype, device);
    if (f.s.projected) kept.raw = Tensor::empty({rows, H}, dtype, device);
    d.gates = kept.gates.data();
    d.kept = kept.kept.defined() ? kept.kept.data() : nullptr;
    d.raw = kept.raw.defined() ? kept.raw.data() : nullptr;
    d.weight = pointer(w.hh);
    d.projection = pointer(w.projection);
    if (mode == RnnMode::Gru && w.bias_hh.defined()) d.bias = pointer(narrow(w.bias_hh.detach(), 0, 2 * H, H));
    d.h0 = select(h0, 0, i).data();
    d.h = select(h, 0, i).data();
    d.c = c.defined() ? select(c, 0, i).data() : nullptr;
  }
  f.y = y.data();
  f.y_row = directions * f.s.out;
  f.keep = keep;
  run(kernels<RnnKernels>(device).forward, f, device, rows);
  result.results = {y, h};
  if (c.defined()) result.results.push_back(c);
  return result;
}

struct Slots {  // positions among the node's inputs: x, h0, c0, then five for each direction
  static constexpr int h0 = 1, c0 = 2;
  static int weights(int direction) { return 3 + 5 * direction; }
};

TensorList as_list(const RnnInputs& in, int directions) {
  TensorList list{in.x, in.h0, in.c0};
  for (int i = 0; i < directions; ++i)
    for (const Tensor* t : {&in.w[i].ih, &in.w[i].hh, &in.w[i].bias_ih, &in.w[i].bias_hh, &in.w[i].projection})
      list.push_back(*t);
  return list;
}
RnnInputs from_list(const TensorList& list, int directions) {
  RnnInputs in{list[0], list[Slots::h0], list[Slots::c0], {}};
  for (int i = 0; i < directions; ++i) {
    const Tensor* t = &list[Slots::weights(i)];
    in.w[i] = {t[0], t[1], t[2], t[3], t[4]};
  }
  return in;
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
  Tensor weight[2], projection[2], dp[2], dq[2], before[2], dout[2];
  for (int i = 0; i < directions; ++i) {
    RnnBackward::Direction& d = f.d[i];
    weight[i] = contiguous(in.w[i].hh);
    dp[i] = room(G);
    dq[i] = mode == RnnMode::Gru ? room(G) : dp[i];
    before[i] = room(f.s.out);
    d.dgates = dp[i].data();
    d.dhidden = mode == RnnMode::Gru ? dq[i].data() : nullptr;
    d.before = before[i].data();
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
  run(kernels<RnnKernels>(device).backward, f, device, rows);

  TensorList grads(Slots::weights(directions));
  if (b.needs(0)) {
    Tensor dx = Tensor::empty(in.x.shape(), dtype, device);
    Epilogue e;
    for (int i = 0; i < directions; ++i, e.beta = 1) product_into(kRnnLayer, dx, dp[i], false, in.w[i].ih, false, e);
    grads[0] = dx;
  }
  grads[Slots::h0] = dh;
  grads[Slots::c0] = dc;
  for (int i = 0; i < directions; ++i) {
    const int at = Slots::weights(i);
    if (b.needs(at)) grads[at] = product(kRnnLayer, dp[i], true, in.x, false);
    if (b.needs(at + 1)) grads[at + 1] = product(kRnnLayer, dq[i], true, before[i], false);
    if (b.needs(at + 2)) grads[at + 2] = sum(dp[i], {0});
    if (b.needs(at + 3))
      grads[at + 3] = mode != RnnMode::Gru && grads[at + 2].defined() ? clone(grads[at + 2]) : sum(dq[i], {0});
    if (b.needs(at + 4)) grads[at + 4] = product(kRnnLayer, dout[i], true, kept[i].raw, false);
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
  TensorList results = rnn_by_steps(mode, directions, layout, from_list(inputs, directions)), roots, dy;
  for (size_t i = 0; i < results.size(); ++i)
    if (b.dy((int)i).defined()) {
      roots.push_back(results[i]);
      dy.push_back(b.dy((int)i));
    }
  TensorList found = run_backward(roots, dy, true, true, wanted, false), grads(inputs.size());
  for (size_t i = 0; i < slots.size(); ++i) grads[slots[i]] = found[i];
  return grads;
}

TensorList layer(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in) {
  TensorList inputs = as_list(in, directions);
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
           return fused_backward(b, mode, directions, layout, from_list(inputs, directions), y.get(b), k);
         });
  return f.results;
}

// ---- arguments

RnnMode mode_from(const std::string& name) {
  if (name == "RNN_TANH") return RnnMode::Tanh;
  if (name == "RNN_RELU") return RnnMode::Relu;
  if (name == "LSTM") return RnnMode::Lstm;
  WEFT_CHECK(name == "GRU", Value, "[", kRnnLayer, "] expected 'RNN_TANH', 'RNN_RELU', 'LSTM' or 'GRU', got '", name,
             "'");
  return RnnMode::Gru;
}

void check_weights(RnnMode mode, const RnnWeights& w, const RnnInputs& in, int64_t out) {
  auto expect = [&](const char* what, const Tensor& t, const Dims& shape) {
    WEFT_CHECK(t.shape() == shape, Runtime, "[", kRnnLayer, "] expected ", what, " of shape ", to_string(shape),
               ", got ", to_string(t.shape()));
    check_operands(kRnnLayer, in.x, t);
  };
  WEFT_CHECK(w.hh.dim() == 2 && w.hh.shape()[0] > 0 && w.hh.shape()[0] % rnn_gates(mode) == 0, Runtime, "[", kRnnLayer,
             "] expected weight_hh of shape [gates * hidden, out], got ", to_string(w.hh.shape()));
  const int64_t gates = w.hh.shape()[0], hidden = gates / rnn_gates(mode);
  expect("weight_ih", w.ih, {gates, in.x.shape()[1]});
  expect("weight_hh", w.hh, {gates, out});
  WEFT_CHECK(w.bias_ih.defined() == w.bias_hh.defined(), Runtime, "[", kRnnLayer, "] expected both biases or none");
  if (w.bias_ih.defined()) {
    expect("bias_ih", w.bias_ih, {gates});
    expect("bias_hh", w.bias_hh, {gates});
  }
  if (w.projection.defined()) {
    WEFT_CHECK(mode == RnnMode::Lstm, Runtime, "[", kRnnLayer, "] expected a projection of an LSTM alone");
    expect("weight_hr", w.projection, {out, hidden});
  } else {
    WEFT_CHECK(out == hidden, Runtime, "[", kRnnLayer, "] expected weight_hh of shape [", gates, ", ", hidden,
               "], got ", to_string(w.hh.shape()));
  }
}

// active[t], either given or the whole batch, and the first row of each step.
RnnLayout layout_of(const Tensor& x, const std::optional<Tensor>& batch_sizes, bool batch_first) {
  RnnLayout l{};
  if (batch_sizes) {
    WEFT_CHECK(batch_sizes->dim() == 1 && batch_sizes->dtype() == DType::Int64 && !batch_sizes->device().is_cuda(),
               Runtime, "[", kRnnLayer, "] expected batch_sizes to be one row of int64 on the CPU");
    l.active = contiguous(batch_sizes->detach());
    l.steps = l.active.shape()[0];
    l.row_step = 1;
  } else {
    l.batch = x.shape()[batch_first ? 0 : 1];
    l.steps = x.shape()[batch_first ? 1 : 0];
    l.row_step = batch_first ? l.steps : 1;
    l.active = Tensor::empty({l.steps}, DType::Int64);
  }
  WEFT_CHECK(l.steps > 0, Runtime, "[", kRnnLayer, "] expected sequences of at least one step");
  l.first = Tensor::empty({l.steps}, DType::Int64);
  int64_t *first = l.first.ptr<int64_t>(), *active = l.active.ptr<int64_t>();
  if (batch_sizes) {
    l.batch = active[0];
    int64_t rows = 0;
    for (int64_t t = 0; t < l.steps; rows += active[t++]) {
      first[t] = rows;
      WEFT_CHECK(active[t] > 0 && (t == 0 || active[t] <= active[t - 1]), Runtime, "[", kRnnLayer,
                 "] expected batch_sizes that are positive and never grow");
    }
    WEFT_CHECK(rows == x.shape()[0], Runtime, "[", kRnnLayer, "] expected ", rows,
               " rows of input by batch_sizes, got ", x.shape()[0]);
  } else {
    for (int64_t t = 0; t < l.steps; ++t) {
      active[t] = l.batch;
      first[t] = batch_first ? t : t * l.batch;
    }
  }
  return l;
}

TensorList rnn_layer(const std::string& name, const Tensor& x, const Tensor& h0, const std::optional<Tensor>& c0,
                     const std::vector<std::optional<Tensor>>& weights, bool batch_first,
                     const std::optional<Tensor>& batch_sizes) {
  const RnnMode mode = mode_from(name);
  WEFT_CHECK(is_floating(x.dtype()), Runtime, "[", kRnnLayer, "] expected a floating dtype, got ", name_of(x.dtype()));
  WEFT_CHECK(x.dim() == (batch_sizes ? 2 : 3), Runtime, "[", kRnnLayer, "] expected an input of ", batch_sizes ? 2 : 3,
             " dimensions, got shape ", to_string(x.shape()));
  WEFT_CHECK(weights.size() == 5 || weights.size() == 10, Runtime, "[", kRnnLayer,
             "] expected five weights for each of one ", "or two directions, got ", weights.size());
  const int directions = (int)weights.size() / 5;
  const RnnLayout layout = layout_of(x, batch_sizes, batch_first && !batch_sizes);

  const DType compute = is_half(x.dtype()) ? DType::Float32 : x.dtype();
  TensorList given{rows_of(x), h0, c0.value_or(Tensor())};
  for (const auto& w : weights) given.push_back(w.value_or(Tensor()));
  WEFT_CHECK(given[3].defined() && given[4].defined() && given[directions * 5 - 2].defined() &&
                 given[directions * 5 - 1].defined(),
             Runtime, "[", kRnnLayer, "] expected weight_ih and weight_hh");
  for (Tensor& t : given)
    if (t.defined()) {
      check_operands(kRnnLayer, x, t);
      t = to(t, compute);
    }
  RnnInputs in = from_list(given, directions);
  WEFT_CHECK(in.w[0].hh.dim() == 2, Runtime, "[", kRnnLayer, "] expected weight_hh of two dimensions, got ",
             to_string(in.w[0].hh.shape()));
  const int64_t out = in.w[0].hh.shape()[1], hidden = in.w[0].hh.shape()[0] / rnn_gates(mode);
  for (int i = 0; i < directions; ++i) check_weights(mode, in.w[i], in, out);
  WEFT_CHECK(directions == 1 || in.w[1].hh.shape() == in.w[0].hh.shape(), Runtime, "[", kRnnLayer,
             "] expected two directions of one size");
  WEFT_CHECK(h0.shape() == Dims({directions, layout.batch, out}), Runtime, "[", kRnnLayer, "] expected h0 of shape ",
             to_string(Dims({directions, layout.batch, out})), ", got ", to_string(h0.shape()));
  WEFT_CHECK(c0.has_value() == (mode == RnnMode::Lstm), Runtime, "[", kRnnLayer, "] expected c0 for an LSTM alone");
  if (c0)
    WEFT_CHECK(c0->shape() == Dims({directions, layout.batch, hidden}), Runtime, "[", kRnnLayer,
               "] expected c0 of shape ", to_string(Dims({directions, layout.batch, hidden})), ", got ",
               to_string(c0->shape()));
  in.x = contiguous(in.x);

  TensorList results = layer(mode, directions, layout, in);
  Dims shape = x.shape();
  shape[shape.n - 1] = directions * out;
  results[0] = reshape(results[0], shape);
  for (Tensor& t : results) t = to(t, x.dtype());
  return results;
}

}  // namespace

void bind_rnn(py::module_& m) {
  m.def(
      kRnnLayer, &rnn_layer, py::arg("mode"), py::arg("input"), py::arg("h0"), py::arg("c0"), py::arg("weights"),
      py::arg("batch_first") = false, py::arg("batch_sizes") = py::none(),
      "One recurrent layer in one or two directions. mode: 'RNN_TANH', 'RNN_RELU', 'LSTM' or 'GRU'. input: [T, B, "
      "in],\n"
      "[B, T, in] with batch_first, or [rows, in] with batch_sizes, as in a PackedSequence. h0 and, of an LSTM, c0:\n"
      "[directions, B, out]. weights: for each direction weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, None for\n"
      "what there is not. Returns [output, h_n] or [output, h_n, c_n]. Formulas: torch.nn.LSTM, GRU and RNN.");
}

}  // namespace weft
