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

void check_in_range(const char* op, const Tensor& index, int64_t size, int64_t dim) {
  Tensor bad = Tensor::empty({}, DType::Int64, index.device());
  launch(op, index.device(), kernels<GatherKernels>(index.device()).check,
         IndexCheck{bad.ptr<int64_t>(), index.ptr<int64_t>(), index.numel(), size}, (double)index.numel());
  int64_t at = bad.item_int();
  if (at == INT64_MAX) return;
  int64_t value = index.as_view({}, {}, index.get()->offset + at).item_int();
  fail(ErrorKind::Index, cat("[", op, "] index ", value, " is out of bounds for dimension ", dim, " with size ", size));
}

// x and an index along `dim`, checked: where they differ in other dimensions, x is cut to the index's size.
struct Along {
  int dim;
  Tensor index, x;  // contiguous int64; a view of x
  int64_t outer, count, size, inner;
};

Along align(const char* op, const Tensor& x, int64_t dim, const Tensor& index) {
  WEFT_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, Type, "[", op,
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
  check_in_range(op, a.index, a.size, a.dim);
  return a;
}

// x[..., index, ...] = src or += src, off the tape; src has the index's shape, or no dimensions: one value for all.
void scatter_into(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, bool add) {
  GradMode off(false);
  Along a = align(op, x, dim, index);
  if (a.count == 0) return;
  Tensor s = contiguous(src.detach()), y = contiguous(a.x);
  if (s.get()->storage == y.get()->storage) s = clone(s);
  launch(op, x.device(), kernels<GatherKernels>(x.device()).scatter,
         Scatter{y.data(), s.data(), a.index.ptr<int64_t>(), a.outer, a.count, a.size, a.inner,
                 src.numel() == a.index.numel(), x.dtype(), add},
         (double)a.index.numel() * 4);
  if (!a.x.is_contiguous()) copy_into(a.x, y);
}

Tensor scatter(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src, bool add,
               bool inplace) {
  auto backward = [dim, add, kept = needs_grad(x, src) ? Saved(index) : Saved()](Backward& b) {
    Tensor at = kept.get(b), dx = b.dy(), dsrc;
    if (b.needs(0) && !add)
      dx = scatter("scatter", b.dy(), dim, at, Tensor::zeros({}, dx.dtype(), dx.device()), false, false);
    if (b.needs(1)) dsrc = gather(b.dy(), dim, at);
    return b.grads(dx, dsrc);
  };
  if (inplace) {
    InPlace change(op, x);
    scatter_into(op, x, dim, index, src, add);
    change.done();
    if (needs_grad(x, src)) record_inplace(op, x, {x, src}, backward);
    return x;
  }
  Tensor y = clone(x.detach());
  scatter_into(op, y, dim, index, src, add);
  if (needs_grad(x, src)) record(op, {x, src}, {y}, backward);
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

Tensor number(const Tensor& x, double value) { return Tensor::full({}, value, x.dtype(), x.device()); }

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  WEFT_CHECK(index.dim() <= 1, Index, "[index_select] expected an index of one dimension, got ",
             to_string(index.shape()));
  WEFT_CHECK(index.dtype() == DType::Int64 || index.dtype() == DType::Int32, Type,
             "[index_select] expected an index of int64 or int32, got ", name_of(index.dtype()));
  Tensor at = contiguous(to(index.dim() ? index : reshape(index, {1}), DType::Int64));
  Tensor rows = x.dim() ? x : reshape(x, {1});
  int d = wrap_dim("index_select", dim, rows.dim());
  check_in_range("index_select", at, rows.shape()[d], d);
  Tensor y = index_dims(rows, d, {at});
  return x.dim() ? y : reshape(y, {});
}

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, double alpha, bool inplace) {
  int d = wrap_dim("index_add", dim, x.dim());
  WEFT_CHECK(index.dim() == 1 && (index.dtype() == DType::Int64 || index.dtype() == DType::Int32), Index,
             "[index_add] expected an index of one dimension and int64 or int32, got ", name_of(index.dtype()), " ",
             to_string(index.shape()));
  WEFT_CHECK(source.dtype() == x.dtype(), Runtime, "[index_add] expected source of the input's dtype ",
             name_of(x.dtype()), ", got ", name_of(source.dtype()));
  Dims expected = x.shape();
  expected[d] = index.shape()[0];
  WEFT_CHECK(source.shape() == expected, Runtime, "[index_add] expected source of shape ", to_string(expected),
             ", got ", to_string(source.shape()));
  Tensor at = contiguous(to(index, DType::Int64));
  check_in_range("index_add", at, x.shape()[d], d);
  Tensor y = inplace ? x : clone(x);
  index_put(y, d, {at}, alpha == 1 ? source : mul(source, alpha), true);
  return y;
}

