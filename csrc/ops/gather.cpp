#include "ops/gather.h"

#include "kernels/gather.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

// What a kernel said about the indices.
void refuse_wrong(const char* op, const Tensor& bad, const Tensor& index, int64_t size, int64_t dim) {
  at_each_run({bad, index}, [op, size, dim](const TensorList& t) {
    int64_t at = t[0].item_int();
    if (at == INT64_MAX) return;
    int64_t value = t[1].as_view({}, {}, t[1].get()->offset + at).item_int();
    fail(ErrorKind::Index,
         cat("[", op, "] index ", value, " is out of bounds for dimension ", dim, " with size ", size));
  });
}

}  // namespace

void check_in_range(const char* op, const Tensor& index, int64_t size, int64_t dim) {
  Tensor bad = Tensor::empty({}, DType::Int64, index.device());
  launch(op, index.device(), kernels<GatherKernels>(index.device()).check,
         IndexCheck{bad.ptr<int64_t>(), index.ptr<int64_t>(), index.numel(), size}, (double)index.numel());
  refuse_wrong(op, bad, index, size, dim);
}

namespace {

// x and an index along `dim`: where they differ in other dimensions, x is cut to the index's size. The indices
// themselves are still to be checked.
struct Along {
  int dim;
  Tensor index, x;  // contiguous int64; a view of x
  int64_t outer, count, size, inner;
};

Along align(const char* op, const Tensor& x, int64_t dim, const Tensor& index) {
  WEFT_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32 || index.numel() == 0, Type, "[", op,
             "] expected an index of int64 or int32, got ", name_of(index.dtype()));
  WEFT_CHECK(index.device() == x.device(), Runtime, "[", op, "] expected the index on ", to_string(x.device()),
             ", got ", to_string(index.device()));
  Tensor flat = x.dim() ? x.detach() : reshape(x.detach(), {1});
  Tensor at = index.dim() ? index : reshape(index, {1});
  WEFT_CHECK(flat.dim() == at.dim() || at.numel() == 0, Runtime, "[", op, "] expected an index of ", x.dim(),
             " dimensions, as the input, got ", to_string(index.shape()));
  Along a{};
  a.dim = wrap_dim(op, dim, flat.dim());
  a.outer = a.inner = 1;
  for (int d = 0; d < flat.dim() && at.numel() > 0; ++d) {
    int64_t n = at.shape()[d];
    if (d == a.dim) continue;
    WEFT_CHECK(n <= flat.shape()[d], Runtime, "[", op,
               "] expected an index no larger than the input apart from dimension ", a.dim, ", got ",
               to_string(index.shape()), " for ", to_string(x.shape()));
    if (n < flat.shape()[d]) flat = narrow(flat, d, 0, n);
    (d < a.dim ? a.outer : a.inner) *= n;
  }
  a.index = contiguous(to(at, DType::Int64));
  a.x = flat;
  a.count = at.numel() ? at.shape()[a.dim] : 0;
  a.size = flat.shape()[a.dim];
  return a;
}

// x[..., index, ...] = src, or op(x[...], src), off the tape; src has the index's shape, or no dimensions: one value
// for all.
void scatter_into(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                  ScatterOp kind) {
  GradMode off(false);
  Along a = align(op, x, dim, index);
  if (a.count == 0) return;
  check_in_range(op, a.index, a.size, a.dim);
  Tensor s = contiguous(src.detach()), y = contiguous(a.x);
  if (s.get()->storage == y.get()->storage) s = clone(s);
  launch(op, x.device(), kernels<GatherKernels>(x.device()).scatter,
         Scatter{y.data(), y.data(), s.data(), a.index.ptr<int64_t>(), nullptr, a.outer, a.count, a.size, a.inner,
                 src.numel() == a.index.numel(), x.dtype(), kind},
         (double)a.index.numel() * 4);
  if (!a.x.is_contiguous()) copy_into(a.x, y);
}

