#include "ops/layer_norm.h"

#include "kernels/layer_norm.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

constexpr double kWork = 8;  // operations per element, roughly

const void* data_or_null(const Tensor& t) { return t.defined() ? t.data() : nullptr; }
DType wide_of(DType t) { return is_half(t) ? DType::Float32 : t; }
Tensor wide(const Tensor& t, DType dtype) { return t.defined() ? contiguous(to(t, wide_of(dtype))) : t; }

// The gradients as formulas on the tape, for second derivatives.
TensorList composed_backward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
                             int normalized) {
  Dims axes;
  for (int d = x.dim() - normalized; d < x.dim(); ++d) axes.push_back(d);
  Tensor centered = sub(x, mean(x, axes, true));
  Tensor shift = Tensor::full({}, eps, x.dtype(), x.device());
  Tensor rstd = rsqrt(add(mean(square(centered), axes, true), shift)), xhat = mul(centered, rstd);
  Tensor g = weight.defined() ? mul(dy, weight) : dy;
  Tensor dx = mul(rstd, sub(sub(g, mean(g, axes, true)), mul(xhat, mean(mul(g, xhat), axes, true))));
  return {dx, weight.defined() ? sum_to(mul(dy, xhat), weight.shape()) : Tensor(),
          bias.defined() ? sum_to(dy, bias.shape()) : Tensor()};
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Dims& normalized_shape, const Tensor& weight, const Tensor& bias, double eps) {
  int n = normalized_shape.n;
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[layer_norm] expected a floating dtype, got ",
             name_of(x.dtype()));
  WEFT_CHECK(n > 0, Runtime, "[layer_norm] expected normalized_shape to have at least one dimension");
  bool fits = n <= x.dim();
  for (int d = 0; fits && d < n; ++d) fits = x.shape()[x.dim() - n + d] == normalized_shape[d];
  WEFT_CHECK(fits, Runtime, "[layer_norm] expected an input whose last dimensions are ", to_string(normalized_shape),
             ", got shape ", to_string(x.shape()));
  for (const Tensor& t : {weight, bias}) {
    if (!t.defined()) continue;
    WEFT_CHECK(t.shape() == normalized_shape, Runtime, "[layer_norm] expected weight and bias of shape ",
               to_string(normalized_shape), ", got ", to_string(t.shape()));
    WEFT_CHECK(is_floating(t.dtype()) && t.device() == x.device(), Runtime,
               "[layer_norm] expected floating weight and bias on ", to_string(x.device()), ", got ",
               name_of(t.dtype()), " on ", to_string(t.device()));
  }

  Tensor in = contiguous(x.detach()), y = Tensor::empty_like(in);
  int64_t cols = numel_of(normalized_shape), rows = cols ? x.numel() / cols : 0;
  Tensor mean = Tensor::empty({rows}, wide_of(x.dtype()), x.device()), rstd = Tensor::empty_like(mean);
  Tensor w = wide(weight.defined() ? weight.detach() : weight, x.dtype());
  Tensor b = wide(bias.defined() ? bias.detach() : bias, x.dtype());
  LayerNormForward a{y.data(),        mean.data(), rstd.data(), in.data(), data_or_null(w),
                     data_or_null(b), rows,        cols,        eps,       x.dtype()};
  launch("layer_norm", x.device(), kernels<LayerNormKernels>(x.device()).forward, a, kWork * (double)x.numel());
  if (!needs_grad(x, weight, bias)) return y;

  record("layer_norm", {x, weight, bias}, {y},
         [=, x = Saved(x), weight = Saved(weight), bias = Saved(bias)](Backward& b) -> TensorList {
           Tensor v = x.get(b), w = weight.get(b), shift = bias.get(b);
           if (grad_enabled()) return composed_backward(b.dy(), v, w, shift, eps, n);

           Tensor in = contiguous(v), dy = contiguous(b.dy()), scale = wide(w, v.dtype());
           bool parameters = (w.defined() && b.needs(1)) || (shift.defined() && b.needs(2));
           Tensor dx = b.needs(0) ? Tensor::empty_like(in) : Tensor(), dweight, dbias;
           if (parameters) {
             dweight = Tensor::empty(normalized_shape, wide_of(v.dtype()), v.device());
             dbias = Tensor::empty_like(dweight);
           }
           Workspace room(parameters ? layer_norm_pieces(rows, cols) * 2 * cols * mean.itemsize() : 0, v.device());
           LayerNormBackward a{};
           a.dx = dx.defined() ? dx.data() : nullptr;
           a.dweight = parameters ? dweight.data() : nullptr;
           a.dbias = parameters ? dbias.data() : nullptr;
           a.dy = dy.data();
           a.x = in.data();
           a.mean = mean.data();
           a.rstd = rstd.data();
           a.weight = data_or_null(scale);
           a.rows = rows;
           a.cols = cols;
           a.workspace = room.data();
           a.dtype = v.dtype();
           launch("layer_norm_backward", v.device(), kernels<LayerNormKernels>(v.device()).backward, a,
                  kWork * (double)v.numel());
           return {dx, w.defined() && b.needs(1) ? to(dweight, w.dtype()) : Tensor(),
                   shift.defined() && b.needs(2) ? to(dbias, shift.dtype()) : Tensor()};
         });
  return y;
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
}

}  // namespace weft
