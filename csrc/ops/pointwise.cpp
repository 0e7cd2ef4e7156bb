// Bindings of the pointwise family. Functions of the lists in kernels/pointwise.h are bound by their line there.
#include "ops/pointwise.h"

#include <cmath>

#include "ops/copy.h"
#include "ops/reduce.h"
#include "tensor/python.h"

namespace weft {

namespace {

using Out = std::optional<Tensor>;

Tensor call(PointwiseOp op, const Tensor& x, bool inplace, const Params& params = {}) {
  if (!inplace) return unary(op, x, params);
  unary_inplace(op, x, params);
  return x;
}

void bind_unary(py::module_& m, PointwiseOp op, const char* name, bool has_inplace) {
  auto function = [op](const Tensor& x, bool inplace, const Out& out) {
    if (!out) return call(op, x, inplace);
    unary_out(op, *out, x);
    return *out;
  };
  m.def(name, function, py::arg("input"), py::arg("inplace") = false, py::kw_only(), py::arg("out") = py::none());
  def_method(name, [op](const Tensor& x) { return unary(op, x); });
  if (!has_inplace) return;
  std::string in_place = std::string(name) + "_";
  auto change = [op](const Tensor& x) { return call(op, x, true); };
  m.def(in_place.c_str(), change, py::arg("input"));
  def_method(in_place.c_str(), change);
}

void need_tensor(const char* name, const Operand& a, const Operand& b) {
  WEFT_CHECK(!a.is_number() || !b.is_number(), Type, "[", name, "] expected a tensor, got two numbers");
}

void bind_binary(py::module_& m, PointwiseOp op, const char* name, bool has_inplace) {
  auto function = [op, name](const Operand& a, const Operand& b, const Out& out) {
    need_tensor(name, a, b);
    if (!out) return binary_operand(op, a, b);
    binary_out(op, *out, a, b);
    return *out;
  };
  m.def(name, function, py::arg("input"), py::arg("other"), py::kw_only(), py::arg("out") = py::none());
  def_method(
      name, [op](const Tensor& a, const Operand& b) { return binary_operand(op, Operand{a}, b); }, py::arg("other"));
  if (!has_inplace) return;
  def_method((std::string(name) + "_").c_str(),
             [op](const Tensor& a, const Operand& b) {
               binary_inplace(op, a, b);
               return a;
             },
             py::arg("other"));
}

// add and sub, which have alpha.
void bind_sum(py::module_& m, PointwiseOp op, const char* name) {
  auto function = [op, name](const Operand& a, const Operand& b, double alpha, const Out& out) {
    need_tensor(name, a, b);
    if (!out) return binary_operand(op, a, b, alpha);
    binary_out(op, *out, a, b, alpha);
    return *out;
  };
  m.def(name, function, py::arg("input"), py::arg("other"), py::kw_only(), py::arg("alpha") = 1.0,
        py::arg("out") = py::none(), "input plus (minus) alpha * other.");
  def_method(
      name, [op](const Tensor& a, const Operand& b, double alpha) { return binary_operand(op, Operand{a}, b, alpha); },
      py::arg("other"), py::kw_only(), py::arg("alpha") = 1.0);
  def_method((std::string(name) + "_").c_str(),
             [op](const Tensor& a, const Operand& b, double alpha) {
               binary_inplace(op, a, b, alpha);
               return a;
             },
             py::arg("other"), py::kw_only(), py::arg("alpha") = 1.0);
}

PointwiseOp division(const std::optional<std::string>& mode) {
  if (!mode) return PointwiseOp::Div;
  WEFT_CHECK(*mode == "trunc" || *mode == "floor", Runtime,
             "[div] expected rounding_mode None, 'trunc' or 'floor', got '", *mode, "'");
  return *mode == "trunc" ? PointwiseOp::DivTrunc : PointwiseOp::DivFloor;
}

void bind_division(py::module_& m) {
  using Mode = std::optional<std::string>;
  m.def(
      "div",
      [](const Operand& a, const Operand& b, const Mode& mode, const Out& out) {
        need_tensor("div", a, b);
        if (!out) return binary_operand(division(mode), a, b);
        binary_out(division(mode), *out, a, b);
        return *out;
      },
      py::arg("input"), py::arg("other"), py::kw_only(), py::arg("rounding_mode") = py::none(),
      py::arg("out") = py::none(), "True division; rounded towards zero ('trunc') or down ('floor') on demand.");
  def_method(
      "div",
      [](const Tensor& a, const Operand& b, const Mode& mode) { return binary_operand(division(mode), Operand{a}, b); },
      py::arg("other"), py::kw_only(), py::arg("rounding_mode") = py::none());
  def_method(
      "div_",
      [](const Tensor& a, const Operand& b, const Mode& mode) {
        binary_inplace(division(mode), a, b);
        return a;
      },
      py::arg("other"), py::kw_only(), py::arg("rounding_mode") = py::none());
}

// Activations with parameters, under their names in torch.nn.functional; in place too, by argument and by name.

void bind_parametric(py::module_& m) {
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
  auto elu = [](const Tensor& x, double alpha, bool inplace) {
    return call(PointwiseOp::Elu, x, inplace, {{alpha, 0, 0}});
  };
  auto leaky_relu = [](const Tensor& x, double slope, bool inplace) {
    return call(PointwiseOp::LeakyRelu, x, inplace, {{slope, 0, 0}});
  };
  auto hardtanh = [](const Tensor& x, double low, double high, bool inplace) {
    WEFT_CHECK(low <= high, Value, "[hardtanh] expected min_val <= max_val, got ", low, " and ", high);
    return call(PointwiseOp::HardTanh, x, inplace, {{low, high, 0}});
  };
  m.def("elu", elu, py::arg("input"), py::arg("alpha") = 1.0, py::arg("inplace") = false,
        "x, or alpha (e^x - 1) below zero. https://arxiv.org/abs/1511.07289");
  m.def("leaky_relu", leaky_relu, py::arg("input"), py::arg("negative_slope") = 0.01, py::arg("inplace") = false,
        "x, or negative_slope x below zero.");
  m.def("hardtanh", hardtanh, py::arg("input"), py::arg("min_val") = -1.0, py::arg("max_val") = 1.0,
        py::arg("inplace") = false, "x kept within [min_val, max_val]; no gradient at the bounds and beyond.");
  m.def(
      "elu_", [elu](const Tensor& x, double alpha) { return elu(x, alpha, true); }, py::arg("input"),
      py::arg("alpha") = 1.0);
  m.def(
      "leaky_relu_", [leaky_relu](const Tensor& x, double slope) { return leaky_relu(x, slope, true); },
      py::arg("input"), py::arg("negative_slope") = 0.01);
  m.def(
      "hardtanh_", [hardtanh](const Tensor& x, double low, double high) { return hardtanh(x, low, high, true); },
      py::arg("input"), py::arg("min_val") = -1.0, py::arg("max_val") = 1.0);
}

Operand bound_or(const std::optional<Operand>& bound, const Tensor& x, bool low) {
  if (bound) return *bound;
  double inf = low ? -INFINITY : INFINITY;
  return Operand{{}, inf, low ? INT64_MIN : INT64_MAX, is_floating(x.dtype()) ? DType::Float32 : DType::Bool};
}

Tensor clamp(const Tensor& x, const std::optional<Operand>& low, const std::optional<Operand>& high, bool inplace) {
  WEFT_CHECK(low || high, Runtime, "[clamp] expected min, max or both, got neither");
  Operand a = bound_or(low, x, true), b = bound_or(high, x, false);
  if (a.is_number() && b.is_number() && is_floating(x.dtype()))
    return call(PointwiseOp::ClampNumbers, x, inplace, {{a.number, b.number, 0}});
  if (!inplace) return ternary(PointwiseOp::Clamp, Operand{x}, a, b);
  ternary_inplace(PointwiseOp::Clamp, x, a, b);
  return x;
}

void bind_clamp(py::module_& m) {
  using Bound = std::optional<Operand>;
  for (const char* name : {"clamp", "clip"}) {
    def_both(
        m, name, [](const Tensor& x, const Bound& min, const Bound& max) { return clamp(x, min, max, false); },
        py::arg("min") = py::none(), py::arg("max") = py::none(),
        "x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds.");
    def_both(
        m, (std::string(name) + "_").c_str(),
        [](const Tensor& x, const Bound& min, const Bound& max) { return clamp(x, min, max, true); },
        py::arg("min") = py::none(), py::arg("max") = py::none());
  }
  def_both(
      m, "clamp_min", [](const Tensor& x, const Operand& min) { return clamp(x, min, {}, false); }, py::arg("min"));
  def_both(
      m, "clamp_max", [](const Tensor& x, const Operand& max) { return clamp(x, {}, max, false); }, py::arg("max"));
  def_both(
      m, "clamp_min_", [](const Tensor& x, const Operand& min) { return clamp(x, min, {}, true); }, py::arg("min"));
  def_both(
      m, "clamp_max_", [](const Tensor& x, const Operand& max) { return clamp(x, {}, max, true); }, py::arg("max"));
}

void bind_ternary(py::module_& m) {
  m.def("where", &where_operand, py::arg("condition"), py::arg("input"), py::arg("other"),
        "input where the condition holds, else other; all three broadcast.");
  def_method(
      "where",
      [](const Tensor& x, const Tensor& condition, const Operand& other) {
        return where_operand(condition, Operand{x}, other);
      },
      py::arg("condition"), py::arg("other"));
  def_both(m, "masked_fill", &masked_fill, py::arg("mask"), py::arg("value"),
           "A copy with `value` where the mask holds.");
  def_method(
      "masked_fill_",
      [](const Tensor& x, const Tensor& mask, const Operand& value) {
        ternary_inplace(PointwiseOp::Where, x, Operand{mask}, value);
        return x;
      },
      py::arg("mask"), py::arg("value"));
  def_both(
      m, "lerp",
      [](const Tensor& x, const Tensor& end, const Operand& weight) {
        return ternary(PointwiseOp::Lerp, Operand{x}, Operand{end}, weight);
      },
      py::arg("end"), py::arg("weight"), "input + weight (end - input).");
  def_method(
      "lerp_",
      [](const Tensor& x, const Tensor& end, const Operand& weight) {
        ternary_inplace(PointwiseOp::Lerp, x, Operand{end}, weight);
        return x;
      },
      py::arg("end"), py::arg("weight"));
  struct Fused {
    PointwiseOp op;
    const char* name;
  };
  for (Fused f : {Fused{PointwiseOp::Addcmul, "addcmul"}, Fused{PointwiseOp::Addcdiv, "addcdiv"}}) {
    def_both(
        m, f.name,
        [op = f.op](const Tensor& x, const Tensor& a, const Tensor& b, double value) {
          return ternary(op, Operand{x}, Operand{a}, Operand{b}, {{value, 0, 0}});
        },
        py::arg("tensor1"), py::arg("tensor2"), py::kw_only(), py::arg("value") = 1.0,
        "input + value * tensor1 * tensor2 (addcdiv: / tensor2).");
    def_method((std::string(f.name) + "_").c_str(),
               [op = f.op](const Tensor& x, const Tensor& a, const Tensor& b, double value) {
                 ternary_inplace(op, x, Operand{a}, Operand{b}, {{value, 0, 0}});
                 return x;
               },
               py::arg("tensor1"), py::arg("tensor2"), py::kw_only(), py::arg("value") = 1.0);
  }
}

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  GradMode off(false);
  WEFT_CHECK(a.dtype() == b.dtype(), Runtime, "[isclose] expected tensors of one dtype, got ", name_of(a.dtype()),
             " and ", name_of(b.dtype()));
  Tensor x = is_floating(a.dtype()) ? a : to(a, DType::Float64), y = is_floating(b.dtype()) ? b : to(b, DType::Float64);
  Tensor finite = unary(PointwiseOp::IsFinite, sub(x, y));
  Tensor near = binary_operand(PointwiseOp::LogicalAnd, Operand{finite},
                               Operand{le(abs(sub(x, y)), add(mul(abs(y), rtol), atol))});
  Tensor result = binary_operand(PointwiseOp::LogicalOr, Operand{near}, Operand{eq(x, y)});
  if (!equal_nan) return result;
  Tensor both = binary_operand(PointwiseOp::LogicalAnd, Operand{ne(x, x)}, Operand{ne(y, y)});
  return binary_operand(PointwiseOp::LogicalOr, Operand{result}, Operand{both});
}

void bind_comparisons(py::module_& m) {
  def_both(
      m, "equal",
      [](const Tensor& a, const Tensor& b) {
        GradMode off(false);
        return a.shape() == b.shape() && !any_host(ne(a, b));
      },
      py::arg("other"), "True if both have one shape and equal elements.");
  def_both(m, "isclose", &isclose, py::arg("other"), py::arg("rtol") = 1e-5, py::arg("atol") = 1e-8,
           py::arg("equal_nan") = false, "Where |input - other| <= atol + rtol |other|.");
  def_both(
      m, "allclose",
      [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
        return !any_host(unary(PointwiseOp::LogicalNot, isclose(a, b, rtol, atol, equal_nan)));
      },
      py::arg("other"), py::arg("rtol") = 1e-5, py::arg("atol") = 1e-8, py::arg("equal_nan") = false,
      "True if isclose() holds everywhere.");
}

void alias(py::module_& m, const char* name, std::initializer_list<const char*> others) {
  py::object cls = py::reinterpret_borrow<py::object>(tensor_class());
  for (const char* other : others) {
    m.attr(other) = m.attr(name);
    cls.attr(other) = cls.attr(name);
  }
}

}  // namespace