// The same into a copy of x; along the last dimension in one pass.
Tensor scattered(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, ScatterOp kind) {
  GradMode off(false);
  Along a = align(op, x, dim, index);
  if (a.count == 0 || a.inner > 1 || a.x.numel() != x.numel() || !x.is_contiguous()) {
    Tensor y = clone(x.detach());
    scatter_into(op, y, dim, index, src, kind);
    return y;
  }
  Tensor y = Tensor::empty_like(x), s = contiguous(src.detach()), bad = Tensor::empty({}, DType::Int64, x.device());
  launch(op, x.device(), kernels<GatherKernels>(x.device()).scatter,
         Scatter{y.data(), x.data(), s.data(), a.index.ptr<int64_t>(), bad.ptr<int64_t>(), a.outer, a.count, a.size,
                 a.inner, src.numel() == a.index.numel(), x.dtype(), kind},
         (double)a.index.numel() * 4);
  refuse_wrong(op, bad, a.index, a.size, a.dim);
  return y;
}

// Set and Add.
Tensor scatter(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, bool add,
               bool inplace) {
  ScatterOp kind = add ? ScatterOp::Add : ScatterOp::Set;
  auto backward = [dim, add, kept = needs_grad(x, src) ? Saved(index) : Saved()](Backward& b) {
    Tensor at = kept.get(b), dx = b.dy(), dsrc;
    if (b.needs(0) && !add) dx = scatter("scatter", b.dy(), dim, at, zero_like(dx), false, false);
    if (b.needs(1)) dsrc = gather(b.dy(), dim, at);
    return b.grads(dx, dsrc);
  };
  if (inplace) {
    InPlace change(op, x);
    scatter_into(op, x, dim, index, src, kind);
    change.done();
    if (needs_grad(x, src)) record_inplace(op, x, {x, src}, backward);
    return x;
  }
  Tensor y = scattered(op, x, dim, index, src, kind);
  if (needs_grad(x, src)) record(op, {x, src}, {y}, backward);
  return y;
}

Tensor fold(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, ScatterOp kind);

// Those that are the extreme share its gradient evenly.
TensorList extreme_backward(Backward& b, int64_t dim, const Tensor& at, const Tensor& x, const Tensor& src,
                            const Tensor& y) {
  Tensor chosen_x = to(eq(x, y), x.dtype()), chosen_src = to(eq(src, gather(y, dim, at)), x.dtype());
  Tensor share = div(b.dy(), scatter_add(chosen_x, dim, at, chosen_src));
  return b.grads(mul(chosen_x, share), mul(chosen_src, gather(share, dim, at)));
}

// The product of the others, without dividing by a zero: where there is one, it is left out of the product instead.
TensorList product_backward(Backward& b, int64_t dim, const Tensor& at, const Tensor& x, const Tensor& src,
                            const Tensor& y) {
  Tensor zero = zero_like(x), one = Tensor::full({}, 1, x.dtype(), x.device()), dx, dsrc;
  if (b.needs(0)) {
    Tensor divisor = where(eq(x, zero), one, x);
    dx = div(mul(b.dy(), fold(divisor, dim, at, src, ScatterOp::Mul)), divisor);
  }
  if (b.needs(1)) {
    Tensor is_zero = eq(src, zero), zeros = to(is_zero, x.dtype());
    Tensor count = scatter_add(Tensor::zeros(x.shape(), x.dtype(), x.device()), dim, at, zeros);
    Tensor alone = eq(mul(zeros, gather(count, dim, at)), one);
    Tensor others = gather(mul(b.dy(), fold(x, dim, at, where(alone, one, src), ScatterOp::Mul)), dim, at);
    dsrc = where(alone, others, div(gather(mul(b.dy(), y), dim, at), where(is_zero, one, src)));
  }
  return b.grads(dx, dsrc);
}

// Mul, Max and Min: x combined with all elements of src that an index sends there.
Tensor fold(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, ScatterOp kind) {
  Tensor y = scattered("scatter_reduce", x, dim, index, src, kind);
  if (needs_grad(x, src))
    record("scatter_reduce", {x, src}, {y},
           [dim, kind, at = Saved(index), x = Saved(x), src = Saved(src), y = Saved::output(y)](Backward& b) {
             auto* backward = kind == ScatterOp::Mul ? product_backward : extreme_backward;
             return backward(b, dim, at.get(b), x.get(b), src.get(b), y.get(b));
           });
  return y;
}

