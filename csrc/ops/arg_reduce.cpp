// Extremes along one axis with their positions, and weft.max and weft.min in PyTorch's three forms.
#include "kernels/arg_reduce.h"

#include <algorithm>

#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

// Sizes before, along and after an axis.
struct Split {
  int64_t outer = 1, n = 1, inner = 1;
  Split(const Dims& shape, int axis) {
    for (int d = 0; d < shape.n; ++d) (d < axis ? outer : d == axis ? n : inner) *= shape[d];
  }
};

Dims without(Dims shape, int axis, bool keepdim) {
  if (shape.n == 0) return shape;
  if (keepdim)
    shape[axis] = 1;
  else
    shape.erase(axis);
  return shape;
}

Tensor positions(const char* op, const Tensor& x, int axis, bool keepdim, bool max) {
  Split s(x.shape(), axis);
  WEFT_CHECK(s.n > 0, Index, "[", op, "] expected dim ", axis, " to have at least one element, got shape ",
             to_string(x.shape()));
  WEFT_CHECK(s.n <= INT32_MAX, NotImplemented, "[", op, "] expected fewer than 2^31 elements along dim ", axis);
  Tensor in = contiguous(is_floating(x.dtype()) ? x.detach() : to(x, DType::Int64));
  Tensor indices = Tensor::empty(without(x.shape(), axis, keepdim), DType::Int64, x.device());
  ArgReduce a{indices.ptr<int64_t>(), in.data(), s.outer, s.n, s.inner, in.dtype(), max};
  launch(op, x.device(), kernels<ArgReduceKernels>(x.device()).arg_reduce, a, (double)x.numel());
  return indices;
}

// take_at and put_at are each other's gradients, so that all derivatives exist. `shape` is that of the longer array.
Tensor take_at(const char* op, const Tensor& x, const Tensor& indices, int axis);

Tensor put_at(const char* op, const Tensor& y, const Tensor& indices, int axis, const Dims& shape) {
  Split s(shape, axis);
  Tensor x = Tensor::empty(shape, y.dtype(), y.device()), from = contiguous(y);
  ArgMove a{from.data(), x.data(), indices.ptr<int64_t>(), s.outer, s.n, s.inner, y.dtype()};
  launch(op, x.device(), kernels<ArgReduceKernels>(x.device()).put, a, (double)x.numel());
  if (needs_grad(y)) record(op, {y}, {x}, [=](Backward& b) { return b.grads(take_at(op, b.dy(), indices, axis)); });
  return x;
}

Tensor take_at(const char* op, const Tensor& x, const Tensor& indices, int axis) {
  Split s(x.shape(), axis);
  Tensor y = Tensor::empty(indices.shape(), x.dtype(), x.device()), from = contiguous(x);
  ArgMove a{y.data(), from.data(), indices.ptr<int64_t>(), s.outer, s.n, s.inner, x.dtype()};
  launch(op, x.device(), kernels<ArgReduceKernels>(x.device()).take, a, (double)y.numel());
  if (needs_grad(x))
    record(op, {x}, {y},
           [=, shape = x.shape()](Backward& b) { return b.grads(put_at(op, b.dy(), indices, axis, shape)); });
  return y;
}

// The order of x's dimensions in memory if x is contiguous in that order and not as it is: a transposed array is read
// where it lies. Else empty.
Dims memory_order(const Tensor& x) {
  Dims order;
  if (x.is_contiguous()) return order;
  for (int d = 0; d < x.dim(); ++d) order.push_back(d);
  std::stable_sort(order.begin(), order.end(), [&](int64_t p, int64_t q) { return x.strides()[p] > x.strides()[q]; });
  return permute(x.detach(), order).is_contiguous() ? order : Dims();
}

struct Extremes {
  Tensor values, indices;  // values on the tape if asked for
};
Extremes find(const char* op, const Tensor& x, int axis, bool keepdim, bool max, bool with_values) {
  Dims order = memory_order(x);
  if (order.empty()) {
    Tensor indices = positions(op, x, axis, keepdim, max);
    return {with_values ? take_at(op, x, indices, axis) : Tensor(), indices};
  }
  Dims back = order;
  for (int d = 0; d < order.n; ++d) back[(int)order[d]] = d;
  Tensor in_order = permute(x, order), indices = positions(op, in_order, (int)back[axis], true, max);
  auto restore = [&](const Tensor& y) {
    Tensor z = permute(y, back);
    return contiguous(keepdim ? z : squeeze(z, axis));
  };
  return {with_values ? restore(take_at(op, in_order, indices, (int)back[axis])) : Tensor(), restore(indices)};
}

Tensor extreme_of_all(const char* op, const Tensor& x, bool max) {
  WEFT_CHECK(x.numel() > 0, Runtime, "[", op, "] expected at least one element, got shape ", to_string(x.shape()));
  return max ? amax(x) : amin(x);
}

Tensor arg(const char* op, const Tensor& x, std::optional<int64_t> dim, bool keepdim, bool max) {
  if (dim) return find(op, x.detach(), wrap_dim(op, *dim, x.dim() ? x.dim() : 1), keepdim, max, false).indices;
  Tensor y = positions(op, reshape(x.detach(), {-1}), 0, false, max);
  return keepdim ? reshape(y, Dims::filled(x.dim(), 1)) : y;
}

}  // namespace

Tensor argmax(const Tensor& x, int64_t dim, bool keepdim) { return arg("argmax", x, dim, keepdim, true); }

void bind_arg_reduce(py::module_& m) {
  py::arg_v keepdim("keepdim", false), any_dim("dim", py::none());
  auto bind_extreme = [&](const char* op, bool max) {
    py::object type = named_tuple(op, {"values", "indices"});
    def_both(m, op, [=](const Tensor& x) { return extreme_of_all(op, x, max); }, "The extreme element, as a scalar.");
    def_both(
        m, op, [=](const Tensor& x, const Tensor& other) { return max ? maximum(x, other) : minimum(x, other); },
        py::arg("other"), "Of two tensors, element by element.");
    def_both(
        m, op,
        [=](const Tensor& x, int64_t dim, bool keepdim) {
          Extremes e = find(op, x, wrap_dim(op, dim, x.dim() ? x.dim() : 1), keepdim, max, true);
          return type(e.values, e.indices);
        },
        py::arg("dim"), keepdim, "Along `dim`: a named tuple (values, indices), the first position among equals.");
  };
  bind_extreme("max", true);
  bind_extreme("min", false);
  def_both(
      m, "argmax",
      [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) { return arg("argmax", x, dim, keepdim, true); },
      any_dim, keepdim,
      "Position of the largest element along `dim` (or in the flattened tensor), the first of equals.");
  def_both(
      m, "argmin",
      [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) { return arg("argmin", x, dim, keepdim, false); },
      any_dim, keepdim,
      "Position of the smallest element along `dim` (or in the flattened tensor), the first of equals.");
  def_out_and_axis(m, {"max", "min", "argmax", "argmin"});
}

}  // namespace weft
