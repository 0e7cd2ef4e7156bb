#include "ops/batch_norm.h"

#include "kernels/batch_norm.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "ops/wide.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

constexpr double kBatchNormWork = 8;  // operations per element, roughly

// Memory as the kernels see it: [n, channels, length], or rows of channels where x has its channels last in memory.
struct Layout {
  bool channels_last = false;
  int64_t n, channels, length = 1;
  explicit Layout(const Tensor& x) : n(x.shape()[0]), channels(x.shape()[1]) {
    for (int d = 2; d < x.dim(); ++d) length *= x.shape()[d];
    if (x.dim() > 2 && !x.is_contiguous()) channels_last = permute(x.detach(), to_last(x.dim())).is_contiguous();
    if (channels_last) {
      n *= length;
      length = 1;
    }
  }
  static Dims to_last(int ndim) {
    Dims axes{0};
    for (int d = 2; d < ndim; ++d) axes.push_back(d);
    axes.push_back(1);
    return axes;
  }
  Tensor arrange(const Tensor& t) const {
    return contiguous(channels_last ? permute(t.detach(), to_last(t.dim())) : t.detach());
  }
  Tensor restore(const Tensor& t) const {
    if (!channels_last) return t;
    Dims axes{0, t.dim() - 1};
    for (int d = 1; d < t.dim() - 1; ++d) axes.push_back(d);
    return permute(t, axes).detach();
  }
};

// The gradients as formulas on the tape, for second derivatives.
TensorList composed_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& bias,
                             const Tensor& running_mean, const Tensor& running_var, bool training, double eps) {
  Dims axes{0}, column = Dims::filled(x.dim(), 1);
  for (int d = 2; d < x.dim(); ++d) axes.push_back(d);
  column[1] = x.shape()[1];
  auto as_column = [&](const Tensor& t) { return to(reshape(t, column), x.dtype()); };
  Tensor centered = sub(x, training ? mean(x, axes, true) : as_column(running_mean));
  Tensor variance = training ? mean(square(centered), axes, true) : as_column(running_var);
  Tensor rstd = rsqrt(add(variance, Tensor::full({}, eps, x.dtype(), x.device()))), xhat = mul(centered, rstd);
  Tensor g = weight.defined() ? mul(dy, as_column(weight)) : dy;
  Tensor inner = training ? sub(sub(g, mean(g, axes, true)), mul(xhat, mean(mul(g, xhat), axes, true))) : g;
  return {mul(rstd, inner), weight.defined() ? to(sum(mul(dy, xhat), axes), weight.dtype()) : Tensor(),
          bias.defined() ? to(sum(dy, axes), bias.dtype()) : Tensor()};
}

// What ReLU was given, without history.
Tensor forward_again(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                     const Tensor& bias, bool training, double eps) {
  GradMode off(false);
  return batch_norm(x, running_mean, running_var, weight, bias, training, 0, eps);
}

void check_residual(const Tensor& x, const Tensor& residual) {
  if (!residual.defined()) return;
  WEFT_CHECK(residual.shape() == x.shape() && residual.dtype() == x.dtype() && residual.device() == x.device(), Runtime,
             "[batch_norm] expected a residual like the input, ", name_of(x.dtype()), " ", to_string(x.shape()), " on ",
             to_string(x.device()), ", got ", name_of(residual.dtype()), " ", to_string(residual.shape()), " on ",
             to_string(residual.device()));
}

void check(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
           const Tensor& bias, bool training) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[batch_norm] expected a floating dtype, got ",
             name_of(x.dtype()));
  WEFT_CHECK(x.dim() >= 2, Value, "[batch_norm] expected an input of shape [N, C, ...], got ", to_string(x.shape()));
  int64_t channels = x.shape()[1];
  WEFT_CHECK(running_mean.defined() == running_var.defined(), Runtime,
             "[batch_norm] expected running_mean and running_var together, got one of them");
  WEFT_CHECK(training || running_mean.defined(), Runtime,
             "[batch_norm] expected running_mean and running_var when training is False");
  for (const Tensor& t : {running_mean, running_var, weight, bias}) {
    if (!t.defined()) continue;
    WEFT_CHECK(t.shape() == Dims{channels}, Runtime, "[batch_norm] expected statistics, weight and bias of shape [",
               channels, "] for an input of shape ", to_string(x.shape()), ", got ", to_string(t.shape()));
    WEFT_CHECK(is_floating(t.dtype()) && t.device() == x.device(), Runtime,
               "[batch_norm] expected floating statistics, weight and bias on ", to_string(x.device()), ", got ",
               name_of(t.dtype()), " on ", to_string(t.device()));
  }
  WEFT_CHECK(!training || channels == 0 || x.numel() != channels, Value,
             "[batch_norm] expected more than one value per channel when training, got shape ", to_string(x.shape()));
}

