#include "ops/layer_norm.h"

#include <cfloat>

#include "kernels/layer_norm.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "ops/wide.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

constexpr double kLayerNormWork = 8;  // operations per element, roughly

// The gradients as formulas on the tape, for second derivatives.
TensorList composed_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                             int normalized, bool centered) {
  Dims axes;
  for (int d = x.dim() - normalized; d < x.dim(); ++d) axes.push_back(d);
  auto center = [&](const Tensor& t) { return centered ? sub(t, mean(t, axes, true)) : t; };
  Tensor from_mean = center(x), shift = Tensor::full({}, eps, x.dtype(), x.device());
  Tensor rstd = rsqrt(add(mean(square(from_mean), axes, true), shift)), xhat = mul(from_mean, rstd);
  Tensor g = weight.defined() ? mul(dy, weight) : dy;
  Tensor dx = mul(rstd, sub(center(g), mul(xhat, mean(mul(g, xhat), axes, true))));
  return {dx, weight.defined() ? sum_to(mul(dy, xhat), weight.shape()) : Tensor(),
          bias.defined() ? sum_to(dy, bias.shape()) : Tensor()};
}

void check(const char* op, const Tensor& x, const Dims& normalized_shape, const Tensor& weight, const Tensor& bias) {
  const int n = normalized_shape.n;
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
  WEFT_CHECK(n > 0, Runtime, "[", op, "] expected normalized_shape to have at least one dimension");
  bool fits = n <= x.dim();
  for (int d = 0; fits && d < n; ++d) fits = x.shape()[x.dim() - n + d] == normalized_shape[d];
  WEFT_CHECK(fits, Runtime, "[", op, "] expected an input whose last dimensions are ", to_string(normalized_shape),
             ", got shape ", to_string(x.shape()));
  for (const Tensor& t : {weight, bias}) {
    if (!t.defined()) continue;
    WEFT_CHECK(t.shape() == normalized_shape, Runtime, "[", op, "] expected weight and bias of shape ",
               to_string(normalized_shape), ", got ", to_string(t.shape()));
    WEFT_CHECK(is_floating(t.dtype()) && t.device() == x.device(), Runtime, "[", op,
               "] expected floating weight and bias on ", to_string(x.device()), ", got ", name_of(t.dtype()), " on ",
               to_string(t.device()));
  }
}

// What the fused backward reads beside the inputs.
struct Statistics {
  Tensor mean, rstd;  // mean undefined: not centered
  int64_t rows, cols;
};

TensorList fused_backward(const char* op, const Tensor& dy, const Tensor& x, const Tensor& weight, const Statistics& s,
                          const Dims& normalized_shape, bool input, bool parameters) {
  Tensor in = contiguous(x), d = contiguous(dy), scale = wide(weight, x.dtype());
  Tensor dx = input ? Tensor::empty_like(in) : Tensor(), dweight, dbias;
  if (parameters) {
    dweight = Tensor::empty(normalized_shape, wide_of(x.dtype()), x.device());
    dbias = Tensor::empty_like(dweight);
  }
  Workspace room(parameters ? layer_norm_pieces(s.rows, s.cols) * 2 * s.cols * s.rstd.itemsize() : 0, x.device());
  LayerNormBackward a{};
  a.dx = const_cast<void*>(data_or_null(dx));
  a.dweight = const_cast<void*>(data_or_null(dweight));
  a.dbias = const_cast<void*>(data_or_null(dbias));
  a.dy = d.data();
  a.x = in.data();
  a.mean = data_or_null(s.mean);
  a.rstd = s.rstd.data();
  a.weight = data_or_null(scale);
  a.rows = s.rows;
  a.cols = s.cols;
  a.workspace = room.data();
  a.dtype = x.dtype();
  launch(op, x.device(), kernels<LayerNormKernels>(x.device()).backward, a, kLayerNormWork * (double)x.numel());
  return {dx, dweight, dbias};
}

