// Operations that name slices or elements by an index: formulas of index_dims and index_put.
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/view.h"
#include "tensor/python.h"
#include "tensor/subscript.h"

namespace weft {
namespace {

// x with at least one dimension, and an index of one: what PyTorch makes of a number.
Tensor at_least_1d(const Tensor& t) { return t.dim() ? t : reshape(t, {1}); }

Tensor positions(const char* op, const Tensor& index) {
  WEFT_CHECK(index.dim() <= 1 && (index.dtype() == DType::Int64 || index.dtype() == DType::Int32), Index, "[", op,
             "] expected an index of one dimension and int64 or int32, got ", name_of(index.dtype()), " ",
             to_string(index.shape()));
  return contiguous(to(at_least_1d(index), DType::Int64));
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  Tensor at = positions("index_select", index), rows = at_least_1d(x);
  int d = wrap_dim("index_select", dim, rows.dim());
  check_in_range("index_select", at, rows.shape()[d], d);
  Tensor y = index_dims(rows, d, {at});
  if (x.dim()) return y;
  WEFT_CHECK(at.numel() == 1, Index, "[index_select] expected one index for a tensor without dimensions, got ",
             at.numel());
  return reshape(y, {});
}

// The slices of x that an index names replaced by those of `source`, or increased: in place, or in a copy.
Tensor index_change(const char* op, const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, bool add,
                    bool inplace) {
  WEFT_CHECK(source.dtype() == x.dtype(), Runtime, "[", op, "] expected source of the input's dtype ",
             name_of(x.dtype()), ", got ", name_of(source.dtype()));
  Tensor at = positions(op, index), rows = inplace ? at_least_1d(x) : clone(at_least_1d(x));
  int d = wrap_dim(op, dim, rows.dim());
  check_in_range(op, at, rows.shape()[d], d);
  Dims expected = rows.shape();
  expected[d] = at.numel();
  bool number = source.dim() == 0 && numel_of(expected) == 1;
  WEFT_CHECK(number || source.shape() == expected, Runtime, "[", op, "] expected source of shape ", to_string(expected),
             ", got ", to_string(source.shape()));
  index_put(rows, d, {at}, reshape(source, expected), add);
  return inplace ? x : reshape(rows, x.shape());
}

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Operand& alpha,
                 bool inplace) {
  Operand s;
  s.tensor = source;
  bool once = alpha.number == 1;
  return index_change("index_add", x, dim, index,
                      once ? source : to(binary_operand(PointwiseOp::Mul, s, alpha), source.dtype()), true, inplace);
}

Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, bool inplace) {
  return index_change("index_copy", x, dim, index, source, false, inplace);
}

Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Operand& value, bool inplace) {
  Tensor v = value.tensor;
  if (value.is_number()) {
    v = Tensor::empty({}, x.dtype(), x.device());
    if (value.category == DType::Float32)
      fill_raw(v, value.number);
    else
      fill_raw_int(v, value.integer);
  }
  WEFT_CHECK(v.dim() == 0, Runtime, "[index_fill] expected a number or a tensor without dimensions, got shape ",
             to_string(v.shape()));
  Tensor at = positions("index_fill", index), rows = at_least_1d(x), self = x;
  int d = wrap_dim("index_fill", dim, rows.dim());
  Dims shape = Dims::filled(rows.dim(), 1);
  shape[d] = rows.shape()[d];
  Tensor mask = Tensor::zeros(shape, DType::Bool, x.device());
  index_put(mask, d, {at}, Tensor::full({}, 1, DType::Bool, x.device()), false);
  Tensor y = reshape(where(mask, to(v, x.dtype()), rows), x.shape());
  return inplace ? copy_(self, y) : y;
}

Tensor take_elements(const Tensor& x, const Tensor& index) {
  WEFT_CHECK(index.dtype() == DType::Int64, Runtime, "[take] expected an index of int64, got ", name_of(index.dtype()));
  return index_dims(reshape(x, {-1}), 0, {index});
}

