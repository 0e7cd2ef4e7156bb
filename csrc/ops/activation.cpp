// Activations with parameters, under their names in torch.nn.functional; in place too, by argument and by name.
#include "ops/autocast.h"
#include "ops/pointwise.h"
#include "ops/view.h"
#include "tensor/python.h"

namespace weft {

namespace {

// name(input, parameter(s), inplace) and name_(input, parameter(s)); `params` checks what it is given.
template <class First>
void bind_one(py::module_& m, const char* name, PointwiseOp op, Params (*params)(double), const First& first,
              const char* doc) {
  m.def(
      name,
      [op, params](const Tensor& x, double a, bool inplace) { return unary_maybe_inplace(op, x, inplace, params(a)); },
      py::arg("input"), first, py::arg("inplace") = false, doc);
  m.def((std::string(name) + "_").c_str(),
        [op, params](const Tensor& x, double a) { return unary_maybe_inplace(op, x, true, params(a)); },
        py::arg("input"), first);
}
template <class First, class Second>
void bind_two(py::module_& m, const char* name, PointwiseOp op, Params (*params)(double, double), const First& first,
              const Second& second, const char* doc) {
  m.def(
      name,
      [op, params](const Tensor& x, double a, double b, bool inplace) {
        return unary_maybe_inplace(op, x, inplace, params(a, b));
      },
      py::arg("input"), first, second, py::arg("inplace") = false, doc);
  m.def((std::string(name) + "_").c_str(),
        [op, params](const Tensor& x, double a, double b) { return unary_maybe_inplace(op, x, true, params(a, b)); },
        py::arg("input"), first, second);
}

Params one(double a) { return {{a, 0, 0}}; }
Params two(double a, double b) { return {{a, b, 0}}; }

Params celu_params(double alpha) {
  WEFT_CHECK(alpha != 0, Runtime, "[celu] expected alpha other than 0");
  return {{alpha, 1 / alpha, 0}};
}
Params hardtanh_params(double low, double high) {
  WEFT_CHECK(low <= high, Value, "[hardtanh] expected min_val <= max_val, got ", low, " and ", high);
  return {{low, high, 0}};
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  const int64_t n = weight.numel(), channels = x.dim() > 1 ? x.shape()[1] : 1;
  WEFT_CHECK(weight.dim() < 2 && (n == 1 || n == channels), Value, "[prelu] expected 1 or ", channels,
             " weights, got shape ", to_string(weight.shape()));
  Dims column = Dims::filled(n > 1 ? x.dim() - 1 : 0, 1);
  if (n > 1) column[0] = n;
  return binary_operand(PointwiseOp::Prelu, Operand{x}, Operand{reshape(weight, column)});
}

}  // namespace

void bind_activation(py::module_& m) {
  m.def(
      "gelu",
      [](const Tensor& x, const std::string& approximate) {
        WEFT_CHECK(approximate == "none" || approximate == "tanh", Value,
                   "[gelu] expected approximate 'none' or 'tanh', got '", approximate, "'");
        return gelu(x, approximate == "tanh");
      },
      py::arg("input"), py::arg("approximate") = "none",
      "x P(X <= x) for a standard normal X; 'tanh' approximates it. https://arxiv.org/abs/1606.08415");
  m.def(
      "softplus",
      [](const Tensor& x, double beta, double threshold) {
        return unary(PointwiseOp::Softplus, x, {{beta, threshold, 0}});
      },
      py::arg("input"), py::arg("beta") = 1.0, py::arg("threshold") = 20.0,
      "log(1 + exp(beta x)) / beta; x itself where beta x exceeds the threshold.");
  def_both(
      m, "hardshrink", [](const Tensor& x, double lambd) { return unary(PointwiseOp::HardShrink, x, one(lambd)); },
      py::arg("lambd") = 0.5, "0 within [-lambd, lambd], else x.");
  m.def(
      "softshrink",
      [](const Tensor& x, double lambd) {
        WEFT_CHECK(lambd >= 0, Runtime, "[softshrink] expected lambd of at least 0, got ", lambd);
        return unary(PointwiseOp::SoftShrink, x, one(lambd));
      },
      py::arg("input"), py::arg("lambd") = 0.5, "x moved towards 0 by lambd; 0 within [-lambd, lambd].");
  bind_one(
      m, "elu", PointwiseOp::Elu, [](double alpha) { return two(alpha, 1); }, py::arg("alpha") = 1.0,
      "x, or alpha (e^x - 1) below zero. https://arxiv.org/abs/1511.07289");
  bind_one(m, "celu", PointwiseOp::Elu, celu_params, py::arg("alpha") = 1.0,
           "x, or alpha (e^(x / alpha) - 1) below zero. https://arxiv.org/abs/1704.07483");
  bind_one(m, "leaky_relu", PointwiseOp::LeakyRelu, one, py::arg("negative_slope") = 0.01,
           "x, or negative_slope x below zero.");
  bind_two(m, "hardtanh", PointwiseOp::HardTanh, hardtanh_params, py::arg("min_val") = -1.0, py::arg("max_val") = 1.0,
           "x kept within [min_val, max_val]; no gradient at the bounds and beyond.");
  bind_two(m, "threshold", PointwiseOp::Threshold, two, py::arg("threshold"), py::arg("value"),
           "x where it exceeds the threshold, else value.");
  def_both(m, "prelu", autocasting<Autocast::Lower>(prelu), py::arg("weight"),
           "input where positive, else weight * input; one weight, or one per channel (dimension 1).");
}

}  // namespace weft
