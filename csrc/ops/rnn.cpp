#include "ops/rnn.h"

#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/view.h"
#include "tensor/python.h"

namespace weft {
namespace {

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
    if (anybody_records()) note_host_read("a packed sequence");
    l.active = contiguous(batch_sizes->detach());
    l.steps = l.active.shape()[0];
    l.row_step = 1;
  } else {
    l.batch = x.shape()[batch_first ? 0 : 1];
    l.steps = x.shape()[batch_first ? 1 : 0];
    l.row_step = batch_first ? l.steps : 1;
    l.active = Tensor::table({l.steps}, DType::Int64);
  }
  WEFT_CHECK(l.steps > 0, Runtime, "[", kRnnLayer, "] expected sequences of at least one step");
  l.first = Tensor::table({l.steps}, DType::Int64);
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

struct Results {
  DType h, c;
  std::optional<DType> lower;  // under autocast
};

// Under autocast the results have PyTorch's dtypes: what it hands to oneDNN, and products, give the lower one; states
// that are added to keep their own. Products are of the lower dtype, states of float32.
Results dtypes_of(RnnMode mode, const Tensor& x, const Tensor& h0, const std::optional<Tensor>& c0, bool projected,
                  bool packed) {
  const std::optional<DType> lower = autocast_dtype(Autocast::Lower, x);
  if (!lower) return {x.dtype(), x.dtype(), {}};
  if (mode == RnnMode::Gru) return {h0.dtype(), h0.dtype(), lower};
  if (mode != RnnMode::Lstm || !c0 || (!packed && !projected)) return {*lower, *lower, lower};
  return {projected ? *lower : c0->dtype(), c0->dtype(), lower};
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
  RnnLayout layout = layout_of(x, batch_sizes, batch_first && !batch_sizes);

  TensorList given{rows_of(x), h0, c0.value_or(Tensor())};
  for (const auto& w : weights) given.push_back(w.value_or(Tensor()));
  WEFT_CHECK(given[3].defined() && given[4].defined() && given[directions * 5 - 2].defined() &&
                 given[directions * 5 - 1].defined(),
             Runtime, "[", kRnnLayer, "] expected weight_ih and weight_hh");
  const Results dtypes = dtypes_of(mode, x, h0, c0, given[RnnSlots::weights(0) + 4].defined(), (bool)batch_sizes);
  layout.lower = dtypes.lower;
  for (Tensor& t : given)
    if (t.defined()) {
      if (dtypes.lower) t = autocast(Autocast::Float32, t);
      check_operands(kRnnLayer, given[0], t);
    }
  if (is_half(given[0].dtype()))
    for (Tensor& t : given)
      if (t.defined()) t = to(t, DType::Float32);
  RnnInputs in = rnn_inputs(given, directions);
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

  TensorList results = rnn_by_kernel(mode, directions, layout, in);
  Dims shape = x.shape();
  shape[shape.n - 1] = directions * out;
  results[0] = reshape(results[0], shape);
  for (size_t i = 0; i < results.size(); ++i) results[i] = to(results[i], i < 2 ? dtypes.h : dtypes.c);
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
