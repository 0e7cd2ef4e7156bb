// clamp and its relatives: numbers or tensors as bounds.
#include <cmath>

#include "ops/pointwise.h"
#include "tensor/python.h"

namespace weft {

namespace {

using Bound = std::optional<Operand>;
using Out = std::optional<Tensor>;

Operand bound_or(const Bound& bound, const Tensor& x, bool low) {
  if (bound) return *bound;
  double inf = low ? -INFINITY : INFINITY;
  return Operand{{}, inf, low ? INT64_MIN : INT64_MAX, is_floating(x.dtype()) ? DType::Float32 : DType::Bool};
}

Tensor clamp(const Tensor& x, const Bound& low, const Bound& high, bool inplace, const Out& out = {}) {
  WEFT_CHECK(low || high, Runtime, "[clamp] expected min, max or both, got neither");
  Operand a = bound_or(low, x, true), b = bound_or(high, x, false);
  if (a.is_number() && b.is_number() && is_floating(x.dtype()) && !out)
    return unary_maybe_inplace(PointwiseOp::ClampNumbers, x, inplace, {{a.number, b.number, 0}});
  if (!inplace) return ternary_maybe_out(PointwiseOp::Clamp, Operand{x}, a, b, {}, out);
  ternary_inplace(PointwiseOp::Clamp, x, a, b);
  return x;
}

// clamp_min and clamp_max.
template <Tensor (*f)(const Tensor&, const Operand&, bool, const Out&)>
void bind_side(py::module_& m, const std::string& name, const char* bound) {
  std::string changing = name + "_";
  m.def(
      name.c_str(), [](const Tensor& x, const Operand& b, const Out& out) { return f(x, b, false, out); },
      py::arg("input"), py::arg(bound), py::kw_only(), py::arg("out") = py::none());
  def_method(name.c_str(), [](const Tensor& x, const Operand& b) { return f(x, b, false, {}); }, py::arg(bound));
  def_both(m, changing.c_str(), [](const Tensor& x, const Operand& b) { return f(x, b, true, {}); }, py::arg(bound));
}
Tensor raise(const Tensor& x, const Operand& low, bool inplace, const Out& out) {
  return clamp(x, low, {}, inplace, out);
}
Tensor lower(const Tensor& x, const Operand& high, bool inplace, const Out& out) {
  return clamp(x, {}, high, inplace, out);
}

}  // namespace

void bind_clamp(py::module_& m) {
  for (std::string name : {"clamp", "clip"}) {
    m.def(
        name.c_str(),
        [](const Tensor& x, const Bound& min, const Bound& max, const Out& out) {
          return clamp(x, min, max, false, out);
        },
        py::arg("input"), py::arg("min") = py::none(), py::arg("max") = py::none(), py::kw_only(),
        py::arg("out") = py::none(),
        "x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds.");
    def_method(
        name.c_str(), [](const Tensor& x, const Bound& min, const Bound& max) { return clamp(x, min, max, false); },
        py::arg("min") = py::none(), py::arg("max") = py::none());
    def_both(
        m, (name + "_").c_str(),
        [](const Tensor& x, const Bound& min, const Bound& max) { return clamp(x, min, max, true); },
        py::arg("min") = py::none(), py::arg("max") = py::none());
  }
  bind_side<raise>(m, "clamp_min", "min");
  bind_side<lower>(m, "clamp_max", "max");
}

}  // namespace weft
