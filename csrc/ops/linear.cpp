// y = act(x W^T + b): a matrix product whose bias and activation are applied while the tile is in registers.
#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  WEFT_CHECK(weight.dim() == 2, Runtime, "[linear] expected a weight of shape [out, in], got ",
             to_string(weight.shape()));
  WEFT_CHECK(x.dim() > 0, Runtime, "[linear] expected an input of at least one dimension, got a tensor of none");
  const int64_t in = weight.shape()[1], out = weight.shape()[0];
  WEFT_CHECK(x.shape().back() == in, Runtime, "[linear] input has ", x.shape().back(), " features in its last ",
             "dimension, weight expects ", in, " (input ", to_string(x.shape()), ", weight ", to_string(weight.shape()),
             ")");
  check_operands("linear", x, weight);
  if (!bias.defined()) return;
  WEFT_CHECK(bias.dim() == 1 && bias.shape()[0] == out, Runtime, "[linear] expected a bias of shape [", out, "], got ",
             to_string(bias.shape()));
  check_operands("linear", bias, weight);
}

Tensor bias_grad(const Tensor& dy) {
  Dims axes;
  for (int d = 0; d < dy.dim() - 1; ++d) axes.push_back(d);
  return axes.empty() ? dy : sum(dy, axes);
}

PointwiseOp pointwise_of(Activation act) {
  switch (act) {
    case Activation::Gelu: return PointwiseOp::Gelu;
    case Activation::GeluTanh: return PointwiseOp::GeluTanh;
    case Activation::Silu: return PointwiseOp::Silu;
    default: return PointwiseOp::Relu;
  }
}

// The gradient of the activation, from what its forward kept.
Tensor before_act(const Tensor& dy, const Tensor& kept, Activation act) {
  return unary_grad(pointwise_of(act), dy, kept);
}

}  // namespace

Tensor linear_act(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation act) {
  check_linear(x, weight, bias);
  if (x.dim() == 1) return squeeze(linear_act(unsqueeze(x, 0), weight, bias, act), 0);
  if (act != Activation::None && !is_floating(x.dtype()))
    return unary_maybe_inplace(pointwise_of(act), linear(x, weight, bias), false);
  Dims shape = x.shape();
  shape[shape.n - 1] = weight.shape()[0];
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  const bool recorded = needs_grad(x, weight, bias), keeps_argument = act > Activation::Relu;
  Epilogue e;
  e.act = act;
  if (bias.defined()) e.bias = bias.is_contiguous() ? bias : contiguous(bias.detach());
  if (recorded && keeps_argument) e.pre = Tensor::empty(shape, x.dtype(), x.device());
  product_into("linear", y, x, false, weight, true, e);
  if (!recorded) return y;

  Saved kept = act == Activation::None ? Saved() : keeps_argument ? Saved(e.pre) : Saved::output(y);
  record("linear", {x, weight, bias}, {y},
         [act, keeps_argument, kept = std::move(kept), x = needs_grad(weight) || keeps_argument ? Saved(x) : Saved(),
          weight = needs_grad(x) || keeps_argument ? Saved(weight) : Saved(),
          bias = keeps_argument ? Saved(bias) : Saved()](Backward& b) {
           Tensor dy = b.dy();
           if (keeps_argument && grad_enabled())  // the argument is kept off the tape
             dy = before_act(dy, linear(x.get(b), weight.get(b), bias.get(b)), act);
           else if (kept.defined())
             dy = before_act(dy, kept.get(b), act);
           return b.grads(b.needs(0) ? times(dy, false, weight.get(b), false) : Tensor(),
                          b.needs(1) ? times(rows_of(dy), true, rows_of(x.get(b)), false) : Tensor(),
                          b.needs(2) ? bias_grad(dy) : Tensor());
         });
  return y;
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() == 1) {  // one output without a dimension of its own
    Tensor y = matmul(x, weight);
    return bias.defined() ? add(y, bias) : y;
  }
  return linear_act(x, weight, bias, Activation::None);
}

static Activation activation_from(const std::string& name) {
  if (name == "relu") return Activation::Relu;
  if (name == "gelu") return Activation::Gelu;
  if (name == "gelu_tanh") return Activation::GeluTanh;
  if (name == "silu") return Activation::Silu;
  WEFT_CHECK(name == "none", Value, "[linear_act] expected 'none', 'relu', 'gelu', 'gelu_tanh' or 'silu', got '", name,
             "'");
  return Activation::None;
}

void bind_linear(py::module_& m) {
  m.def("linear_act",
        autocasting<Autocast::Lower>(
            [](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias, const std::string& act) {
              return linear_act(x, weight, bias.value_or(Tensor()), activation_from(act));
            }),
        py::arg("input"), py::arg("weight"), py::arg("bias"), py::arg("act"),
        "act(linear(input, weight, bias)) in one pass: 'none', 'relu', 'gelu', 'gelu_tanh' or 'silu'.");
  m.def("linear",
        autocasting<Autocast::Lower>([](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
          return linear(x, weight, bias.value_or(Tensor()));
        }),
        py::arg("input"), py::arg("weight"), py::arg("bias") = py::none(),
        "input @ weight.T + bias: [..., in], [out, in] and [out] give [..., out]. RuntimeError where they do not fit.");
}

}  // namespace weft