Tensor norm(const char* op, const char* backward_op, bool centered, const Tensor& x, const Dims& normalized_shape,
            const Tensor& weight, const Tensor& bias, double eps) {
  check(op, x, normalized_shape, weight, bias);
  Tensor in = contiguous(x.detach()), y = Tensor::empty_like(in);
  Statistics s{};
  s.cols = numel_of(normalized_shape);
  s.rows = s.cols ? x.numel() / s.cols : 0;
  s.rstd = Tensor::empty({s.rows}, wide_of(x.dtype()), x.device());
  if (centered) s.mean = Tensor::empty_like(s.rstd);
  Tensor w = wide(weight, x.dtype());
  Tensor b = wide(bias, x.dtype());
  LayerNormForward a{y.data(),
                     const_cast<void*>(data_or_null(s.mean)),
                     s.rstd.data(),
                     in.data(),
                     data_or_null(w),
                     data_or_null(b),
                     s.rows,
                     s.cols,
                     eps,
                     x.dtype()};
  launch(op, x.device(), kernels<LayerNormKernels>(x.device()).forward, a, kLayerNormWork * (double)x.numel());
  if (!needs_grad(x, weight, bias)) return y;

  record(op, {x, weight, bias}, {y},
         [=, x = Saved(x), weight = Saved(weight), bias = Saved(bias)](Backward& b) -> TensorList {
           Tensor v = x.get(b), w = weight.get(b), shift = bias.get(b);
           if (grad_enabled()) return composed_backward(b.dy(), v, w, shift, eps, normalized_shape.n, centered);
           const bool scales = w.defined() && b.needs(1), shifts = shift.defined() && b.needs(2);
           TensorList d = fused_backward(backward_op, b.dy(), v, w, s, normalized_shape, b.needs(0), scales || shifts);
           return {d[0], scales ? to(d[1], w.dtype()) : Tensor(), shifts ? to(d[2], shift.dtype()) : Tensor()};
         });
  return y;
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight, const Tensor& bias, double eps) {
  return norm("layer_norm", "layer_norm_backward", true, x, normalized_shape, weight, bias, eps);
}

Tensor rms_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight, double eps) {
  return norm("rms_norm", "rms_norm_backward", false, x, normalized_shape, weight, {}, eps);
}

void bind_layer_norm(py::module_& m) {
  m.def(
      "layer_norm",
      [](const Tensor& input, const Dims& normalized_shape, const std::optional<Tensor>& weight,
         const std::optional<Tensor>& bias, double eps) {
        return layer_norm(input, normalized_shape, weight.value_or(Tensor()), bias.value_or(Tensor()), eps);
      },
      py::arg("input"), py::arg("normalized_shape"), py::arg("weight") = py::none(), py::arg("bias") = py::none(),
      py::arg("eps") = 1e-5,
      "Shifts and scales the last dimensions (normalized_shape) to mean 0 and variance 1, then y * weight + bias.\n"
      "weight and bias have normalized_shape. RuntimeError where shapes do not fit.\n"
      "Ba, Kiros, Hinton, Layer Normalization, 2016.");
  m.def(
      "rms_norm",
      [](const Tensor& input, const Dims& normalized_shape, const std::optional<Tensor>& weight,
         std::optional<double> eps) {
        const bool wide = input.dtype() == DType::Float64;
        return rms_norm(input, normalized_shape, weight.value_or(Tensor()),
                        eps.value_or(wide ? DBL_EPSILON : FLT_EPSILON));
      },
      py::arg("input"), py::arg("normalized_shape"), py::arg("weight") = py::none(), py::arg("eps") = py::none(),
      "x / sqrt(mean(x^2) + eps) * weight over the last dimensions (normalized_shape). eps defaults to the epsilon of\n"
      "float64 for float64, else of float32. Zhang, Sennrich, Root Mean Square Layer Normalization, 2019.");
}

}  // namespace weft
