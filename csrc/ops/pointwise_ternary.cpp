// Functions of three operands: where, lerp, addcmul, addcdiv, clamp.
#include <cmath>

#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/pointwise_expr.h"
#include "ops/pointwise_tape.h"
#include "ops/view.h"
#include "tensor/python.h"

namespace weft {

namespace {

using composed::Expr;
using composed::vselect;

// The gradient of operand `k` before broadcasting is undone.
Expr ternary_grad(PointwiseOp op, int k, const Expr& dy, const Expr& a, const Expr& b, const Expr& c, const Params& p) {
  const Expr zero(0.0), one(1.0), value(p[0]);
  switch (op) {
    case PointwiseOp::Where: return k == 1 ? vselect(a, dy, zero) : vselect(a, zero, dy);
    case PointwiseOp::Lerp: return k == 0 ? dy * (one - c) : k == 1 ? dy * c : dy * (b - a);
    case PointwiseOp::Addcmul: return k == 0 ? dy : k == 1 ? dy * value * c : dy * value * b;
    case PointwiseOp::Addcdiv: return k == 0 ? dy : k == 1 ? dy * value / c : -(dy * value * b / (c * c));
    default:  // Clamp(x, low, high); where low > high, high counts
      if (k == 0) return vselect((a >= b) & (a <= c), dy, zero);
      if (k == 1) return vselect((a < b) & (b < c), dy, zero);
      return composed::apply(PointwiseOp::Mul, dy, composed::apply(PointwiseOp::LogicalOr, a > c, b > c));
  }
}

// Whether the gradient of operand k reads operand j.
bool reads(PointwiseOp op, int k, int j) {
  switch (op) {
    case PointwiseOp::Where: return j == 0;
    case PointwiseOp::Lerp: return (k == 2) != (j == 2);
    case PointwiseOp::Addcmul: return k + j == 3 && k > 0 && j > 0;
    case PointwiseOp::Addcdiv: return k > 0 && (j == 2 || (k == 2 && j == 1));
    default: return true;
  }
}
struct TernaryNeeds {
  bool operand[3] = {};
};
TernaryNeeds needs_of(PointwiseOp op, const Operand (&v)[3]) {
  TernaryNeeds n;
  for (int k = 0; k < 3; ++k)
    for (int j = 0; j < 3; ++j) n.operand[j] |= takes_gradient(v[k]) && reads(op, k, j);
  return n;
}

struct TernaryBackward {
  PointwiseOp op;
  Params params;
  Origin origin[3];
  Kept kept[3];
  TensorList operator()(Backward& ctx) const {
    Expr v[3];
    for (int k = 0; k < 3; ++k) v[k] = kept[k].get(ctx);
    TensorList grads(3);
    for (int k = 0; k < 3; ++k)
      if (ctx.needs(k)) grads[k] = origin[k].back(ternary_grad(op, k, ctx.dy(), v[0], v[1], v[2], params).tensor);
    return grads;
  }
};

Typing ternary_typing(PointwiseOp op, const Arg* args) {
  if (op != PointwiseOp::Where) return typing_of(op, result_type(args, 3));
  WEFT_CHECK(args[0].tensor && (args[0].tensor->dtype() == DType::Bool || args[0].tensor->dtype() == DType::UInt8),
             Runtime, "[where] expected a condition of dtype bool, got ",
             args[0].tensor ? name_of(args[0].tensor->dtype()) : "a number");
  return typing_of(op, result_type(args + 1, 2));
}

// A value that is to stand in x, in its dtype.
Operand fill_value(const Tensor& x, const Operand& value) {
  WEFT_CHECK(value.is_number() || value.tensor.dim() == 0, Runtime,
             "[masked_fill] expected a number or a 0-dimensional tensor as value, got shape ",
             to_string(value.tensor.shape()));
  Operand fitted = value;
  if (!value.is_number()) {
    fitted.tensor = to(value.tensor, x.dtype());
  } else if (!is_floating(x.dtype())) {
    WEFT_CHECK(std::abs(value.number) <= 0x1p63, Runtime, "[masked_fill] ", value.number, " does not fit ",
               name_of(x.dtype()));
    if (value.category == DType::Float32) fitted.integer = (int64_t)value.number;
    if (x.dtype() == DType::Bool) fitted.integer = value.number != 0;
    fitted.category = x.dtype() == DType::Bool ? DType::Bool : DType::Int64;
  }
  return fitted;
}

}  // namespace

Tensor ternary(PointwiseOp op, const Operand& a, const Operand& b, const Operand& c, Params params) {
  const Arg args[] = {a, b, c};
  Tensor y = pointwise(op, args, 3, ternary_typing(op, args), params);
  if (!is_floating(y.dtype()) || (!takes_gradient(a) && !takes_gradient(b) && !takes_gradient(c))) return y;
  const Operand v[] = {a, b, c};
  TernaryNeeds needs = needs_of(op, v);
  record(name_of(op), {a.tensor, b.tensor, c.tensor}, {y},
         TernaryBackward{op,
                         params,
                         {Origin(a), Origin(b), Origin(c)},
                         {Kept(a, needs.operand[0]), Kept(b, needs.operand[1]), Kept(c, needs.operand[2])}});
  return y;
}

void ternary_inplace(PointwiseOp op, const Tensor& x, const Operand& b, const Operand& c, Params params) {
  InPlace change(name_of(op), x);
  // Of where(mask, value, x) it is the last operand that changes, of all others the first.
  bool last = op == PointwiseOp::Where;
  Operand v[3] = {as_operand(x), b, c};
  if (last) v[0] = b, v[1] = c, v[2] = as_operand(x);
  const Arg args[] = {v[0], v[1], v[2]};
  Typing typing = ternary_typing(op, args);
  check_castable(op, typing.result, x.dtype());
  bool records = is_floating(x.dtype()) && (takes_gradient(v[0]) || takes_gradient(v[1]) || takes_gradient(v[2]));
  Operand before[3] = {v[0], v[1], v[2]};
  TernaryNeeds needs = needs_of(op, v);
  for (int k = 0; k < 3; ++k)
    if (records && needs.operand[k] && !v[k].is_number() && v[k].tensor.get()->storage.get() == x.get()->storage.get())
      before[k].tensor = clone(v[k].tensor);
  pointwise_into(op, x, args, 3, typing.computed, params);
  change.done();
  if (!records) return;
  // x comes first on the tape, as in every change in place.
  TernaryBackward backward{
      op,
      params,
      {Origin(before[0]), Origin(before[1]), Origin(before[2])},
      {Kept(before[0], needs.operand[0]), Kept(before[1], needs.operand[1]), Kept(before[2], needs.operand[2])}};
  if (!last) {
    record_inplace(name_of(op), x, {x, b.tensor, c.tensor}, std::move(backward));
    return;
  }
  record_inplace(name_of(op), x, {x, c.tensor}, [backward = std::move(backward)](Backward& ctx) {
    const Expr mask = backward.kept[0].get(ctx), dy = ctx.dy(), zero(0.0);
    Tensor dx = ctx.needs(0) ? vselect(mask, zero, dy).tensor : Tensor();
    Tensor dvalue = ctx.needs(1) ? backward.origin[1].back(vselect(mask, dy, zero).tensor) : Tensor();
    return ctx.grads(std::move(dx), std::move(dvalue));
  });
}

Tensor where_operand(const Tensor& condition, const Operand& a, const Operand& b) {
  return ternary(PointwiseOp::Where, as_operand(condition), a, b);
}
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return where_operand(condition, as_operand(a), as_operand(b));
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Operand& value) {
  return where_operand(mask, fill_value(x, value), as_operand(x));
}
void masked_fill_inplace(const Tensor& x, const Tensor& mask, const Operand& value) {
  ternary_inplace(PointwiseOp::Where, x, as_operand(mask), fill_value(x, value));
}

