// Sparse matrices by rows (CSR): the structure is two integer tensors, the values a third.
#include "kernels/csr.h"

#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/index.h"
#include "ops/segment.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

struct Structure {
  Tensor crow, col;  // contiguous int64, checked
  int64_t rows, columns;
};

// The structure of the transpose, and which of the values each of its values is.
struct Transposed {
  Structure structure;
  Tensor order;
};

void check_indices(const char* op, const Tensor& crow, const Tensor& col) {
  for (const Tensor* t : {&crow, &col})
    WEFT_CHECK(t->dim() == 1 && (t->dtype() == DType::Int64 || t->dtype() == DType::Int32), Value, "[", op,
               "] expected crow_indices and col_indices of one dimension and int64 or int32, got ", name_of(t->dtype()),
               " ", to_string(t->shape()));
  WEFT_CHECK(crow.device() == col.device(), Runtime, "[", op, "] expected crow_indices and col_indices on one device");
  WEFT_CHECK(crow.numel() >= 1, Value, "[", op, "] expected crow_indices of rows + 1 elements, got none");
}

// Everything is checked here, because kernels follow the indices.
Structure structure_of(const char* op, const Tensor& crow, const Tensor& col, int64_t columns) {
  check_indices(op, crow, col);
  Structure s{contiguous(to(crow.detach(), DType::Int64)), contiguous(to(col.detach(), DType::Int64)), crow.numel() - 1,
              columns};
  at_each_run({to(s.crow, Device{})}, [op, rows = s.rows, nonzero = s.col.numel()](const TensorList& t) {
    const int64_t* start = t[0].ptr<int64_t>();
    WEFT_CHECK(start[0] == 0 && start[rows] == nonzero, Value, "[", op, "] expected crow_indices from 0 to ", nonzero,
               ", the number of col_indices, got ", start[0], " to ", start[rows]);
    int64_t descents = 0;
    for (int64_t r = 0; r < rows; ++r) descents += start[r] > start[r + 1];
    for (int64_t r = 0; descents && r < rows; ++r)
      WEFT_CHECK(start[r] <= start[r + 1], Value, "[", op, "] expected ascending crow_indices, got ", start[r + 1],
                 " after ", start[r], " at row ", r);
  });
  check_in_range(op, s.col, columns, 1);
  return s;
}

Transposed transpose_of(const char* op, const Structure& s) {
  GradMode off(false);
  Device device = s.col.device();
  int64_t nonzero = s.col.numel();
  Segments by_column = group_rows(op, s.col, s.columns, false);
  Tensor row = Tensor::empty({nonzero}, DType::Int64, device);
  launch(op, device, kernels<CsrKernels>(device).row_of,
         CsrRowOf{row.ptr<int64_t>(), s.crow.ptr<int64_t>(), s.rows, nonzero}, (double)nonzero);
  return {{by_column.start, index_dims(row, 0, {by_column.order}), s.columns, s.rows}, by_column.order};
}

// A structure, and its transpose once somebody has asked for it.
struct Pattern : RefCounted {
  Structure structure;
  Transposed back;
  explicit Pattern(Structure s) : structure(std::move(s)) {}
  const Transposed& transposed() {
    if (!back.order.defined()) back = transpose_of("csr_matmul", structure);
    return back;
  }
};

// The three products are each linear in two tensors, and their gradients are again these three.
Tensor product(const Ref<Pattern>& p, const Tensor& values, const Tensor& dense);
Tensor product_transposed(const Ref<Pattern>& p, const Tensor& values, const Tensor& dense);
Tensor sampled(const Ref<Pattern>& p, const Tensor& left, const Tensor& right);

Tensor launch_product(const Structure& s, const Tensor& values, const Tensor& dense) {
  Tensor v = contiguous(values.detach()), d = contiguous(dense.detach());
  int64_t cols = d.shape()[1];
  Tensor y = Tensor::empty({s.rows, cols}, d.dtype(), d.device());
  CsrProduct a{y.data(), s.crow.ptr<int64_t>(), s.col.ptr<int64_t>(), v.data(), d.data(), s.rows, cols, v.numel(),
               d.dtype()};
  if (y.numel()) launch("csr_matmul", d.device(), kernels<CsrKernels>(d.device()).product, a, (double)v.numel() * cols);
  return y;
}

Tensor product(const Ref<Pattern>& p, const Tensor& values, const Tensor& dense) {
  Tensor y = launch_product(p->structure, values, dense);
  if (needs_grad(values, dense))
    record("csr_matmul", {values, dense}, {y}, [p, values = Saved(values), dense = Saved(dense)](Backward& b) {
      return b.grads(b.needs(0) ? sampled(p, b.dy(), dense.get(b)) : Tensor(),
                     b.needs(1) ? product_transposed(p, values.get(b), b.dy()) : Tensor());
    });
  return y;
}