// What the user gave as src, cut to the index's shape on the tape.
Tensor source(const char* op, const Tensor& x, const Tensor& index, Tensor src) {
  WEFT_CHECK(src.dtype() == x.dtype(), Runtime, "[", op, "] expected src of the input's dtype ", name_of(x.dtype()),
             ", got ", name_of(src.dtype()));
  WEFT_CHECK(src.device() == x.device(), Runtime, "[", op, "] expected src on ", to_string(x.device()), ", got ",
             to_string(src.device()));
  if (index.numel() == 0 && src.dim() != index.dim()) return Tensor::empty(index.shape(), x.dtype(), x.device());
  WEFT_CHECK(src.dim() == index.dim(), Runtime, "[", op, "] expected src of ", index.dim(),
             " dimensions, as the index, got ", to_string(src.shape()));
  for (int d = 0; d < src.dim(); ++d) {
    int64_t n = index.shape()[d];
    WEFT_CHECK(n <= src.shape()[d], Runtime, "[", op, "] expected an index no larger than src, got ",
               to_string(index.shape()), " for ", to_string(src.shape()));
    if (n < src.shape()[d]) src = narrow(src, d, 0, n);
  }
  return src;
}

ScatterOp scatter_op(const char* op, const std::string& name) {
  if (name == "add" || name == "sum") return ScatterOp::Add;
  if (name == "multiply" || name == "prod") return ScatterOp::Mul;
  if (name == "amax") return ScatterOp::Max;
  WEFT_CHECK(name == "amin", Runtime, "[", op, "] unknown reduce '", name, "'");
  return ScatterOp::Min;
}

Tensor scatter_combined(const Tensor& x, int64_t dim, const Tensor& index, Tensor src, const std::string& reduce) {
  src = source("scatter_reduce", x, index, src);
  ScatterOp kind = scatter_op("scatter_reduce", reduce);
  return kind == ScatterOp::Add ? scatter_add(x, dim, index, src) : fold(x, dim, index, src, kind);
}

Tensor scatter_any(const Tensor& x, int64_t dim, const Tensor& index, Tensor src, const std::optional<std::string>& how,
                   bool inplace) {
  src = source("scatter", x, index, src);
  if (!how) return scatter("scatter", x, dim, index, src, false, inplace);
  WEFT_CHECK(*how == "add" || *how == "multiply", Runtime, "[scatter] reduce is 'add' or 'multiply', got '", *how, "'");
  Tensor y = scatter_combined(x, dim, index, src, *how), self = x;
  return inplace ? copy_(self, y) : y;
}

// Negative indices count from the end.
Tensor from_the_end(const Tensor& index, int64_t size) {
  WEFT_CHECK(index.dtype() == DType::Int64, Runtime, "[take_along_dim] expected indices of int64, got ",
             name_of(index.dtype()));
  return where(lt(index, zero_like(index)), add(index, Tensor::full({}, (double)size, DType::Int64, index.device())),
               index);
}

Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim) {
  if (!dim) return gather(reshape(x, {-1}), 0, from_the_end(reshape(indices, {-1}), x.numel()));
  WEFT_CHECK(x.dim() == indices.dim(), Value, "[take_along_dim] expected indices of ", x.dim(),
             " dimensions, as the input, got ", to_string(indices.shape()));
  int d = wrap_dim("take_along_dim", *dim, x.dim());
  Dims a = x.shape(), b = indices.shape();
  a[d] = b[d] = 1;
  Dims common = broadcast_shapes("take_along_dim", a, b), x_shape = common, index_shape = common;
  x_shape[d] = x.shape()[d];
  index_shape[d] = indices.shape()[d];
  return gather(expand(x, x_shape), d, expand(from_the_end(indices, x.shape()[d]), index_shape));
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  Tensor y = Tensor::empty(index.shape(), x.dtype(), x.device());
  {
    GradMode off(false);
    Along a = align("gather", x, dim, index);
    if (a.count > 0) {
      Tensor from = contiguous(a.x), bad = Tensor::empty({}, DType::Int64, x.device());
      launch("gather", x.device(), kernels<GatherKernels>(x.device()).gather,
             Gather{y.data(), from.data(), a.index.ptr<int64_t>(), bad.ptr<int64_t>(), a.outer, a.count, a.size,
                    a.inner, x.dtype()},
             (double)y.numel() * 4);
      refuse_wrong("gather", bad, a.index, a.size, a.dim);
    }
  }
  if (needs_grad(x))
    record("gather", {x}, {y}, [dim, kept = Saved(index), shape = x.shape()](Backward& b) {
      Tensor zeros = Tensor::zeros(shape, b.dy().dtype(), b.dy().device());
      return b.grads(scatter("scatter_add", zeros, dim, kept.get(b), b.dy(), true, false));
    });
  return y;
}

Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  return scatter("scatter_add", x, dim, index, source("scatter_add", x, index, src), true, false);
}

