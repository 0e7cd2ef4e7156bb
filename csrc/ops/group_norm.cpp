#include "kernels/group_norm.h"

#include "ops/copy.h"
#include "ops/layout.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "ops/wide.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

constexpr double kGroupNormWork = 8;  // operations per element, roughly

GroupNormShape shape_of(const Tensor& x, int64_t groups) {
  GroupNormShape s{x.shape()[0], x.shape()[1], 1, groups, is_channels_last(x), x.dtype()};
  for (int d = 2; d < x.dim(); ++d) s.length *= x.shape()[d];
  return s;
}
Tensor arranged(const Tensor& x, const GroupNormShape& s) {
  return s.channels_last ? channels_last(x.detach()) : contiguous(x.detach());
}
Tensor empty_arranged(const Tensor& x, const GroupNormShape& s) {
  return s.channels_last ? empty_channels_last(x.shape(), x.dtype(), x.device())
                         : Tensor::empty(x.shape(), x.dtype(), x.device());
}

void check_group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[group_norm] expected a floating dtype, got ",
             name_of(x.dtype()));
  WEFT_CHECK(x.dim() >= 2, Value, "[group_norm] expected at least 2 dimensions, got shape ", to_string(x.shape()));
  const int64_t channels = x.shape()[1];
  WEFT_CHECK(groups > 0 && channels % groups == 0, Value,
             "[group_norm] expected channels divisible by num_groups, got ", channels, " and ", groups);
  for (const Tensor& t : {weight, bias}) {
    if (!t.defined()) continue;
    WEFT_CHECK(t.shape() == Dims{channels}, Value, "[group_norm] expected weight and bias of shape [", channels,
               "], got ", to_string(t.shape()));
    WEFT_CHECK(is_floating(t.dtype()) && t.device() == x.device(), Runtime,
               "[group_norm] expected floating weight and bias on ", to_string(x.device()), ", got ",
               name_of(t.dtype()), " on ", to_string(t.device()));
  }
}

// The gradients as formulas on the tape, for second derivatives.
TensorList group_norm_composed(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& bias,
                               int64_t groups, double eps) {
  const int64_t n = x.shape()[0], channels = x.shape()[1];
  const Dims rows{n, groups, x.numel() / (n * groups)};
  Dims column = Dims::filled(x.dim(), 1), others{0};
  column[1] = channels;
  for (int d = 2; d < x.dim(); ++d) others.push_back(d);
  auto center = [](const Tensor& t) { return sub(t, mean(t, {2}, true)); };
  Tensor from_mean = center(reshape(x, rows)), shift = Tensor::full({}, eps, x.dtype(), x.device());
  Tensor rstd = rsqrt(add(mean(square(from_mean), {2}, true), shift)), xhat = mul(from_mean, rstd);
  Tensor g = reshape(weight.defined() ? mul(dy, to(reshape(weight, column), x.dtype())) : dy, rows);
  Tensor dx = mul(rstd, sub(center(g), mul(xhat, mean(mul(g, xhat), {2}, true))));
  return {reshape(dx, x.shape()),
          weight.defined() ? to(sum(mul(dy, reshape(xhat, x.shape())), others), weight.dtype()) : Tensor(),
          bias.defined() ? to(sum(dy, others), bias.dtype()) : Tensor()};
}

TensorList group_norm_fused(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean,
                            const Tensor& rstd, const GroupNormShape& shape, bool input, bool parameters) {
  Tensor in = arranged(x, shape), d = arranged(dy, shape), scale = wide(weight, x.dtype());
  Tensor dx = input ? empty_arranged(x, shape) : Tensor(), dweight, dbias;
  if (parameters) {
    dweight = Tensor::empty({shape.channels}, wide_of(x.dtype()), x.device());
    dbias = Tensor::empty_like(dweight);
  }
  Workspace room(group_norm_backward_workspace(shape), x.device());
  GroupNormBackward a{const_cast<void*>(data_or_null(dx)),
                      const_cast<void*>(data_or_null(dweight)),
                      const_cast<void*>(data_or_null(dbias)),
                      d.data(),
                      in.data(),
                      mean.data(),
                      rstd.data(),
                      data_or_null(scale),
                      room.data(),
                      shape};
  launch("group_norm_backward", x.device(), kernels<GroupNormKernels>(x.device()).backward, a,
         kGroupNormWork * (double)x.numel());
  return {dx, dweight, dbias};
}