// In place, whatever dtype and strides the running statistics have.
void write_back(const Tensor& running, const Tensor& updated, InPlace& change) {
  if (updated.data() != running.data()) copy_into(running, updated);
  change.done();
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var, const Tensor& weight,
                  const Tensor& bias, bool training, double momentum, double eps, const FusedRelu& fused) {
  if (x.dim() == 1 && x.numel() == 0) return x;
  check(x, running_mean, running_var, weight, bias, training);
  check_residual(x, fused.residual);
  Layout layout(x);
  Tensor residual = fused.residual.defined() ? layout.arrange(fused.residual) : Tensor();
  Tensor in = layout.arrange(x), out = Tensor::empty_like(in);
  Tensor mean = Tensor::empty({layout.channels}, wide_of(x.dtype()), x.device()), rstd = Tensor::empty_like(mean);
  Tensor r_mean = wide(running_mean, x.dtype()), r_var = wide(running_var, x.dtype());
  Tensor w = wide(weight, x.dtype()), shift = wide(bias, x.dtype());
  int64_t room_bytes = batch_norm_workspace(layout.n, layout.channels, layout.length) * 8;
  if (x.numel() > 0) {
    Workspace room(room_bytes, x.device());
    BatchNormForward a{};
    a.y = out.data();
    a.mean = mean.data();
    a.rstd = rstd.data();
    a.running_mean = const_cast<void*>(data_or_null(r_mean));
    a.running_var = const_cast<void*>(data_or_null(r_var));
    a.x = in.data();
    a.weight = data_or_null(w);
    a.bias = data_or_null(shift);
    a.residual = data_or_null(residual);
    a.n = layout.n;
    a.channels = layout.channels;
    a.length = layout.length;
    a.eps = eps;
    a.momentum = momentum;
    a.workspace = (double*)room.data();
    a.dtype = x.dtype();
    a.training = training;
    a.relu = fused.on;
    auto run = [&] {
      launch("batch_norm", x.device(), kernels<BatchNormKernels>(x.device()).forward, a,
             kBatchNormWork * (double)x.numel());
    };
    if (training && running_mean.defined()) {
      InPlace change_mean("batch_norm", running_mean), change_var("batch_norm", running_var);
      run();
      write_back(running_mean, r_mean, change_mean);
      write_back(running_var, r_var, change_var);
    } else {
      run();
    }
  }
  Tensor y = layout.restore(out);
  if (!needs_grad(x, weight, bias) && !needs_grad(fused.residual)) return y;

  if (training) r_mean = r_var = Tensor();
  const bool relu = fused.on;
  record("batch_norm", {x, weight, bias, fused.residual}, {y},
         [=, x = Saved(x), weight = Saved(weight), bias = Saved(bias),
          y = residual.defined() ? Saved::output(y) : Saved()](Backward& b) -> TensorList {
           Tensor v = x.get(b), scale = weight.get(b), shift = bias.get(b), out = y.defined() ? y.get(b) : Tensor();
           if (grad_enabled()) {
             Tensor dy = b.dy();
             if (relu) {
               if (!out.defined()) out = forward_again(v, r_mean, r_var, scale, shift, training, eps);
               Tensor zero = Tensor::zeros({}, v.dtype(), v.device());
               dy = where(gt(out, zero), dy, zero);
             }
             TensorList d = composed_backward(dy, v, scale, shift, r_mean, r_var, training, eps);
             d.push_back(dy);
             return d;
           }
           Tensor in = layout.arrange(v), dy = layout.arrange(b.dy()), w = wide(scale, v.dtype());
           Tensor offset = wide(shift, v.dtype());
           if (out.defined()) out = layout.arrange(out);
           bool parameters = b.needs(1) || b.needs(2);
           Tensor dresidual = b.needs(3) ? Tensor::empty_like(in) : Tensor();
           Tensor dx = b.needs(0) ? Tensor::empty_like(in) : Tensor(), dweight, dbias;
           if (parameters) {
             dweight = Tensor::zeros({layout.channels}, wide_of(v.dtype()), v.device());
             dbias = Tensor::zeros({layout.channels}, wide_of(v.dtype()), v.device());
           }
           if (v.numel() > 0) {
             Workspace room(room_bytes, v.device());
             BatchNormBackward a{};
             a.dx = const_cast<void*>(data_or_null(dx));
             a.dweight = const_cast<void*>(data_or_null(dweight));
             a.dbias = const_cast<void*>(data_or_null(dbias));
             a.dy = dy.data();
             a.x = in.data();
             a.mean = mean.data();
             a.rstd = rstd.data();
             a.dresidual = const_cast<void*>(data_or_null(dresidual));
             a.weight = data_or_null(w);
             a.bias = data_or_null(offset);
             a.y = data_or_null(out);
             a.relu = relu;
             a.n = layout.n;
             a.channels = layout.channels;
             a.length = layout.length;
             a.workspace = (double*)room.data();
             a.dtype = v.dtype();
             a.training = training;
             launch("batch_norm_backward", v.device(), kernels<BatchNormKernels>(v.device()).backward, a,
                    kBatchNormWork * (double)v.numel());
           }
           return {dx.defined() ? layout.restore(dx) : dx, b.needs(1) ? to(dweight, scale.dtype()) : Tensor(),
                   b.needs(2) ? to(dbias, shift.dtype()) : Tensor(),
                   dresidual.defined() ? layout.restore(dresidual) : dresidual};
         });
  return y;
}

