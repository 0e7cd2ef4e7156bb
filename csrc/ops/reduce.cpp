// Sums, products, extremes, truth and counts over any axes.
#include "ops/reduce.h"

#include <algorithm>

#include "ops/autocast.h"
#include "ops/cat.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/view.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

Reduction reduction_of(const char* op, const Tensor& x, const Dims& axes, bool keepdim) {
  Reduction r;
  for (int64_t axis : axes) {
    int d = wrap_dim(op, axis, std::max(x.dim(), 1));
    WEFT_CHECK(!r.reduced[d], Runtime, "[", op, "] dim ", d, " appears more than once in ", to_string(axes));
    r.reduced[d] = true;
  }
  for (int d = 0; d < x.dim(); ++d) {
    if (axes.empty()) r.reduced[d] = true;
    r.kept_shape.push_back(r.reduced[d] ? 1 : x.shape()[d]);
    if (r.reduced[d]) r.count *= x.shape()[d];
    if (!r.reduced[d] || keepdim) r.shape.push_back(r.kept_shape[d]);
  }
  return r;
}

namespace {

struct Axis {
  int64_t size, x_stride, y_stride;
};

// Dimensions [from, a.size) of one kind: the largest stride first, neighbours merged where both arrays allow it.
// Strides of 0 (repeated elements) go outside, where they do not stand in the way of the contiguous ones.
int merge(Reduce& a, int from, Axis* axes, int n) {
  std::stable_sort(axes, axes + n, [](const Axis& p, const Axis& q) {
    return (uint64_t)(p.x_stride - 1) > (uint64_t)(q.x_stride - 1);
  });
  int at = from;
  for (int i = 0; i < n; ++i) {
    if (at > from && a.x_stride[at - 1] == axes[i].x_stride * axes[i].size &&
        a.y_stride[at - 1] == axes[i].y_stride * axes[i].size) {
      --at;
      a.size[at] *= axes[i].size;
    } else {
      a.size[at] = axes[i].size;
    }
    a.x_stride[at] = axes[i].x_stride;
    a.y_stride[at] = axes[i].y_stride;
    ++at;
  }
  return at - from;
}

bool adds_integers(ReduceOp op, DType t) { return (op == ReduceOp::Sum || op == ReduceOp::Prod) && !is_floating(t); }

}  // namespace

Tensor reduce_raw(const char* op, ReduceOp kind, const Tensor& x, const Reduction& r, DType dtype, double scale,
                  const Tensor& center) {
  Tensor y = Tensor::empty(r.shape, dtype, x.device());
  Reduce a{};
  a.y = y.data();
  a.x = x.data();
  a.center = center.defined() ? center.data() : nullptr;
  a.kept_numel = y.numel();
  a.reduced_numel = r.count;
  a.dtype = x.dtype();
  a.y_dtype = dtype;
  a.op = kind;
  a.scale = scale;
  Axis kept[kMaxDims], reduced[kMaxDims];
  int n_kept = 0, n_reduced = 0;
  Dims y_strides = contiguous_strides(r.kept_shape);
  for (int d = 0; d < x.dim(); ++d) {
    Axis axis{x.shape()[d], x.strides()[d], r.reduced[d] ? 0 : y_strides[d]};
    if (axis.size == 1) continue;
    (r.reduced[d] ? reduced[n_reduced++] : kept[n_kept++]) = axis;
  }
  a.kept = merge(a, 0, kept, n_kept);
  a.reduced = merge(a, a.kept, reduced, n_reduced);
  a.chunks = reduce_chunks(a);
  Workspace room(a.chunks > 1 ? a.chunks * a.kept_numel * 8 : 0, x.device());
  a.workspace = room.data();
  launch(op, x.device(), kernels<ReduceKernels>(x.device()).reduce, a, (double)a.kept_numel + (double)x.numel());
  return y;
}

Tensor spread(const Tensor& y, const Reduction& r, const Dims& shape) {
  return expand(y.shape() == r.kept_shape ? y : reshape(y, r.kept_shape), shape);
}

Tensor sum(const Tensor& x, const Dims& axes, bool keepdim) {
  Reduction r = reduction_of("sum", x, axes, keepdim);
  Tensor y = reduce_raw("sum", ReduceOp::Sum, x, r, adds_integers(ReduceOp::Sum, x.dtype()) ? DType::Int64 : x.dtype());
  if (needs_grad(x))
    record("sum", {x}, {y}, [r, shape = x.shape()](Backward& b) { return b.grads(spread(b.dy(), r, shape)); });
  return y;
}