Tensor one_hot(const Tensor& x, int64_t classes) {
  WEFT_CHECK(x.dtype() == DType::Int64, Runtime, "[one_hot] expected class numbers of int64, got ", name_of(x.dtype()));
  if (classes < 0) {
    WEFT_CHECK(x.numel() > 0, Runtime, "[one_hot] expected num_classes for an empty tensor");
    classes = amax(x).item_int() + 1;
  }
  WEFT_CHECK(classes > 0, Runtime, "[one_hot] expected at least one class, got num_classes ", classes,
             "; class numbers must not be negative");
  Dims shape = x.shape();
  shape.push_back(classes);
  Tensor y = Tensor::zeros(shape, DType::Int64, x.device());
  scatter_into("one_hot", y, -1, unsqueeze(x, -1), Tensor::full({}, 1, DType::Int64, x.device()), ScatterOp::Set);
  return y;
}

void bind_gather(py::module_& m) {
  def_both(m, "gather", gather, py::arg("dim"), py::arg("index"),
           "Elements of the input by an index along dim; the index has as many dimensions and gives the shape.");
  for (bool inplace : {false, true}) {
    auto with_tensor = [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                                 const std::optional<std::string>& reduce) {
      return scatter_any(x, dim, index, src, reduce, inplace);
    };
    auto with_number = [inplace](const Tensor& x, int64_t dim, const Tensor& index, double value,
                                 const std::optional<std::string>& reduce) {
      Tensor v = Tensor::full({}, value, x.dtype(), x.device());
      if (reduce) return scatter_any(x, dim, index, expand(v, index.shape()), reduce, inplace);
      return scatter("scatter", x, dim, index, v, false, inplace);
    };
    auto adding = [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
      return scatter("scatter_add", x, dim, index, source("scatter_add", x, index, src), true, inplace);
    };
    auto define = [&](const std::string& name, auto f, const auto&... extra) {
      def_method(name.c_str(), f, extra...);
      if (!inplace) m.def(name.c_str(), f, py::arg("input"), extra...);
    };
    std::string end = inplace ? "_" : "";
    define("scatter" + end, with_tensor, py::arg("dim"), py::arg("index"), py::arg("src"), py::kw_only(),
           py::arg("reduce") = py::none(),
           "The input with elements, named by an index along dim, replaced by those of src or by one value, or with "
           "reduce 'add' or 'multiply' combined with them.");
    define("scatter" + end, with_number, py::arg("dim"), py::arg("index"), py::arg("value"), py::kw_only(),
           py::arg("reduce") = py::none());
    define("scatter_add" + end, adding, py::arg("dim"), py::arg("index"), py::arg("src"),
           "The input with the elements of src added where an index along dim says, in order.");
  }
  m.def("_scatter_combined", scatter_combined);
  def_both(m, "take_along_dim", take_along_dim, py::arg("indices"), py::arg("dim") = py::none(),
           "gather() with broadcasting; of the flattened input without dim.");
  m.def("one_hot", one_hot, py::arg("tensor"), py::arg("num_classes") = -1,
        "1 at the class number, else 0, along a new last dimension; num_classes: default one more than the largest.");
}

}  // namespace weft