void bind_pointwise(py::module_& m) {
#define OP(F, name, domain) bind_unary(m, PointwiseOp::F, #name, Domain::domain != Domain::Test);
  WEFT_UNARY_SMOOTH(OP)
  WEFT_UNARY_STEP(OP)
#undef OP
#define OP(F, name, domain)                                                          \
  if (PointwiseOp::F != PointwiseOp::Add && PointwiseOp::F != PointwiseOp::Sub &&    \
      PointwiseOp::F != PointwiseOp::Div && PointwiseOp::F != PointwiseOp::DivTrunc) \
    bind_binary(m, PointwiseOp::F, #name, true);
  WEFT_BINARY(OP)
#undef OP
  bind_sum(m, PointwiseOp::Add, "add");
  bind_sum(m, PointwiseOp::Sub, "sub");
  bind_division(m);
  def_both(m, "frac", [](const Tensor& x) { return sub(x, unary(PointwiseOp::Trunc, x)); }, "x - trunc(x)");
  bind_parametric(m);
  bind_clamp(m);
  bind_ternary(m);
  bind_comparisons(m);
  alias(m, "abs", {"absolute"});
  alias(m, "neg", {"negative"});
  alias(m, "sub", {"subtract"});
  alias(m, "mul", {"multiply"});
  alias(m, "div", {"divide", "true_divide"});
  alias(m, "ne", {"not_equal"});
  alias(m, "lt", {"less"});
  alias(m, "le", {"less_equal"});
  alias(m, "gt", {"greater"});
  alias(m, "ge", {"greater_equal"});
  alias(m, "trunc", {"fix"});
}

}  // namespace weft