Tensor sum_to(const Tensor& x, const Dims& shape) {
  if (x.shape() == shape) return x;
  Dims axes;
  int extra = x.dim() - shape.n;
  for (int d = 0; d < x.dim(); ++d)
    if (d < extra || (shape[d - extra] == 1 && x.shape()[d] != 1)) axes.push_back(d);
  return reshape(axes.empty() ? x : sum(x, axes, true), shape);
}

Tensor mean(const Tensor& x, const Dims& axes, bool keepdim) {
  WEFT_CHECK(is_floating(x.dtype()), Runtime, "[mean] expected a floating dtype, got ", name_of(x.dtype()),
             "; pass dtype= to convert first");
  Reduction r = reduction_of("mean", x, axes, keepdim);
  double scale = 1.0 / (double)r.count;
  Tensor y = reduce_raw("mean", ReduceOp::Sum, x, r, x.dtype(), scale);
  if (needs_grad(x))
    record("mean", {x}, {y},
           [r, scale, shape = x.shape()](Backward& b) { return b.grads(spread(mul(b.dy(), scale), r, shape)); });
  return y;
}

namespace {

// For each element of the last dimension the product of the others, by products alone: pairs are joined up to one and
// each passes what is outside it on to its two. Exact at zeros, and so are all its derivatives.
Tensor products_of_others(const Tensor& x) {
  int last = x.dim() - 1;
  int64_t n = x.shape()[last], half = (n + 1) / 2;
  if (n < 2) return Tensor::full(x.shape(), 1, x.dtype(), x.device());
  Dims edge = x.shape();
  edge[last] = 1;
  Tensor even = n % 2 ? join({x, Tensor::full(edge, 1, x.dtype(), x.device())}, last) : x;
  Tensor odd = slice(even, last, 1, 2 * half, 2);
  even = slice(even, last, 0, 2 * half, 2);
  Tensor outside = products_of_others(mul(even, odd));
  Dims whole = x.shape();
  whole[last] = 2 * half;
  Tensor y = join({unsqueeze(mul(outside, odd), last + 1), unsqueeze(mul(outside, even), last + 1)}, last + 1);
  return narrow(reshape(y, whole), last, 0, n);
}

// The same over the axes of a reduction, in the shape of x.
Tensor products_of_others(const Tensor& x, const Reduction& r) {
  Dims order, back = Dims::filled(x.dim(), 0), kept;
  for (int part = 0; part < 2; ++part)
    for (int d = 0; d < x.dim(); ++d)
      if (r.reduced[d] == (part == 1)) {
        back[d] = order.n;
        order.push_back(d);
        if (part == 0) kept.push_back(x.shape()[d]);
      }
  Tensor in_order = permute(x, order);
  kept.push_back(r.count);
  return permute(reshape(products_of_others(reshape(in_order, kept)), in_order.shape()), back);
}

}  // namespace

Tensor prod(const Tensor& x, const Dims& axes, bool keepdim) {
  Reduction r = reduction_of("prod", x, axes, keepdim);
  Tensor y =
      reduce_raw("prod", ReduceOp::Prod, x, r, adds_integers(ReduceOp::Prod, x.dtype()) ? DType::Int64 : x.dtype());
  if (needs_grad(x))
    record("prod", {x}, {y}, [r, x = Saved(x)](Backward& b) {
      // dx = product of the others: with one zero among them it is theirs where the zero is, with two it is 0.
      Tensor v = x.get(b), zero = Tensor::zeros({}, v.dtype(), v.device());
      if (grad_enabled()) return b.grads(mul(spread(b.dy(), r, v.shape()), products_of_others(v, r)));
      Tensor one = Tensor::full({}, 1, v.dtype(), v.device()), is_zero = eq(v, zero);
      Tensor others = where(is_zero, one, v);
      Dims axes;
      for (int d = 0; d < v.dim(); ++d)
        if (r.reduced[d]) axes.push_back(d);
      Tensor zeros = to(v.dim() ? sum(is_zero, axes, true) : is_zero, v.dtype());
      Tensor nonzero = mul(spread(b.dy(), r, v.shape()), v.dim() ? prod(others, axes, true) : others);
      Tensor at_zero = where(eq(zeros, one), nonzero, zero),
             elsewhere = where(eq(zeros, zero), div(nonzero, others), zero);
      return b.grads(where(is_zero, at_zero, elsewhere));
    });
  return y;
}

