// Variance, standard deviation and vector norms over any axes.
#include <cmath>

#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

void check_floating(const char* op, const Tensor& x) {
  WEFT_CHECK(is_floating(x.dtype()), Runtime, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
}

DType wide_of(const Tensor& x) { return is_half(x.dtype()) ? DType::Float32 : x.dtype(); }

// Two passes: the mean, then the squares of the distances to it.
Tensor var_raw(const char* op, const Tensor& x, const Reduction& r, double divisor, DType dtype) {
  Reduction kept = r;
  kept.shape = r.kept_shape;
  Tensor center = reduce_raw(op, ReduceOp::Sum, x, kept, wide_of(x), 1.0 / (double)r.count);
  return reduce_raw(op, ReduceOp::CenteredSquareSum, x, r, dtype, 1.0 / divisor, center);
}

Dims axes_of(const Reduction& r, int n) {
  Dims axes;
  for (int d = 0; d < n; ++d)
    if (r.reduced[d]) axes.push_back(d);
  return axes;
}

Tensor var_gradient(const Tensor& dy, const Tensor& x, const Reduction& r, double divisor) {
  Tensor centered = sub(x, x.dim() ? mean(x, axes_of(r, x.dim()), true) : x);
  return mul(spread(mul(dy, 2.0 / divisor), r, x.shape()), centered);
}

Tensor zero_where(const Tensor& condition, const Tensor& x) {
  return where(condition, Tensor::zeros({}, x.dtype(), x.device()), x);
}
Tensor is_zero(const Tensor& x) { return eq(x, Tensor::zeros({}, x.dtype(), x.device())); }

double divisor_of(const Reduction& r, double correction) { return std::max(0.0, (double)r.count - correction); }

Tensor standard_deviation(const Tensor& x, const Dims& axes, double correction, bool keepdim) {
  check_floating("std", x);
  Reduction r = reduction_of("std", x, axes, keepdim);
  double divisor = divisor_of(r, correction);
  Tensor y;
  {
    GradMode off(false);
    y = to(sqrt(var_raw("std", x, r, divisor, wide_of(x))), x.dtype());
  }
  if (needs_grad(x))
    record("std", {x}, {y}, [r, divisor, x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor s = y.get(b);
      Tensor dvar = zero_where(is_zero(s), div(b.dy(), mul(s, 2)));  // 0 where nothing varies, as in PyTorch
      return b.grads(var_gradient(dvar, x.get(b), r, divisor));
    });
  return y;
}

Tensor norm1(const Tensor& x, const Reduction& r) {
  Tensor y = reduce_raw("norm", ReduceOp::AbsSum, x, r, x.dtype());
  if (needs_grad(x))
    record("norm", {x}, {y}, [r, x = Saved(x)](Backward& b) {
      Tensor v = x.get(b);
      return b.grads(mul(sign(v), spread(b.dy(), r, v.shape())));
    });
  return y;
}

Tensor norm2(const Tensor& x, const Reduction& r) {
  Tensor y;
  {
    GradMode off(false);
    y = to(sqrt(reduce_raw("norm", ReduceOp::SquareSum, x, r, wide_of(x))), x.dtype());
  }
  if (needs_grad(x))
    record("norm", {x}, {y}, [r, x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor v = x.get(b), n = y.get(b);
      return b.grads(mul(v, spread(zero_where(is_zero(n), div(b.dy(), n)), r, v.shape())));
    });
  return y;
}

Tensor norm0(const Tensor& x, const Reduction& r) {
  Tensor y = to(reduce_raw("norm", ReduceOp::CountNonzero, x, r, DType::Int64), x.dtype());
  if (needs_grad(x))
    record("norm", {x}, {y}, [](Backward& b) { return b.grads(Tensor()); });  // flat wherever it has a slope
  return y;
}

// In float64, where powers of float32 cannot overflow. The gradient is 0 where x is, and where the norm is.
Tensor norm_p(const Tensor& x, double p, const Reduction& r) {
  Tensor y;
  {
    GradMode off(false);
    Tensor powers = pow(abs(to(x, DType::Float64)), p);
    y = to(pow(reduce_raw("norm", ReduceOp::Sum, powers, r, powers.dtype()), 1 / p), x.dtype());
  }
  if (needs_grad(x))
    record("norm", {x}, {y}, [p, r, x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor v = x.get(b), n = y.get(b);
      Tensor part = pow(abs(div(v, spread(n, r, v.shape()))), p - 1);
      return b.grads(mul(mul(sign(v), zero_where(is_zero(v), part)), spread(b.dy(), r, v.shape())));
    });
  return y;
}

Tensor norm(const Tensor& x, double p, const Dims& axes, bool keepdim) {
  check_floating("norm", x);
  Reduction r = reduction_of("norm", x, axes, keepdim);
  if (p == 2) return norm2(x, r);
  if (p == 1) return norm1(x, r);
  if (p == 0) return norm0(x, r);
  if (std::isinf(p)) return p > 0 ? amax(abs(x), axes, keepdim) : amin(abs(x), axes, keepdim);
  return norm_p(x, p, r);
}

double order_of(const py::object& p) {
  if (p.is_none()) return 2;
  if (py::isinstance<py::str>(p)) {
    WEFT_CHECK(p.cast<std::string>() == "fro", Value, "[norm] expected a number or 'fro', got '", p.cast<std::string>(),
               "'");
    return 2;
  }
  return p.cast<double>();
}

double correction_of(std::optional<bool> unbiased, std::optional<double> correction) {
  if (correction) return *correction;
  return unbiased && !*unbiased ? 0 : 1;
}

}  // namespace

