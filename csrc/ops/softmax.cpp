#include "ops/softmax.h"

#include <cmath>

#include "kernels/softmax.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

constexpr double kSoftmaxWork = 16;  // operations per element, roughly

// [rows, cols, inner] around the axis.
struct Slices {
  int64_t rows = 1, cols = 1, inner = 1;
  Slices(const Tensor& x, int axis) {
    for (int d = 0; d < x.dim(); ++d) (d < axis ? rows : d == axis ? cols : inner) *= x.shape()[d];
  }
};

Tensor forward(const char* op, const Tensor& x, int axis, bool log) {
  Tensor in = contiguous(x.detach()), out = Tensor::empty_like(in);
  Slices s(in, axis);
  SoftmaxForward a{out.data(), in.data(), s.rows, s.cols, s.inner, in.dtype(), log};
  if (in.numel())
    launch(op, x.device(), kernels<SoftmaxKernels>(x.device()).forward, a, kSoftmaxWork * (double)in.numel());
  return out;
}

Tensor backward(const char* op, const Tensor& dy, const Tensor& y, int axis, bool log) {
  if (grad_enabled()) {  // a second derivative is wanted: the same formula, on the tape
    if (log) return sub(dy, mul(exp(y), sum(dy, {axis}, true)));
    return mul(y, sub(dy, sum(mul(dy, y), {axis}, true)));
  }
  Tensor from = contiguous(dy), out = contiguous(y), dx = Tensor::empty_like(out);
  Slices s(out, axis);
  SoftmaxBackward a{dx.data(), from.data(), out.data(), s.rows, s.cols, s.inner, dx.dtype(), log};
  if (dx.numel())
    launch(op, dx.device(), kernels<SoftmaxKernels>(dx.device()).backward, a, kSoftmaxWork * (double)dx.numel());
  return dx;
}

Tensor softmax_or_log(const char* op, const Tensor& x, int64_t dim, bool log) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()),
             "; pass dtype= to convert first");
  int axis = wrap_dim(op, dim, x.dim() ? x.dim() : 1);
  Tensor y = forward(op, x, axis, log);
  if (needs_grad(x))
    record(op, {x}, {y}, [op, axis, log, y = Saved::output(y)](Backward& b) {
      return b.grads(backward(op, b.dy(), y.get(b), axis, log));
    });
  return y;
}

// The reduced axes at the end, as one: [..., count] of contiguous rows.
Tensor reduced_rows(const Tensor& x, const Reduction& r) {
  Dims order, shape;
  for (bool reduced : {false, true})
    for (int d = 0; d < x.dim(); ++d)
      if (r.reduced[d] == reduced) order.push_back(d);
  for (int d = 0; d < x.dim(); ++d)
    if (!r.reduced[d]) shape.push_back(x.shape()[d]);
  shape.push_back(r.count);
  return reshape(contiguous(permute(x, order)), shape);
}

Tensor logsumexp_off_tape(const Tensor& x, const Dims& axes, const Reduction& r) {
  GradMode off(false);
  auto kernel = kernels<SoftmaxKernels>(x.device()).logsumexp;
  if (r.count == 0) return Tensor::full(r.shape, -HUGE_VAL, x.dtype(), x.device());
  if (!kernel) {
    Tensor m = amax(x, axes, true), zero = Tensor::zeros({}, x.dtype(), x.device());
    Tensor finite = where(eq(sub(m, m), zero), m, zero);
    return reshape(add(log(sum(exp(sub(x, finite)), axes, true)), finite), r.shape);
  }
  Tensor rows = reduced_rows(x, r), y = Tensor::empty(r.shape, x.dtype(), x.device());
  LogSumExp a{y.data(), rows.data(), y.numel(), r.count, x.dtype()};
  launch("logsumexp", x.device(), kernel, a, kSoftmaxWork * (double)x.numel());
  return y;
}

}  // namespace

Tensor logsumexp(const Tensor& x, const Dims& axes, bool keepdim) {
  Reduction r = reduction_of("logsumexp", x, axes, keepdim);
  Tensor y = logsumexp_off_tape(x, axes, r);
  if (needs_grad(x))
    record("logsumexp", {x}, {y}, [r, x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor v = x.get(b);
      Tensor share = exp(sub(v, spread(y.get(b), r, v.shape())));
      return b.grads(mul(spread(b.dy(), r, v.shape()), share));
    });
  return y;
}

Tensor softmax(const Tensor& x, int64_t dim) { return softmax_or_log("softmax", x, dim, false); }
Tensor log_softmax(const Tensor& x, int64_t dim) { return softmax_or_log("log_softmax", x, dim, true); }

void bind_softmax(py::module_& m) {
  py::arg_v dtype("dtype", py::none());
  def_both(
      m, "softmax",
      [](const Tensor& x, int64_t dim, std::optional<DType> dtype) { return softmax(dtype ? to(x, *dtype) : x, dim); },
      py::arg("dim"), dtype,
      "exp(x) / sum(exp(x)) along `dim`: same shape, each slice sums to 1. `dtype` converts the input first.\n"
      "IndexError if there is no such dim; NotImplementedError for integers.");
  def_both(
      m, "log_softmax",
      [](const Tensor& x, int64_t dim, std::optional<DType> dtype) {
        return log_softmax(dtype ? to(x, *dtype) : x, dim);
      },
      py::arg("dim"), dtype, "log(softmax(x, dim)), computed without leaving the logarithm. See softmax.");
  def_both(
      m, "logsumexp",
      [](const Tensor& x, const Dims& dim, bool keepdim) {
        if (is_floating(x.dtype())) return logsumexp(x, dim, keepdim);
        DType dtype = py::module_::import("weft._core").attr("get_default_dtype")().cast<DType>();
        return logsumexp(to(x, dtype), dim, keepdim);
      },
      py::arg("dim"), py::arg("keepdim") = false,
      "log(sum(exp(x))) over `dim` (an axis or several), without overflow. Integers become floating.");
  def_out_and_axis(m, {"softmax", "log_softmax", "logsumexp"});
}

}  // namespace weft
