#include "ops/scan.h"

#include "kernels/scan.h"
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/linear_scan.h"
#include "ops/pointwise.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

struct Scanned {
  Tensor y, indices;
};

// Off the tape: the kernel as it is.
Scanned scan_raw(const char* op, ScanOp kind, const Tensor& input, int dim, bool reverse) {
  Tensor x = contiguous(input.detach());
  Scanned r{Tensor::empty_like(x), {}};
  bool extreme = kind == ScanOp::Max || kind == ScanOp::Min;
  if (extreme) r.indices = Tensor::empty(x.shape(), DType::Int64, x.device());
  Scan a{r.y.data(),
         extreme ? r.indices.ptr<int64_t>() : nullptr,
         x.data(),
         1,
         x.dim() ? x.shape()[dim] : 1,
         1,
         x.dtype(),
         kind,
         reverse};
  for (int d = 0; d < x.dim(); ++d)
    if (d != dim) (d < dim ? a.outer : a.inner) *= x.shape()[d];
  if (x.numel() > 0) launch(op, x.device(), kernels<ScanKernels>(x.device()).scan, a, (double)x.numel() * 4);
  return r;
}

// Linear: its gradient is itself from the other end.
Tensor cumsum_along(const Tensor& x, int dim, bool reverse) {
  Tensor y = scan_raw("cumsum", ScanOp::Sum, x, dim, reverse).y;
  if (needs_grad(x))
    record("cumsum", {x}, {y}, [dim, reverse](Backward& b) { return b.grads(cumsum_along(b.dy(), dim, !reverse)); });
  return y;
}

// y[k] = x[k - 1]; where there is none, `first`.
Tensor shifted(const Tensor& x, int dim, double first) {
  Tensor y = Tensor::full(x.shape(), first, x.dtype(), x.device());
  int64_t n = x.dim() ? x.shape()[dim] : 1;
  if (n < 2) return y;
  Tensor part = narrow(y, dim, 1, n - 1);
  copy_(part, narrow(x, dim, 0, n - 1));
  return y;
}

// dx[k] = product of those before k * (dy[k] + x[k + 1] * (dy[k + 1] + x[k + 2] * (...))): right where x has zeros.
Tensor cumprod_along(const Tensor& x, int dim) {
  Tensor y = scan_raw("cumprod", ScanOp::Prod, x, dim, false).y;
  if (needs_grad(x))
    record("cumprod", {x}, {y}, [dim, x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor after = linear_scan_from_end(x.get(b), b.dy(), dim);
      return b.grads(mul(shifted(y.get(b), dim, 1), after));
    });
  return y;
}

// exp(a - b), and 1 where both are the same infinity.
Tensor ratio(const Tensor& a, const Tensor& b) { return exp(where(eq(a, b), zero_like(a), sub(a, b))); }

// dx[k] = exp(x[k] - y[k]) * u[k], u[k] = dy[k] + exp(y[k] - y[k + 1]) * u[k + 1]: y never falls, so nothing overflows.
Tensor logcumsumexp(const Tensor& x, int64_t dim) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[logcumsumexp] expected a floating dtype, got ",
             name_of(x.dtype()));
  int d = wrap_dim("logcumsumexp", dim, x.dim() ? x.dim() : 1);
  Tensor y = scan_raw("logcumsumexp", ScanOp::LogSumExp, x, d, false).y;
  if (needs_grad(x))
    record("logcumsumexp", {x}, {y}, [d, x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor v = x.get(b), s = y.get(b);
      return b.grads(mul(ratio(v, s), linear_scan_from_end(ratio(shifted(s, d, -INFINITY), s), b.dy(), d)));
    });
  return y;
}

Scanned running_extreme(const char* op, const Tensor& x, int64_t dim, bool max) {
  int d = wrap_dim(op, dim, x.dim() ? x.dim() : 1);
  Scanned r = scan_raw(op, max ? ScanOp::Max : ScanOp::Min, x, d, false);
  if (needs_grad(x))
    record(op, {x}, {r.y}, [d, indices = r.indices, shape = x.shape()](Backward& b) {
      return b.grads(scatter_add(Tensor::zeros(shape, b.dy().dtype(), b.dy().device()), d, indices, b.dy()));
    });
  return r;
}

Tensor triangle(const char* op, const Tensor& input, int64_t diagonal, bool upper) {
  WEFT_CHECK(input.dim() >= 2, Runtime, "[", op, "] expected at least 2 dimensions, got ", to_string(input.shape()));
  Tensor x = contiguous(input.detach()), y = Tensor::empty_like(x);
  int64_t rows = x.shape()[x.dim() - 2], cols = x.shape()[x.dim() - 1];
  // Beyond the corners a diagonal changes nothing, and must not overflow.
  int64_t d = diagonal < -rows - 1 ? -rows - 1 : diagonal > cols + 1 ? cols + 1 : diagonal;
  if (x.numel() > 0)
    launch(op, x.device(), kernels<ScanKernels>(x.device()).triangle,
           Triangle{y.data(), x.data(), x.numel() / (rows * cols), rows, cols, d, x.dtype(), upper}, (double)x.numel());
  if (needs_grad(input))
    record(op, {input}, {y}, [op, d, upper](Backward& b) { return b.grads(triangle(op, b.dy(), d, upper)); });
  return y;
}

Tensor numbers(const char* op, const Tensor& x, std::optional<DType> dtype) {
  DType d = dtype.value_or(is_floating(x.dtype()) ? x.dtype() : DType::Int64);
  WEFT_CHECK(d != DType::Bool, Type, "[", op, "] expected a dtype that holds numbers, got bool");
  return to(x, d);
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return cumsum_along(numbers("cumsum", x, dtype), wrap_dim("cumsum", dim, x.dim() ? x.dim() : 1), false);
}
Tensor cumprod(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return cumprod_along(numbers("cumprod", x, dtype), wrap_dim("cumprod", dim, x.dim() ? x.dim() : 1));
}

void bind_scan(py::module_& m) {
  py::arg dim("dim");
  def_both(m, "cumsum", cumsum, dim, py::kw_only(), py::arg("dtype") = py::none(),
           "Running sums along dim. Integers give int64.");
  def_both(m, "cumprod", cumprod, dim, py::kw_only(), py::arg("dtype") = py::none(),
           "Running products along dim. Integers give int64.");
  def_both(m, "logcumsumexp", logcumsumexp, dim, "Logarithms of the running sums of exp(x) along dim.");
  for (bool max : {true, false}) {
    const char* op = max ? "cummax" : "cummin";
    py::object type = named_tuple(op, {"values", "indices"});
    def_both(
        m, op,
        [=](const Tensor& x, int64_t dim) {
          Scanned r = running_extreme(op, x, dim, max);
          return type(r.y, r.indices);
        },
        dim, "(values, indices) of the extreme so far along dim; among equals, where it was last.");
  }
  def_out_and_axis(m, {"cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"});
  def_both(
      m, "tril", [](const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, false); },
      py::arg("diagonal") = 0, "The lower triangle of matrices, up to a diagonal (0: the main one); the rest is 0.");
  def_both(
      m, "triu", [](const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, true); },
      py::arg("diagonal") = 0, "The upper triangle of matrices, from a diagonal (0: the main one); the rest is 0.");
}

}  // namespace weft