void bind_batch_norm(py::module_& m) {
  using Maybe = std::optional<Tensor>;
  m.def(
      "batch_norm",
      [](const Tensor& input, const Maybe& running_mean, const Maybe& running_var, const Maybe& weight,
         const Maybe& bias, bool training, double momentum, double eps) {
        return batch_norm(input, running_mean.value_or(Tensor()), running_var.value_or(Tensor()),
                          weight.value_or(Tensor()), bias.value_or(Tensor()), training, momentum, eps);
      },
      py::arg("input"), py::arg("running_mean"), py::arg("running_var"), py::arg("weight") = py::none(),
      py::arg("bias") = py::none(), py::arg("training") = false, py::arg("momentum") = 0.1, py::arg("eps") = 1e-5,
      "Shifts and scales each channel of [N, C, ...] to mean 0 and variance 1, then y * weight + bias. When training, "
      "by\n"
      "the statistics of the batch, which also move running_mean and running_var (unbiased variance) in place by\n"
      "`momentum`; else by the running statistics. ValueError for a single value per channel in training.\n"
      "Ioffe, Szegedy, Batch Normalization, 2015.");
  m.def(
      "_batch_norm_relu",
      [](const Tensor& input, const Maybe& running_mean, const Maybe& running_var, const Maybe& weight,
         const Maybe& bias, bool training, double momentum, double eps, const Maybe& residual) {
        return batch_norm(input, running_mean.value_or(Tensor()), running_var.value_or(Tensor()),
                          weight.value_or(Tensor()), bias.value_or(Tensor()), training, momentum, eps,
                          {true, residual.value_or(Tensor())});
      },
      py::arg("input"), py::arg("running_mean"), py::arg("running_var"), py::arg("weight") = py::none(),
      py::arg("bias") = py::none(), py::arg("training") = false, py::arg("momentum") = 0.1, py::arg("eps") = 1e-5,
      py::arg("residual") = py::none(),
      "relu(batch_norm(input, ...) + residual) in the passes of batch_norm; residual [N, C, ...] like the input.");
}

}  // namespace weft