// The result and, where they are asked for, mean and variance of each group [n, groups].
TensorList group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias, double eps,
                      bool statistics) {
  check_group_norm(x, groups, weight, bias);
  const GroupNormShape shape = shape_of(x, groups);
  Tensor in = arranged(x, shape), y = empty_arranged(x, shape);
  Tensor w = wide(weight, x.dtype()), shift = wide(bias, x.dtype());
  Tensor mean = Tensor::empty({shape.n, groups}, wide_of(x.dtype()), x.device()), rstd = Tensor::empty_like(mean);
  Tensor variance = statistics ? Tensor::empty_like(mean) : Tensor();
  Workspace room(group_norm_forward_workspace(shape), x.device());
  GroupNormForward a{y.data(),
                     mean.data(),
                     rstd.data(),
                     const_cast<void*>(data_or_null(variance)),
                     in.data(),
                     data_or_null(w),
                     data_or_null(shift),
                     eps,
                     room.data(),
                     shape};
  if (x.numel())
    launch("group_norm", x.device(), kernels<GroupNormKernels>(x.device()).forward, a,
           kGroupNormWork * (double)x.numel());
  if (needs_grad(x, weight, bias))
    record("group_norm", {x, weight, bias}, {y},
           [=, x = Saved(x), weight = Saved(weight), bias = Saved(bias)](Backward& b) -> TensorList {
             Tensor v = x.get(b), w = weight.get(b), shift = bias.get(b);
             if (v.numel() == 0)
               return {Tensor::zeros(v.shape(), v.dtype(), v.device()),
                       w.defined() ? Tensor::zeros(w.shape(), w.dtype(), w.device()) : Tensor(),
                       shift.defined() ? Tensor::zeros(shift.shape(), shift.dtype(), shift.device()) : Tensor()};
             if (grad_enabled()) return group_norm_composed(b.dy(), v, w, shift, groups, eps);
             const bool scales = w.defined() && b.needs(1), shifts = shift.defined() && b.needs(2);
             TensorList d = group_norm_fused(b.dy(), v, w, mean, rstd, shape, b.needs(0), scales || shifts);
             return {d[0], scales ? to(d[1], w.dtype()) : Tensor(), shifts ? to(d[2], shift.dtype()) : Tensor()};
           });
  return {y, mean, variance};
}

}  // namespace

void bind_group_norm(py::module_& m) {
  using Maybe = std::optional<Tensor>;
  m.def(
      "group_norm",
      [](const Tensor& input, int64_t num_groups, const Maybe& weight, const Maybe& bias, double eps) {
        return group_norm(input, num_groups, weight.value_or(Tensor()), bias.value_or(Tensor()), eps, false)[0];
      },
      py::arg("input"), py::arg("num_groups"), py::arg("weight") = py::none(), py::arg("bias") = py::none(),
      py::arg("eps") = 1e-5,
      "Shifts and scales each of `num_groups` groups of channels of each item of (N, C, *) to mean 0 and variance 1,\n"
      "then y * weight + bias, both (C,). ValueError where C is no multiple of num_groups.\n"
      "Wu, He, Group Normalization, 2018.");
  m.def(
      "_group_norm_statistics",
      [](const Tensor& input, int64_t num_groups, const Maybe& weight, const Maybe& bias, double eps) {
        TensorList r = group_norm(input, num_groups, weight.value_or(Tensor()), bias.value_or(Tensor()), eps, true);
        return py::make_tuple(r[0], r[1], r[2]);
      },
      py::arg("input"), py::arg("num_groups"), py::arg("weight"), py::arg("bias"), py::arg("eps"),
      "group_norm, and the mean and the biased variance of every group, (N, num_groups).");
}

}  // namespace weft
