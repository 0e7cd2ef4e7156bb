#include "ops/scan.h"

#include "kernels/scan.h"
#include "ops/copy.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

// Linear: its gradient is itself from the other end.
Tensor cumsum_along(const Tensor& input, int dim, bool reverse) {
  Tensor x = contiguous(input.detach()), y = Tensor::empty_like(x);
  CumulativeSum a{y.data(), x.data(), 1, x.dim() ? x.shape()[dim] : 1, 1, x.dtype(), reverse};
  for (int d = 0; d < x.dim(); ++d)
    if (d != dim) (d < dim ? a.outer : a.inner) *= x.shape()[d];
  if (x.numel() > 0) launch("cumsum", x.device(), kernels<ScanKernels>(x.device()).cumsum, a, (double)x.numel() * 2);
  if (needs_grad(input))
    record("cumsum", {input}, {y},
           [dim, reverse](Backward& b) { return b.grads(cumsum_along(b.dy(), dim, !reverse)); });
  return y;
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

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  DType d = dtype.value_or(is_floating(x.dtype()) ? x.dtype() : DType::Int64);
  WEFT_CHECK(d != DType::Bool, Type, "[cumsum] expected a dtype that holds numbers, got bool");
  return cumsum_along(to(x, d), wrap_dim("cumsum", dim, x.dim() ? x.dim() : 1), false);
}

void bind_scan(py::module_& m) {
  def_both(m, "cumsum", cumsum, py::arg("dim"), py::kw_only(), py::arg("dtype") = py::none(),
           "Running sums along dim. Integers give int64.");
  def_both(
      m, "tril", [](const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, false); },
      py::arg("diagonal") = 0, "The lower triangle of matrices, up to a diagonal (0: the main one); the rest is 0.");
  def_both(
      m, "triu", [](const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, true); },
      py::arg("diagonal") = 0, "The upper triangle of matrices, from a diagonal (0: the main one); the rest is 0.");
}

}  // namespace weft
