// Whether tensors are equal, exactly or nearly.
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {

namespace {

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  GradMode off(false);
  WEFT_CHECK(rtol >= 0 && atol >= 0, Runtime, "[isclose] expected rtol and atol of at least 0, got ", rtol, " and ",
             atol);
  WEFT_CHECK(a.dtype() == b.dtype(), Runtime, "[isclose] expected tensors of one dtype, got ", name_of(a.dtype()),
             " and ", name_of(b.dtype()));
  Tensor x = is_floating(a.dtype()) ? a : to(a, DType::Float64), y = is_floating(b.dtype()) ? b : to(b, DType::Float64);
  Tensor finite = unary(PointwiseOp::IsFinite, sub(x, y));
  Tensor near = binary_operand(PointwiseOp::LogicalAnd, Operand{finite},
                               Operand{le(abs(sub(x, y)), add(mul(abs(y), rtol), atol))});
  Tensor result = binary_operand(PointwiseOp::LogicalOr, Operand{near}, Operand{eq(x, y)});
  if (!equal_nan) return result;
  Tensor both = binary_operand(PointwiseOp::LogicalAnd, Operand{ne(x, x)}, Operand{ne(y, y)});
  return binary_operand(PointwiseOp::LogicalOr, Operand{result}, Operand{both});
}

}  // namespace

void bind_comparison(py::module_& m) {
  def_both(
      m, "equal",
      [](const Tensor& a, const Tensor& b) {
        GradMode off(false);
        return a.shape() == b.shape() && !any_host(ne(a, b));
      },
      py::arg("other"), "True if both have one shape and equal elements.");
  def_both(m, "isclose", &isclose, py::arg("other"), py::arg("rtol") = 1e-5, py::arg("atol") = 1e-8,
           py::arg("equal_nan") = false, "Where |input - other| <= atol + rtol |other|.");
  def_both(
      m, "allclose",
      [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
        return !any_host(unary(PointwiseOp::LogicalNot, isclose(a, b, rtol, atol, equal_nan)));
      },
      py::arg("other"), py::arg("rtol") = 1e-5, py::arg("atol") = 1e-8, py::arg("equal_nan") = false,
      "True if isclose() holds everywhere.");
}

}  // namespace weft