Tensor put_elements(const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
  WEFT_CHECK(index.dtype() == DType::Int64, Runtime, "[put] expected an index of int64, got ", name_of(index.dtype()));
  WEFT_CHECK(source.dtype() == x.dtype(), Runtime, "[put] expected source of the input's dtype ", name_of(x.dtype()),
             ", got ", name_of(source.dtype()));
  WEFT_CHECK(source.numel() == index.numel(), Runtime, "[put] expected as many elements of source as indices, got ",
             source.numel(), " and ", index.numel());
  Tensor y = clone(reshape(x, {-1}));
  index_put(y, 0, {reshape(index, {-1})}, reshape(source, {-1}), accumulate);
  return reshape(y, x.shape());
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  WEFT_CHECK(mask.dtype() == DType::Bool, Runtime, "[masked_select] expected a mask of bool, got ",
             name_of(mask.dtype()));
  Dims shape = broadcast_shapes("masked_select", x.shape(), mask.shape());
  Tensor at = reshape(nonzero(reshape(expand(mask, shape), {-1})), {-1});
  return index_dims(reshape(expand(x, shape), {-1}), 0, {at});
}

py::object nonzero_of(const Tensor& x, bool as_tuple) {
  if (!as_tuple) return py::cast(nonzero(x));
  Tensor at = nonzero(at_least_1d(x));
  py::tuple columns((size_t)at.shape()[1]);
  for (int64_t d = 0; d < at.shape()[1]; ++d) columns[(size_t)d] = py::cast(select(at, 1, d));
  return columns;
}

}  // namespace

void bind_index(py::module_& m) {
  def_both(m, "index_select", index_select, py::arg("dim"), py::arg("index"),
           "The slices along dim that an index names.");
  for (bool inplace : {false, true}) {
    auto define = [&](const std::string& name, auto f, const auto&... extra) {
      def_method((name + (inplace ? "_" : "")).c_str(), f, extra...);
      if (!inplace) m.def(name.c_str(), f, py::arg("input"), extra...);
    };
    define(
        "index_add",
        [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, const Operand& alpha) {
          return index_add(x, dim, index, source, alpha, inplace);
        },
        py::arg("dim"), py::arg("index"), py::arg("source"), py::kw_only(), py::arg("alpha") = 1,
        "The input with alpha * source added to its slices index along dim, in order.");
    define(
        "index_copy",
        [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
          return index_copy(x, dim, index, source, inplace);
        },
        py::arg("dim"), py::arg("index"), py::arg("source"),
        "The input with the slices of source in place of its slices index along dim.");
    define(
        "index_fill",
        [inplace](const Tensor& x, int64_t dim, const Tensor& index, const Operand& value) {
          return index_fill(x, dim, index, value, inplace);
        },
        py::arg("dim"), py::arg("index"), py::arg("value"), "The input with one value in its slices index along dim.");
    define(
        "index_put",
        [inplace](const Tensor& x, const py::sequence& indices, const Tensor& values, bool accumulate) {
          return put_item(x, indices, values, accumulate, inplace);
        },
        py::arg("indices"), py::arg("values"), py::arg("accumulate") = false,
        "The input with x[indices] = values, or +=; indices: a tuple of integer or bool tensors.");
  }
  def_both(m, "take", take_elements, py::arg("index"),
           "Elements of the flattened input; the result has the index's shape.");
  def_both(m, "put", put_elements, py::arg("index"), py::arg("source"), py::arg("accumulate") = false,
           "The input with the elements index of its flattened form replaced by, or added to, those of source.");
  def_both(m, "masked_select", masked_select, py::arg("mask"), "The elements where a mask is true, in order.");
  def_both(m, "nonzero", nonzero_of, py::kw_only(), py::arg("as_tuple") = false,
           "Indices of the elements that are not zero: a row each, or a tensor for each dimension.");
  def_both(m, "argwhere", nonzero, "Indices of the elements that are not zero, a row each.");
}

}  // namespace weft
