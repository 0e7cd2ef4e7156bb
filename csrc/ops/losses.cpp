// Losses that are formulas of other operations.
#include <cmath>

#include "ops/autocast.h"
#include "ops/cross_entropy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "tensor/python.h"

namespace weft {

namespace {

using Maybe = std::optional<Tensor>;

Tensor number(double value, const Tensor& like) { return Tensor::full({}, value, like.dtype(), like.device()); }
Tensor below(const Tensor& a, double b) { return lt(a, number(b, a)); }

// Broadcasts as PyTorch does; target and weight may be smaller, and dtypes are promoted.
void check(const char* op, const Tensor& x, const Tensor& target) {
  WEFT_CHECK(is_floating(x.dtype()) || is_floating(target.dtype()), Runtime, "[", op,
             "] expected floating input or target, got ", name_of(x.dtype()), " and ", name_of(target.dtype()));
  broadcast_shapes(op, x.shape(), target.shape());
}
// The same, where a target of another shape is more often a mistake than meant.
void check_distance(const char* op, const Tensor& x, const Tensor& target) {
  check(op, x, target);
  if (x.shape() != target.shape())
    warn(cat("[", op, "] the target's shape ", to_string(target.shape()), " differs from the input's ",
             to_string(x.shape()), ": they are broadcast, which is likely to give wrong results"));
}
// Where PyTorch does not broadcast either.
void check_same_shape(const char* op, const Tensor& x, const Tensor& target) {
  check(op, x, target);
  WEFT_CHECK(x.shape() == target.shape(), Value, "[", op, "] expected a target of the input's shape ",
             to_string(x.shape()), ", got ", to_string(target.shape()));
}

Tensor reduced(const char* op, const Tensor& loss, const std::string& reduction) {
  LossReduction r = parse_reduction(op, reduction);
  if (r == LossReduction::None) return loss;
  return r == LossReduction::Sum ? sum(loss) : mean(loss);
}
Tensor weighted(const Tensor& loss, const Maybe& weight) { return weight ? mul(loss, *weight) : loss; }

// The mean of weighted distances is divided by the sum of the weights; huber_loss's, as in PyTorch, is not.
Tensor weighted_mean(const char* op, const Tensor& loss, const Maybe& weight, const std::string& reduction) {
  if (!weight) return reduced(op, loss, reduction);
  WEFT_CHECK(weight->shape() == loss.shape(), Value, "[", op, "] expected a weight of shape ", to_string(loss.shape()),
             ", got ", to_string(weight->shape()));
  if (parse_reduction(op, reduction) != LossReduction::Mean) return reduced(op, mul(loss, *weight), reduction);
  return div(sum(mul(loss, *weight)), sum(*weight));
}

Tensor mse_loss(const Tensor& x, const Tensor& target, const std::string& reduction, const Maybe& weight) {
  check_distance("mse_loss", x, target);
  return weighted_mean("mse_loss", square(sub(x, target)), weight, reduction);
}

Tensor l1_loss(const Tensor& x, const Tensor& target, const std::string& reduction, const Maybe& weight) {
  check_distance("l1_loss", x, target);
  return weighted_mean("l1_loss", abs(sub(x, target)), weight, reduction);
}

Tensor smooth_l1_loss(const Tensor& x, const Tensor& target, const std::string& reduction, double beta) {
  check_distance("smooth_l1_loss", x, target);
  WEFT_CHECK(beta >= 0, Runtime, "[smooth_l1_loss] expected beta >= 0, got ", beta);
  if (beta == 0) return l1_loss(x, target, reduction, {});
  Tensor d = sub(x, target), size = abs(d);
  Tensor loss = where(below(size, beta), mul(square(d), 0.5 / beta), sub(size, number(0.5 * beta, size)));
  return reduced("smooth_l1_loss", loss, reduction);
}

Tensor huber_loss(const Tensor& x, const Tensor& target, const std::string& reduction, double delta,
                  const Maybe& weight) {
  check_distance("huber_loss", x, target);
  WEFT_CHECK(delta > 0, Value, "[huber_loss] expected delta > 0, got ", delta);
  Tensor d = sub(x, target), size = abs(d);
  Tensor linear = mul(sub(size, number(0.5 * delta, size)), delta);
  Tensor loss = where(le(size, number(delta, size)), mul(square(d), 0.5), linear);
  return reduced("huber_loss", weighted(loss, weight), reduction);
}

// The logarithms are kept above -100, as in PyTorch, so that loss and gradient stay finite at 0 and 1.
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Maybe& weight, const std::string& reduction) {
  check_same_shape("binary_cross_entropy", x, target);
  WEFT_CHECK(x.dtype() == target.dtype(), Runtime, "[binary_cross_entropy] expected a target of dtype ",
             name_of(x.dtype()), ", got ", name_of(target.dtype()));
  Tensor loss, slope;
  {
    GradMode off(false);
    Tensor outside = bitwise_not(ge(mul(x, rsub(x, 1)), number(0, x)));  // x (1 - x) < 0, or NaN
    at_each_run({outside}, [](const TensorList& t) {
      WEFT_CHECK(!any_host(t[0]), Runtime, "[binary_cross_entropy] expected an input between 0 and 1");
    });
    Tensor floor = number(-100, x), hit = maximum(log(x), floor), miss = maximum(log1p(neg(x)), floor);
    slope = sub(miss, hit);  // by the target
    loss = sub(mul(target, slope), miss);
  }
  if (needs_grad(x, target))
    record("binary_cross_entropy", {x, target}, {loss}, [=, x = Saved(x), target = Saved(target)](Backward& b) {
      Tensor p = x.get(b), dx;
      if (b.needs(0)) {
        Tensor spread = maximum(mul(p, rsub(p, 1)), number(1e-12, p));
        dx = mul(b.dy(), div(sub(p, target.get(b)), spread));
      }
      Tensor by_target = slope;
      if (grad_enabled() && b.needs(1)) {  // it depends on x
        Tensor floor = number(-100, p);
        by_target = sub(maximum(log1p(neg(p)), floor), maximum(log(p), floor));
      }
      return b.grads(dx, b.needs(1) ? mul(b.dy(), by_target) : Tensor());
    });
  return reduced("binary_cross_entropy", weighted(loss, weight), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const Maybe& weight,
                                        const std::string& reduction, const Maybe& pos_weight) {
  check_same_shape("binary_cross_entropy_with_logits", x, target);
  Tensor positive = neg(unary(PointwiseOp::LogSigmoid, x));
  if (pos_weight) {
    Tensor one = number(1, x);
    positive = mul(positive, add(mul(sub(*pos_weight, one), target), one));
  }
  Tensor loss = add(mul(rsub(target, 1), x), positive);
  return reduced("binary_cross_entropy_with_logits", weighted(loss, weight), reduction);
}

Tensor kl_div(const Tensor& x, const Tensor& target, const std::string& reduction, bool log_target) {
  check("kl_div", x, target);
  Tensor loss;
  if (log_target) {
    loss = mul(exp(target), sub(target, x));
  } else {  // target log target is 0 at 0
    Tensor zero = number(0, target), one = number(1, target), empty = eq(target, zero);
    Tensor entropy = where(empty, zero, mul(target, log(where(empty, one, target))));
    loss = sub(entropy, mul(target, x));
  }
  if (reduction != "batchmean") return reduced("kl_div", loss, reduction);
  return div(sum(loss), x.dim() ? (double)x.shape()[0] : 1.0);
}

}  // namespace

void bind_losses(py::module_& m) {
  using MaybeBool = std::optional<bool>;
  py::arg_v reduction("reduction", "mean"), weight("weight", py::none());
  py::arg_v size_average("size_average", py::none()), reduce("reduce", py::none());
  py::arg input("input"), target("target");
  auto def = [&](const char* name, auto f, const auto&... extra) {
    m.def(name, autocasting<Autocast::Float32>(f), extra...);
  };
  def(
      "mse_loss",
      [](const Tensor& x, const Tensor& y, MaybeBool average, MaybeBool reduce, const std::string& r, const Maybe& w) {
        return mse_loss(x, y, named_reduction(r, average, reduce), w);
      },
      input, target, size_average, reduce, reduction, weight,
      "(input - target)^2, reduced by 'mean', 'sum' or 'none'; shapes broadcast. The mean is weighted by `weight`.");
  def(
      "l1_loss",
      [](const Tensor& x, const Tensor& y, MaybeBool average, MaybeBool reduce, const std::string& r, const Maybe& w) {
        return l1_loss(x, y, named_reduction(r, average, reduce), w);
      },
      input, target, size_average, reduce, reduction, weight,
      "|input - target|, reduced by 'mean', 'sum' or 'none'; shapes broadcast. The mean is weighted by `weight`.");
  def(
      "smooth_l1_loss",
      [](const Tensor& x, const Tensor& y, MaybeBool average, MaybeBool reduce, const std::string& r, double beta) {
        return smooth_l1_loss(x, y, named_reduction(r, average, reduce), beta);
      },
      input, target, size_average, reduce, reduction, py::arg("beta") = 1.0,
      "d^2 / (2 beta) where |d| < beta and |d| - beta / 2 elsewhere, d = input - target.");
  def("huber_loss", &huber_loss, input, target, reduction, py::arg("delta") = 1.0, weight,
      "d^2 / 2 where |d| <= delta and delta (|d| - delta / 2) elsewhere, d = input - target.");
  def(
      "binary_cross_entropy",
      [](const Tensor& x, const Tensor& y, const Maybe& w, MaybeBool average, MaybeBool reduce, const std::string& r) {
        return binary_cross_entropy(x, y, w, named_reduction(r, average, reduce));
      },
      input, target, weight, size_average, reduce, reduction,
      "-(target log(input) + (1 - target) log(1 - input)); the logarithms stop at -100. RuntimeError for an input\n"
      "outside [0, 1].");
  def(
      "binary_cross_entropy_with_logits",
      [](const Tensor& x, const Tensor& y, const Maybe& w, MaybeBool average, MaybeBool reduce, const std::string& r,
         const Maybe& positive) {
        return binary_cross_entropy_with_logits(x, y, w, named_reduction(r, average, reduce), positive);
      },
      input, target, weight, size_average, reduce, reduction, py::arg("pos_weight") = py::none(),
      "binary_cross_entropy(sigmoid(input), target) computed without overflow; pos_weight multiplies the positive "
      "part.");
  def(
      "kl_div",
      [](const Tensor& x, const Tensor& y, MaybeBool average, MaybeBool reduce, const std::string& r, bool log_target) {
        return kl_div(x, y, named_reduction(r, average, reduce), log_target);
      },
      input, target, size_average, reduce, reduction, py::arg("log_target") = false,
      "target (log(target) - input), input being log-probabilities; 'batchmean' is the divergence per item.");
}

}  // namespace weft
