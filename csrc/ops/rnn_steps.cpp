// A recurrent layer as a formula of other operations: what its second derivatives are made of.
#include "ops/cat.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/rnn.h"
#include "ops/view.h"

namespace weft {
namespace {

struct CellState {
  Tensor h, c;
};

CellState cell(RnnMode mode, const Tensor& p, const CellState& before, const RnnWeights& w) {
  const int64_t n = before.c.defined() ? before.c.shape()[1] : w.hh.shape()[0] / rnn_gates(mode);
  auto gate = [n](const Tensor& t, int64_t g) { return narrow(t, 1, g * n, n); };
  Tensor q = linear(before.h, w.hh, w.bias_hh);
  switch (mode) {
    case RnnMode::Tanh: return {tanh(add(p, q)), {}};
    case RnnMode::Relu: return {relu(add(p, q)), {}};
    case RnnMode::Lstm: {
      Tensor all = add(p, q), i = sigmoid(gate(all, 0)), f = sigmoid(gate(all, 1)), g = tanh(gate(all, 2));
      Tensor c = add(mul(f, before.c), mul(i, g)), h = mul(sigmoid(gate(all, 3)), tanh(c));
      return {w.projection.defined() ? linear(h, w.projection) : h, c};
    }
    case RnnMode::Gru: break;
  }
  Tensor r = sigmoid(add(gate(p, 0), gate(q, 0))), z = sigmoid(add(gate(p, 1), gate(q, 1)));
  Tensor next = tanh(add(gate(p, 2), mul(r, gate(q, 2))));
  return {add(next, mul(z, sub(before.h, next))), {}};
}

// Sequences past their end keep what they have.
Tensor replaced(const Tensor& all, const Tensor& first) {
  const int64_t n = first.shape()[0], rest = all.shape()[0] - n;
  return rest ? join({first, narrow(all, 0, n, rest)}, 0) : first;
}

}  // namespace

TensorList rnn_by_steps(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in) {
  const int64_t *first = layout.first.ptr<int64_t>(), *active = layout.active.ptr<int64_t>();
  const int64_t step = layout.row_step;
  TensorList y, h, c;
  for (int d = 0; d < directions; ++d) {
    const RnnWeights& w = in.w[d];
    Tensor p = linear(in.x, w.ih, w.bias_ih);
    CellState state{select(in.h0, 0, d), in.c0.defined() ? select(in.c0, 0, d) : Tensor()};
    TensorList out(layout.steps);
    for (int64_t i = 0; i < layout.steps; ++i) {
      const int64_t t = d ? layout.steps - 1 - i : i, n = active[t];
      CellState before{narrow(state.h, 0, 0, n), state.c.defined() ? narrow(state.c, 0, 0, n) : Tensor()};
      CellState now = cell(mode, slice(p, 0, first[t], first[t] + (n - 1) * step + 1, step), before, w);
      out[t] = step == 1 ? now.h : unsqueeze(now.h, 1);
      state.h = replaced(state.h, now.h);
      if (state.c.defined()) state.c = replaced(state.c, now.c);
    }
    y.push_back(step == 1 ? join(out, 0) : rows_of(join(out, 1)));
    h.push_back(unsqueeze(state.h, 0));
    if (state.c.defined()) c.push_back(unsqueeze(state.c, 0));
  }
  TensorList results{join(y, 1), join(h, 0)};
  if (!c.empty()) results.push_back(join(c, 0));
  return results;
}

}  // namespace weft