Tensor take_along_dim(const Tensor& x, const Tensor& indices, std::optional<int64_t> dim) {
  if (!dim) return gather(reshape(x, {-1}), 0, reshape(indices, {-1}));
  WEFT_CHECK(x.dim() == indices.dim(), Value, "[take_along_dim] expected indices of ", x.dim(),
             " dimensions, as the input, got ", to_string(indices.shape()));
  int d = wrap_dim("take_along_dim", *dim, x.dim());
  Dims a = x.shape(), b = indices.shape();
  a[d] = b[d] = 1;
  Dims common = broadcast_shapes("take_along_dim", a, b), x_shape = common, index_shape = common;
  x_shape[d] = x.shape()[d];
  index_shape[d] = indices.shape()[d];
  return gather(expand(x, x_shape), d, expand(indices, index_shape));
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  WEFT_CHECK(mask.dtype() == DType::Bool, Runtime, "[masked_select] expected a mask of bool, got ",
             name_of(mask.dtype()));
  Dims shape = broadcast_shapes("masked_select", x.shape(), mask.shape());
  Tensor at = reshape(nonzero(reshape(expand(mask, shape), {-1})), {-1});
  return index_dims(reshape(expand(x, shape), {-1}), 0, {at});
}

}  // namespace

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  Tensor y = Tensor::empty(index.shape(), x.dtype(), x.device());
  {
    GradMode off(false);
    Along a = align("gather", x, dim, index);
    Tensor from = contiguous(a.x);
    if (a.count > 0)
      launch("gather", x.device(), kernels<GatherKernels>(x.device()).gather,
             Gather{y.data(), from.data(), a.index.ptr<int64_t>(), a.outer, a.count, a.size, a.inner, x.dtype()},
             (double)y.numel() * 4);
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
  scatter_into("one_hot", y, -1, unsqueeze(x, -1), Tensor::full({}, 1, DType::Int64, x.device()), false);
  return y;
}

void bind_gather(py::module_& m) {
  def_both(m, "gather", gather, py::arg("dim"), py::arg("index"),
           "Elements of the input by an index along dim; the index has as many dimensions and gives the shape.");
  for (bool inplace : {false, true}) {
    auto with_tensor = [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
      return scatter("scatter", x, dim, index, source("scatter", x, index, src), false, inplace);
    };
    auto with_number = [inplace](const Tensor& x, int64_t dim, const Tensor& index, double value) {
      return scatter("scatter", x, dim, index, number(x, value), false, inplace);
    };
    auto adding = [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
      return scatter("scatter_add", x, dim, index, source("scatter_add", x, index, src), true, inplace);
    };
    auto index_adding = [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                                  double alpha) { return index_add(x, dim, index, source, alpha, inplace); };
    const char* doc = "The input with elements, named by an index along dim, replaced by those of src or by one value.";
    const char* doc_add = "The input with the elements of src added where an index along dim says, in order.";
    const char* doc_index = "The input with alpha * source added to its slices index along dim, in order.";
    if (inplace) {
      def_method("scatter_", with_tensor, py::arg("dim"), py::arg("index"), py::arg("src"), doc);
      def_method("scatter_", with_number, py::arg("dim"), py::arg("index"), py::arg("value"));
      def_method("scatter_add_", adding, py::arg("dim"), py::arg("index"), py::arg("src"), doc_add);
      def_method("index_add_", index_adding, py::arg("dim"), py::arg("index"), py::arg("source"), py::kw_only(),
                 py::arg("alpha") = 1.0, doc_index);
    } else {
      def_both(m, "scatter", with_tensor, py::arg("dim"), py::arg("index"), py::arg("src"), doc);
      def_both(m, "scatter", with_number, py::arg("dim"), py::arg("index"), py::arg("value"));
      def_both(m, "scatter_add", adding, py::arg("dim"), py::arg("index"), py::arg("src"), doc_add);
      def_both(m, "index_add", index_adding, py::arg("dim"), py::arg("index"), py::arg("source"), py::kw_only(),
               py::arg("alpha") = 1.0, doc_index);
    }
  }
  def_both(m, "index_select", index_select, py::arg("dim"), py::arg("index"),
           "The slices along dim that an index names.");
  def_both(m, "take_along_dim", take_along_dim, py::arg("indices"), py::arg("dim") = py::none(),
           "gather() with broadcasting; of the flattened input without dim.");
  def_both(m, "masked_select", masked_select, py::arg("mask"), "The elements where a mask is true, in order.");
  m.def("one_hot", one_hot, py::arg("tensor"), py::arg("num_classes") = -1,
        "1 at the class number, else 0, along a new last dimension; num_classes: default one more than the largest.");
}

}  // namespace weft
