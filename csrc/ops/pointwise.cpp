// Bindings of the pointwise family. Functions of the lists in kernels/pointwise.h are bound by their line there.
#include "ops/pointwise.h"

#include <cfloat>
#include <cmath>

#include "ops/copy.h"
#include "ops/pointwise_launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

using Out = std::optional<Tensor>;

Tensor call(PointwiseOp op, const Tensor& x, bool inplace, const Out& out = {}, const Params& params = {}) {
  if (!out) return unary_maybe_inplace(op, x, inplace, params);
  unary_out(op, *out, x, params);
  return *out;
}

void bind_unary(py::module_& m, PointwiseOp op, const char* name, bool has_inplace) {
  auto function = [op](const Tensor& x, bool inplace, const Out& out) { return call(op, x, inplace, out); };
  m.def(name, function, py::arg("input"), py::arg("inplace") = false, py::kw_only(), py::arg("out") = py::none());
  def_method(name, [op](const Tensor& x) { return unary(op, x); });
  if (!has_inplace) return;
  std::string in_place = std::string(name) + "_";
  auto change = [op](const Tensor& x) { return unary_maybe_inplace(op, x, true); };
  m.def(in_place.c_str(), change, py::arg("input"));
  def_method(in_place.c_str(), change);
}

void need_tensor(const char* name, const Operand& a, const Operand& b) {
  WEFT_CHECK(!a.is_number() || !b.is_number(), Type, "[", name, "] expected a tensor, got two numbers");
}

// Which operands may be Python numbers.
enum class Numbers { None, Second, Either };
Numbers numbers_of(PointwiseOp op) {
  switch (op) {
    case PointwiseOp::Maximum:
    case PointwiseOp::Minimum:
    case PointwiseOp::Fmax:
    case PointwiseOp::Fmin:
    case PointwiseOp::Atan2:
    case PointwiseOp::Hypot:
    case PointwiseOp::Gcd:
    case PointwiseOp::LogAddExp:
    case PointwiseOp::LogAddExp2:
    case PointwiseOp::LogicalAnd:
    case PointwiseOp::LogicalOr:
    case PointwiseOp::LogicalXor: return Numbers::None;
    case PointwiseOp::Fmod:
    case PointwiseOp::CopySign: return Numbers::Second;
    default: return domain_of(op) == Domain::Test ? Numbers::Second : Numbers::Either;
  }
}
void check_other(PointwiseOp op, const Operand& b) {
  WEFT_CHECK(!b.is_number() || numbers_of(op) != Numbers::None, Type, "[", name_of(op),
             "] expected a tensor as other, got a number");
}
void check_input(PointwiseOp op, const Operand& a) {
  WEFT_CHECK(!a.is_number() || numbers_of(op) == Numbers::Either, Type, "[", name_of(op),
             "] expected a tensor as input, got a number");
}