Tensor var(const Tensor& x, const Dims& axes, double correction, bool keepdim) {
  check_floating("var", x);
  Reduction r = reduction_of("var", x, axes, keepdim);
  double divisor = divisor_of(r, correction);
  Tensor y = var_raw("var", x, r, divisor, x.dtype());
  if (needs_grad(x))
    record("var", {x}, {y},
           [r, divisor, x = Saved(x)](Backward& b) { return b.grads(var_gradient(b.dy(), x.get(b), r, divisor)); });
  return y;
}

void bind_variance(py::module_& m) {
  using Axes = std::optional<Dims>;
  py::arg_v dim("dim", py::none()), keepdim("keepdim", false), correction("correction", py::none());
  py::arg_v unbiased("unbiased", py::none());

  // x.var(False) as well as x.var(dim, unbiased, keepdim) and x.var(dim, correction=…)
  auto bind_spread = [&](const char* name, auto f, const char* doc) {
    def_both(
        m, name, [=](const Tensor& x, bool unbiased) { return f(x, Dims(), unbiased ? 1 : 0, false); },
        py::arg("unbiased").noconvert(), doc);
    def_both(
        m, name,
        [=](const Tensor& x, const Axes& dim, std::optional<bool> unbiased, bool keepdim,
            std::optional<double> correction) {
          return f(x, dim.value_or(Dims()), correction_of(unbiased, correction), keepdim);
        },
        dim, unbiased, keepdim, py::kw_only(), correction, doc);
  };
  bind_spread("var", &var,
              "Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased).");
  bind_spread("std", &standard_deviation, "Standard deviation over `dim`; see var. Its gradient is 0 where it is 0.");
  bind_spread(
      "var_mean",
      [](const Tensor& x, const Dims& axes, double correction, bool keepdim) {
        return py::make_tuple(var(x, axes, correction, keepdim), mean(x, axes, keepdim));
      },
      "(var(x, …), mean(x, …))");
  bind_spread(
      "std_mean",
      [](const Tensor& x, const Dims& axes, double correction, bool keepdim) {
        return py::make_tuple(standard_deviation(x, axes, correction, keepdim), mean(x, axes, keepdim));
      },
      "(std(x, …), mean(x, …))");
  def_both(
      m, "norm",
      [](const Tensor& x, const py::object& p, const Axes& dim, bool keepdim, std::optional<DType> dtype) {
        return norm(dtype ? to(x, *dtype) : x, order_of(p), dim.value_or(Dims()), keepdim);
      },
      py::arg("p") = "fro", dim, keepdim, py::arg("dtype") = py::none(),
      "Vector norm of order p over `dim` (all by default): sum(|x|^p)^(1/p); 'fro' is 2, inf the largest, 0 counts.");
  def_out_and_axis(m, {"var", "std", "var_mean", "std_mean", "norm"});
}

}  // namespace weft