Tensor product_transposed(const Ref<Pattern>& p, const Tensor& values, const Tensor& dense) {
  Tensor y;
  {
    GradMode off(false);
    const Transposed& t = p->transposed();
    y = launch_product(t.structure, index_dims(values, 0, {t.order}), dense);
  }
  if (needs_grad(values, dense))
    record("csr_matmul", {values, dense}, {y}, [p, values = Saved(values), dense = Saved(dense)](Backward& b) {
      return b.grads(b.needs(0) ? sampled(p, dense.get(b), b.dy()) : Tensor(),
                     b.needs(1) ? product(p, values.get(b), b.dy()) : Tensor());
    });
  return y;
}

Tensor sampled(const Ref<Pattern>& p, const Tensor& left, const Tensor& right) {
  const Structure& s = p->structure;
  Tensor l = contiguous(left.detach()), r = contiguous(right.detach());
  Tensor values = Tensor::empty({s.col.numel()}, l.dtype(), l.device());
  CsrSampled a{values.data(), s.crow.ptr<int64_t>(), s.col.ptr<int64_t>(), l.data(), r.data(),
               s.rows,        l.shape()[1],          values.numel(),       l.dtype()};
  launch("csr_matmul", l.device(), kernels<CsrKernels>(l.device()).sampled, a, (double)values.numel() * l.shape()[1]);
  if (needs_grad(left, right))
    record("csr_matmul", {left, right}, {values}, [p, left = Saved(left), right = Saved(right)](Backward& b) {
      return b.grads(b.needs(0) ? product(p, b.dy(), right.get(b)) : Tensor(),
                     b.needs(1) ? product_transposed(p, b.dy(), left.get(b)) : Tensor());
    });
  return values;
}

using Transpose = std::tuple<Tensor, Tensor, Tensor>;  // crow_indices, col_indices, order

Tensor csr_matmul(const Tensor& crow, const Tensor& col, const Tensor& values, const Tensor& dense,
                  const std::optional<Transpose>& transposed) {
  const char* op = "csr_matmul";
  WEFT_CHECK(dense.dim() == 1 || dense.dim() == 2, Value, "[", op,
             "] expected dense of shape [columns] or [columns, n]", ", got ", to_string(dense.shape()));
  WEFT_CHECK(values.dim() == 1 && values.shape() == col.shape(), Value, "[", op,
             "] expected values and col_indices of one shape, got ", to_string(values.shape()), " and ",
             to_string(col.shape()));
  WEFT_CHECK(is_floating(dense.dtype()) && values.dtype() == dense.dtype(), Type, "[", op,
             "] expected values and dense of one floating dtype, got ", name_of(values.dtype()), " and ",
             name_of(dense.dtype()));
  for (const Tensor* t : {&crow, &col, &values})
    WEFT_CHECK(t->device() == dense.device(), Runtime, "[", op, "] expected all tensors on ", to_string(dense.device()),
               ", got one on ", to_string(t->device()));
  if (dense.dim() == 1) return squeeze(csr_matmul(crow, col, values, unsqueeze(dense, 1), transposed), 1);

  auto pattern = make_ref<Pattern>(structure_of(op, crow, col, dense.shape()[0]));
  if (transposed) {
    const auto& [t_crow, t_col, order] = *transposed;
    Structure& s = pattern->structure;
    WEFT_CHECK(t_crow.numel() == s.columns + 1 && t_col.numel() == col.numel() && order.numel() == col.numel(), Value,
               "[", op, "] expected `transposed` to be csr_transpose(crow_indices, col_indices, ", s.columns, ")");
    pattern->back = {structure_of(op, t_crow, t_col, s.rows), to(order, DType::Int64)};
  }
  return product(pattern, values, dense);
}

}  // namespace

void bind_csr(py::module_& m) {
  m.def(
      "csr_matmul", &csr_matmul, py::arg("crow_indices"), py::arg("col_indices"), py::arg("values"), py::arg("dense"),
      py::kw_only(), py::arg("transposed") = py::none(),
      "A sparse matrix in CSR form times dense [columns, n] (or [columns]): [rows, n]. Row r has values[k] in column\n"
      "col_indices[k] for k from crow_indices[r] to crow_indices[r + 1]. Gradients reach values and dense. That of\n"
      "dense needs the transpose, which is built in backward unless csr_transpose(...) is given as `transposed`:\n"
      "build it once for a graph that is used many times.");
  m.def(
      "csr_transpose",
      [](const Tensor& crow, const Tensor& col, int64_t columns) {
        Transposed t = transpose_of("csr_transpose", structure_of("csr_transpose", crow, col, columns));
        return Transpose{t.structure.crow, t.structure.col, t.order};
      },
      py::arg("crow_indices"), py::arg("col_indices"), py::arg("num_columns"),
      "The transpose of a CSR structure: (crow_indices, col_indices, order), where values[order] are its values.");
}

}  // namespace weft