using Out = std::optional<Tensor>;

Tensor ternary_maybe_out(PointwiseOp op, const Operand& a, const Operand& b, const Operand& c, const Params& params,
                         const Out& out) {
  if (!out) return ternary(op, a, b, c, params);
  check_out(op, {&*out, &a.tensor, &b.tensor, &c.tensor});
  const Arg args[] = {a, b, c};
  Typing typing = ternary_typing(op, args);
  check_castable(op, typing.result, out->dtype());
  pointwise_into(op, *out, args, 3, typing.computed, params);
  out->bump_version();
  return *out;
}

void bind_pointwise_ternary(py::module_& m) {
  m.def(
      "where",
      [](const Tensor& condition, const Operand& x, const Operand& other, const Out& out) {
        return ternary_maybe_out(PointwiseOp::Where, Operand{condition}, x, other, {}, out);
      },
      py::arg("condition"), py::arg("input"), py::arg("other"), py::kw_only(), py::arg("out") = py::none(),
      "input where the condition holds, else other; all three broadcast.");
  m.def(
      "where",
      [](const Tensor& condition) {
        Tensor at = nonzero(condition.dim() ? condition : reshape(condition, {1}));
        py::tuple indices(at.size(1));
        for (int64_t d = 0; d < at.size(1); ++d) indices[d] = py::cast(select(at, 1, d));
        return indices;
      },
      py::arg("condition"), "The indices of what is not zero, a tensor for each dimension.");
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
        masked_fill_inplace(x, mask, value);
        return x;
      },
      py::arg("mask"), py::arg("value"));
  m.def(
      "lerp",
      [](const Tensor& x, const Tensor& end, const Operand& weight, const Out& out) {
        return ternary_maybe_out(PointwiseOp::Lerp, Operand{x}, Operand{end}, weight, {}, out);
      },
      py::arg("input"), py::arg("end"), py::arg("weight"), py::kw_only(), py::arg("out") = py::none(),
      "input + weight (end - input).");
  def_method(
      "lerp",
      [](const Tensor& x, const Tensor& end, const Operand& weight) {
        return ternary(PointwiseOp::Lerp, Operand{x}, Operand{end}, weight);
      },
      py::arg("end"), py::arg("weight"));
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
    m.def(
        f.name,
        [op = f.op](const Tensor& x, const Tensor& a, const Tensor& b, double value, const Out& out) {
          return ternary_maybe_out(op, Operand{x}, Operand{a}, Operand{b}, {{value, 0, 0}}, out);
        },
        py::arg("input"), py::arg("tensor1"), py::arg("tensor2"), py::kw_only(), py::arg("value") = 1.0,
        py::arg("out") = py::none(), "input + value * tensor1 * tensor2 (addcdiv: / tensor2).");
    def_method(
        f.name,
        [op = f.op](const Tensor& x, const Tensor& a, const Tensor& b, double value) {
          return ternary(op, Operand{x}, Operand{a}, Operand{b}, {{value, 0, 0}});
        },
        py::arg("tensor1"), py::arg("tensor2"), py::kw_only(), py::arg("value") = 1.0);
    def_method((std::string(f.name) + "_").c_str(),
               [op = f.op](const Tensor& x, const Tensor& a, const Tensor& b, double value) {
                 ternary_inplace(op, x, Operand{a}, Operand{b}, {{value, 0, 0}});
                 return x;
               },
               py::arg("tensor1"), py::arg("tensor2"), py::kw_only(), py::arg("value") = 1.0);
  }
}

}  // namespace weft
