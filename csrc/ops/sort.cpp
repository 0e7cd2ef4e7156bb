#include "ops/sort.h"

#include <algorithm>

#include "kernels/sort.h"
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

// The first k along dim, in order.
Sorted first_along(const char* op, const Tensor& x, int64_t dim, int64_t k, bool descending) {
  Sorted result;
  {
    GradMode off(false);
    Tensor rows = contiguous(x.dim() ? transpose(x.detach(), dim, -1) : reshape(x.detach(), {1}));
    int64_t cols = rows.shape().back();
    WEFT_CHECK(cols < ((int64_t)1 << 32), NotImplemented, "[", op,
               "] rows of 2^32 elements and more are not supported");
    Dims shape = rows.shape();
    shape[shape.n - 1] = k;
    Tensor values = Tensor::empty(shape, x.dtype(), x.device()),
           indices = Tensor::empty(shape, DType::Int64, x.device());
    if (values.numel() > 0) {
      int64_t count = rows.numel() / cols;
      int workers = (int)std::min<int64_t>(num_threads(), count);
      Workspace work(workers * sort_scratch(cols, x.dtype()), x.device());
      launch(op, x.device(), kernels<SortKernels>(x.device()).sort,
             Sort{values.data(), indices.ptr<int64_t>(), rows.data(), count, cols, k, work.data(), workers, x.dtype(),
                  descending},
             (double)rows.numel() * 16);
    }
    auto back = [&](const Tensor& t) { return x.dim() ? contiguous(transpose(t, dim, -1)) : reshape(t, {}); };
    result = {back(values), back(indices)};
  }
  if (needs_grad(x))
    record(op, {x}, {result.values}, [dim, indices = result.indices, shape = x.shape()](Backward& b) {
      return b.grads(scatter_add(Tensor::zeros(shape, b.dy().dtype(), b.dy().device()), dim, indices, b.dy()));
    });
  return result;
}

int64_t length(const Tensor& x, int dim) { return x.dim() ? x.shape()[dim] : 1; }

py::object pair(const char* type, const Sorted& s) {
  return py::module_::import("weft._core").attr(type)(s.values, s.indices);
}

}  // namespace

Sorted sort(const Tensor& x, int64_t dim, bool descending) {
  int d = wrap_dim("sort", dim, std::max(x.dim(), 1));
  return first_along("sort", x, d, length(x, d), descending);
}

Sorted topk(const Tensor& x, int64_t k, int64_t dim, bool largest) {
  int d = wrap_dim("topk", dim, std::max(x.dim(), 1));
  WEFT_CHECK(k >= 0 && k <= length(x, d), Runtime, "[topk] expected k between 0 and ", length(x, d),
             ", the size of dimension ", d, ", got ", k);
  return first_along("topk", x, d, k, largest);
}

void bind_sort(py::module_& m) {
  py::object named = py::module_::import("collections").attr("namedtuple");
  for (const char* type : {"sort_result", "topk_result"}) {
    py::object fields = named(type, py::make_tuple("values", "indices"));
    fields.attr("__module__") = m.attr("__name__");
    m.attr(type) = fields;
  }
  def_both(
      m, "sort",
      [](const Tensor& x, int64_t dim, bool descending, bool) { return pair("sort_result", sort(x, dim, descending)); },
      py::arg("dim") = -1, py::arg("descending") = false, py::arg("stable") = true,
      "(values, indices) in order along dim. Always stable; NaN counts as greatest.");
  def_both(
      m, "argsort",
      [](const Tensor& x, int64_t dim, bool descending, bool) { return sort(x.detach(), dim, descending).indices; },
      py::arg("dim") = -1, py::arg("descending") = false, py::arg("stable") = true,
      "Where the elements in order are, along dim. Always stable.");
  def_both(
      m, "topk",
      [](const Tensor& x, int64_t k, int64_t dim, bool largest, bool) {
        return pair("topk_result", topk(x, k, dim, largest));
      },
      py::arg("k"), py::arg("dim") = -1, py::arg("largest") = true, py::arg("sorted") = true,
      "(values, indices) of the k largest or smallest along dim, in order; of equal ones the first.");
}

}  // namespace weft