void bind_binary(py::module_& m, PointwiseOp op, const char* name) {
  auto function = [op](const Operand& a, const Operand& b, const Out& out) {
    check_input(op, a);
    check_other(op, b);
    need_tensor(name_of(op), a, b);
    if (!out) return binary_operand(op, a, b);
    binary_out(op, *out, a, b);
    return *out;
  };
  m.def(name, function, py::arg("input"), py::arg("other"), py::kw_only(), py::arg("out") = py::none());
  def_method(
      name,
      [op](const Tensor& a, const Operand& b) {
        check_other(op, b);
        return binary_operand(op, Operand{a}, b);
      },
      py::arg("other"));
  def_method((std::string(name) + "_").c_str(),
             [op](const Tensor& a, const Operand& b) {
               check_other(op, b);
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

// Functions of one operand with parameters.

void bind_round(py::module_& m) {
  static auto round = [](const Tensor& x, int decimals, bool inplace, const Out& out) {
    WEFT_CHECK(decimals == 0 || is_floating(x.dtype()), NotImplemented, "[round] decimals of integers");
    PointwiseOp op = decimals == 0 ? PointwiseOp::Round : PointwiseOp::RoundDecimals;
    return call(op, x, inplace, out, {{std::pow(10.0, std::abs(decimals)), decimals < 0 ? 1.0 : 0.0, 0}});
  };
  m.def(
      "round", [](const Tensor& x, int decimals, const Out& out) { return round(x, decimals, false, out); },
      py::arg("input"), py::kw_only(), py::arg("decimals") = 0, py::arg("out") = py::none(),
      "To the nearest number of so many decimals (negative: tens, hundreds ...); halves to the even one.");
  def_method(
      "round", [](const Tensor& x, int decimals) { return round(x, decimals, false, {}); }, py::kw_only(),
      py::arg("decimals") = 0);
  def_both(
      m, "round_", [](const Tensor& x, int decimals) { return round(x, decimals, true, {}); }, py::kw_only(),
      py::arg("decimals") = 0);
}

using Number = std::optional<double>;

void bind_logit(py::module_& m) {
  static auto logit = [](const Tensor& x, const Number& eps, bool inplace, const Out& out = {}) {
    return call(PointwiseOp::Logit, x, inplace, out, {{eps.value_or(-1), 0, 0}});
  };
  m.def(
      "logit", [](const Tensor& x, const Number& eps, const Out& out) { return logit(x, eps, false, out); },
      py::arg("input"), py::arg("eps") = py::none(), py::kw_only(), py::arg("out") = py::none(),
      "log(x / (1 - x)), of x kept within [eps, 1 - eps] if that is given.");
  def_method(
      "logit", [](const Tensor& x, const Number& eps) { return logit(x, eps, false); }, py::arg("eps") = py::none());
  def_both(
      m, "logit_", [](const Tensor& x, const Number& eps) { return logit(x, eps, true); }, py::arg("eps") = py::none());
}

double largest(DType t) {
  switch (t) {
    case DType::Float16: return 65504;
    case DType::BFloat16: return 0x1.fep127;
    case DType::Float32: return FLT_MAX;
    default: return DBL_MAX;
  }
}

void bind_nan_to_num(py::module_& m) {
  static auto replace = [](const Tensor& x, const Number& nan, const Number& posinf, const Number& neginf, bool inplace,
                           const Out& out = {}) {
    if (!is_floating(x.dtype())) {  // nothing to replace
      if (out) copy_into(*out, x);
      return out ? *out : inplace ? x : clone(x);
    }
    double most = largest(x.dtype());
    return call(PointwiseOp::NanToNum, x, inplace, out,
                {{nan.value_or(0), posinf.value_or(most), neginf.value_or(-most)}});
  };
  m.def(
      "nan_to_num",
      [](const Tensor& x, const Number& nan, const Number& posinf, const Number& neginf, const Out& out) {
        return replace(x, nan, posinf, neginf, false, out);
      },
      py::arg("input"), py::arg("nan") = py::none(), py::arg("posinf") = py::none(), py::arg("neginf") = py::none(),
      py::kw_only(), py::arg("out") = py::none(),
      "Numbers for NaN (0) and the infinities (the largest and lowest of the dtype).");
  def_method(
      "nan_to_num",
      [](const Tensor& x, const Number& nan, const Number& posinf, const Number& neginf) {
        return replace(x, nan, posinf, neginf, false);
      },
      py::arg("nan") = py::none(), py::arg("posinf") = py::none(), py::arg("neginf") = py::none());
  def_both(
      m, "nan_to_num_",
      [](const Tensor& x, const Number& nan, const Number& posinf, const Number& neginf) {
        return replace(x, nan, posinf, neginf, true);
      },
      py::arg("nan") = py::none(), py::arg("posinf") = py::none(), py::arg("neginf") = py::none());
}

void bind_frac(py::module_& m) {
  m.def(
      "frac",
      [](const Tensor& x, const Out& out) {
        Tensor whole = unary(PointwiseOp::Trunc, x);
        if (!out) return sub(x, whole);
        binary_out(PointwiseOp::Sub, *out, Operand{x}, Operand{whole});
        return *out;
      },
      py::arg("input"), py::kw_only(), py::arg("out") = py::none(), "x - trunc(x)");
  def_method("frac", [](const Tensor& x) { return sub(x, unary(PointwiseOp::Trunc, x)); });
  def_both(m, "frac_", [](const Tensor& x) {
    binary_inplace(PointwiseOp::Sub, x, Operand{unary(PointwiseOp::Trunc, x)});
    return x;
  });
}

// Other names of a function, its method and their twins in place.
void alias(py::module_& m, const std::string& name, std::initializer_list<const char*> others) {
  for (py::object home : {py::object(m), py::reinterpret_borrow<py::object>(tensor_class())})
    for (const char* other : others)
      for (const char* twin : {"", "_"})  // from the dictionary: an attribute of the class has lost its binding
        if (py::hasattr(home, (name + twin).c_str()))
          py::setattr(home, (other + std::string(twin)).c_str(), home.attr("__dict__")[(name + twin).c_str()]);
}

void bind_aliases(py::module_& m) {
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
  alias(m, "sign", {"sgn"});
  alias(m, "asin", {"arcsin"});
  alias(m, "acos", {"arccos"});
  alias(m, "atan", {"arctan"});
  alias(m, "atan2", {"arctan2"});
  alias(m, "asinh", {"arcsinh"});
  alias(m, "acosh", {"arccosh"});
  alias(m, "atanh", {"arctanh"});
}

}  // namespace

void bind_pointwise(py::module_& m) {
#define OP(F, name, domain)                 \
  if (PointwiseOp::F != PointwiseOp::Round) \
    bind_unary(m, PointwiseOp::F, #name, Domain::domain != Domain::Test || PointwiseOp::F == PointwiseOp::LogicalNot);
  WEFT_UNARY_SMOOTH(OP)
  WEFT_UNARY_STEP(OP)
#undef OP
#define OP(F, name, domain)                                                            \
  if (PointwiseOp::F != PointwiseOp::Add && PointwiseOp::F != PointwiseOp::Sub &&      \
      PointwiseOp::F != PointwiseOp::Div && PointwiseOp::F != PointwiseOp::DivTrunc && \
      PointwiseOp::F != PointwiseOp::Prelu)                                            \
    bind_binary(m, PointwiseOp::F, #name);
  WEFT_BINARY(OP)
#undef OP
  bind_sum(m, PointwiseOp::Add, "add");
  bind_sum(m, PointwiseOp::Sub, "sub");
  m.def(
      "rsub",
      [](const Tensor& a, const Operand& b, double alpha) {
        return binary_operand(PointwiseOp::Sub, b, Operand{a}, alpha);
      },
      py::arg("input"), py::arg("other"), py::kw_only(), py::arg("alpha") = 1.0, "other minus alpha * input.");
  bind_division(m);
  def_both(m, "positive", [](const Tensor& x) { return positive(x); }, "input itself, unless it is of bools.");
  bind_round(m);
  bind_logit(m);
  bind_nan_to_num(m);
  bind_frac(m);
  bind_aliases(m);
}

}  // namespace weft