namespace {

Tensor extreme(const char* op, ReduceOp kind, const Tensor& x, const Dims& axes, bool keepdim) {
  Reduction r = reduction_of(op, x, axes, keepdim);
  WEFT_CHECK(r.count > 0, Index, "[", op, "] expected at least one element to reduce, got shape ",
             to_string(x.shape()));
  Tensor y = reduce_raw(op, kind, x, r, x.dtype());
  if (needs_grad(x))
    record(op, {x}, {y}, [r, x = Saved(x), y = Saved::output(y)](Backward& b) {
      // Shared evenly among equals.
      Tensor v = x.get(b), best = spread(y.get(b), r, v.shape());
      Tensor hit = to(eq(v, best), v.dtype());
      Reduction again = r;
      again.shape = r.kept_shape;
      Tensor hits = reduce_raw("amax", ReduceOp::Sum, hit, again, v.dtype());
      return b.grads(mul(hit, div(spread(b.dy(), r, v.shape()), hits)));
    });
  return y;
}

}  // namespace

Tensor amax(const Tensor& x, const Dims& axes, bool keepdim) {
  return extreme("amax", ReduceOp::Max, x, axes, keepdim);
}
Tensor amin(const Tensor& x, const Dims& axes, bool keepdim) {
  return extreme("amin", ReduceOp::Min, x, axes, keepdim);
}

bool any_host(const Tensor& x) {
  return reduce_raw("any", ReduceOp::Any, x, reduction_of("any", x, {}, false), DType::Bool).item_int() != 0;
}

namespace {

using Axes = std::optional<Dims>;

Dims axes_or_all(const Axes& dim) { return dim ? *dim : Dims(); }
Tensor cast(const Tensor& x, std::optional<DType> dtype) { return dtype ? to(x, *dtype) : x; }

Tensor truth(const char* op, ReduceOp kind, const Tensor& x, const Axes& dim, bool keepdim) {
  DType dtype = x.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool;  // PyTorch's exception
  return reduce_raw(op, kind, x, reduction_of(op, x, axes_or_all(dim), keepdim), dtype);
}

}  // namespace

void bind_reduce(py::module_& m) {
  py::arg_v dim("dim", py::none()), keepdim("keepdim", false), dtype("dtype", py::none());
  def_both(
      m, "sum",
      [](const Tensor& x, const Axes& dim, bool keepdim, std::optional<DType> dtype) {
        return cast(sum(cast(x, dtype), axes_or_all(dim), keepdim), dtype);
      },
      dim, keepdim, py::kw_only(), dtype,
      "Sum over `dim` (an axis, several, or None for all). Integers and bool add up in int64; `dtype` converts first.");
  def_both(
      m, "mean",
      [](const Tensor& x, const Axes& dim, bool keepdim, std::optional<DType> dtype) {
        return mean(cast(x, dtype), axes_or_all(dim), keepdim);
      },
      dim, keepdim, py::kw_only(), dtype, "Mean over `dim` (an axis, several, or None for all). Floating dtypes only.");
  def_both(m, "prod",
           autocasting<Autocast::Float32>(
               [](const Tensor& x, std::optional<int64_t> dim, bool keepdim, std::optional<DType> dtype) {
                 return cast(prod(cast(x, dtype), dim ? Dims{*dim} : Dims(), keepdim), dtype);
               }),
           dim, keepdim, py::kw_only(), dtype,
           "Product over one axis, or over all. Integers and bool multiply in int64.");
  def_both(
      m, "amax", [](const Tensor& x, const Axes& dim, bool keepdim) { return amax(x, axes_or_all(dim), keepdim); }, dim,
      keepdim,
      "Largest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none.");
  def_both(
      m, "amin", [](const Tensor& x, const Axes& dim, bool keepdim) { return amin(x, axes_or_all(dim), keepdim); }, dim,
      keepdim,
      "Smallest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none.");
  def_both(
      m, "any",
      [](const Tensor& x, const Axes& dim, bool keepdim) { return truth("any", ReduceOp::Any, x, dim, keepdim); }, dim,
      keepdim, "Whether any element over `dim` is nonzero.");
  def_both(
      m, "all",
      [](const Tensor& x, const Axes& dim, bool keepdim) { return truth("all", ReduceOp::All, x, dim, keepdim); }, dim,
      keepdim, "Whether all elements over `dim` are nonzero.");
  def_both(
      m, "count_nonzero",
      [](const Tensor& x, const Axes& dim) {
        return reduce_raw("count_nonzero", ReduceOp::CountNonzero, x,
                          reduction_of("count_nonzero", x, axes_or_all(dim), false), DType::Int64);
      },
      dim, "How many elements over `dim` are nonzero, as int64.");
  def_out_and_axis(m, {"sum", "mean", "prod", "amax", "amin", "any", "all", "count_nonzero"});
}

}  // namespace weft
