#include "ops/sort.h"

#include <algorithm>
#include <cmath>

#include "kernels/sort.h"
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

struct SortedRows {
  Tensor x;  // contiguous, with dim at the end
  int64_t cols, count;
  int workers;
  SortedRows(const char* op, const Tensor& t, int dim)
      : x(contiguous(t.dim() ? transpose(t.detach(), dim, -1) : reshape(t.detach(), {1}))), cols(x.shape().back()) {
    WEFT_CHECK(cols < ((int64_t)1 << 32), NotImplemented, "[", op,
               "] rows of 2^32 elements and more are not supported");
    count = cols ? x.numel() / cols : 0;
    // On a GPU every row is sorted at once.
    workers = (int)(x.device().is_cpu() ? std::min<int64_t>(num_threads(), count) : count);
  }
  Sorted results(int64_t k) const {
    Dims shape = x.shape();
    shape[shape.n - 1] = k;
    return {Tensor::empty(shape, x.dtype(), x.device()), Tensor::empty(shape, DType::Int64, x.device())};
  }
};

// dim back in its place; or gone, where there is one result in a row.
Sorted placed(const Sorted& s, const Tensor& x, int dim, bool keepdim = true) {
  auto back = [&](const Tensor& t) {
    if (!x.dim()) return reshape(t, {});
    Tensor moved = transpose(t, dim, -1);
    return contiguous(keepdim ? moved : squeeze(moved, dim));
  };
  return {back(s.values), back(s.indices)};
}

void record_scatter(const char* op, const Tensor& x, int dim, const Sorted& s, bool keepdim = true) {
  if (!needs_grad(x)) return;
  bool gone = !keepdim && x.dim() > 0;
  record(op, {x}, {s.values}, [dim, gone, indices = s.indices, shape = x.shape()](Backward& b) {
    Tensor zeros = Tensor::zeros(shape, b.dy().dtype(), b.dy().device());
    if (gone) return b.grads(scatter_add(zeros, dim, unsqueeze(indices, dim), unsqueeze(b.dy(), dim)));
    return b.grads(scatter_add(zeros, dim, indices, b.dy()));
  });
}

// The first k along dim, in order.
Sorted first_along(const char* op, const Tensor& x, int dim, int64_t k, bool descending) {
  Sorted result;
  {
    GradMode off(false);
    SortedRows rows(op, x, dim);
    Sorted s = rows.results(k);
    if (s.values.numel() > 0) {
      Workspace work(rows.workers * sort_scratch(rows.cols, x.dtype()), x.device());
      launch(op, x.device(), kernels<SortKernels>(x.device()).sort,
             Sort{s.values.data(), s.indices.ptr<int64_t>(), rows.x.data(), rows.count, rows.cols, k, work.data(),
                  rows.workers, x.dtype(), descending},
             (double)rows.x.numel() * 16);
    }
    result = placed(s, x, dim);
  }
  record_scatter(op, x, dim, result);
  return result;
}

// One element of each row along dim.
Sorted pick_raw(const char* op, PickOp kind, const Tensor& x, int dim, int64_t k, bool keepdim) {
  GradMode off(false);
  SortedRows rows(op, x, dim);
  Sorted s = rows.results(1);
  WEFT_CHECK(rows.cols > 0 || x.numel() > 0 || s.values.numel() == 0, Index, "[", op, "] expected dim ", dim,
             " to have at least one element, got shape ", to_string(x.shape()));
  if (s.values.numel() > 0) {
    Workspace work(rows.workers * sort_scratch(rows.cols, x.dtype()), x.device());
    launch(op, x.device(), kernels<SortKernels>(x.device()).pick,
           Pick{s.values.data(), s.indices.ptr<int64_t>(), rows.x.data(), rows.count, rows.cols, k, work.data(),
                rows.workers, x.dtype(), kind},
           (double)rows.x.numel() * 8);
  }
  return placed(s, x, dim, keepdim);
}

Sorted pick(const char* op, PickOp kind, const Tensor& x, int64_t dim, int64_t k, bool keepdim) {
  int d = wrap_dim(op, dim, std::max(x.dim(), 1));
  Sorted s = pick_raw(op, kind, x, d, k, keepdim);
  record_scatter(op, x, d, s, keepdim);
  return s;
}

// Of all elements; the gradient is shared evenly among those that equal it.
Tensor median_of_all(const char* op, PickOp kind, const Tensor& x) {
  if (x.numel() == 0) {
    WEFT_CHECK(is_floating(x.dtype()), Runtime, "[", op, "] expected at least one element, got shape ",
               to_string(x.shape()));
    return Tensor::full({}, std::nan(""), x.dtype(), x.device());
  }
  Tensor y = pick_raw(op, kind, reshape(x.detach(), {-1}), 0, 0, false).values;
  if (needs_grad(x))
    record(op, {x}, {y}, [x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor v = x.get(b), m = y.get(b);
      Tensor hit = to(where(eq(m, m), eq(v, m), ne(v, v)), v.dtype());
      return b.grads(mul(hit, div(b.dy(), sum(hit))));
    });
  return y;
}

// Where the rows of x [n, m] are in order, compared element by element.
Tensor row_order(const Tensor& x) {
  WEFT_CHECK(x.dim() == 2, Value, "[unique] expected rows, got shape ", to_string(x.shape()));
  Tensor rows = contiguous(x.detach()), order = Tensor::empty({x.shape()[0]}, DType::Int64, x.device());
  Workspace scratch(order.numel() * 8, x.device());
  launch("unique", x.device(), kernels<SortKernels>(x.device()).order,
         RowOrder{order.ptr<int64_t>(), static_cast<int64_t*>(scratch.data()), rows.data(), rows.shape()[0],
                  rows.shape()[1], x.dtype()},
         (double)rows.numel() * 8);
  return order;
}

int64_t length(const Tensor& x, int dim) { return x.dim() ? x.shape()[dim] : 1; }

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
  auto pair_of = [](const char* name) {
    return [type = named_tuple(name, {"values", "indices"})](const Sorted& s) { return type(s.values, s.indices); };
  };
  py::arg_v last("dim", -1), keepdim("keepdim", false);
  def_both(
      m, "sort",
      [pair = pair_of("sort")](const Tensor& x, int64_t dim, bool descending, bool) {
        return pair(sort(x, dim, descending));
      },
      py::arg("dim") = -1, py::arg("descending") = false, py::arg("stable") = true,
      "(values, indices) in order along dim. Always stable; NaN counts as greatest.");
  def_both(
      m, "argsort",
      [](const Tensor& x, int64_t dim, bool descending, bool) { return sort(x.detach(), dim, descending).indices; },
      py::arg("dim") = -1, py::arg("descending") = false, py::arg("stable") = true,
      "Where the elements in order are, along dim. Always stable.");
  def_both(
      m, "topk",
      [pair = pair_of("topk")](const Tensor& x, int64_t k, int64_t dim, bool largest, bool) {
        return pair(topk(x, k, dim, largest));
      },
      py::arg("k"), py::arg("dim") = -1, py::arg("largest") = true, py::arg("sorted") = true,
      "(values, indices) of the k largest or smallest along dim, in order; of equal ones the first.");
  def_both(
      m, "kthvalue",
      [pair = pair_of("kthvalue")](const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
        int64_t n = length(x, wrap_dim("kthvalue", dim, std::max(x.dim(), 1)));
        WEFT_CHECK(k >= 1 && k <= n, Runtime, "[kthvalue] expected k between 1 and ", n, ", got ", k);
        return pair(pick("kthvalue", PickOp::Kth, x, dim, k - 1, keepdim));
      },
      py::arg("k"), last, keepdim, "(values, indices) of the k-th smallest along dim, counted from 1.");
  for (auto [op, kind] : {std::pair{"median", PickOp::Median}, {"nanmedian", PickOp::NanMedian}}) {
    def_both(
        m, op, [op = op, kind = kind](const Tensor& x) { return median_of_all(op, kind, x); },
        "The median of all elements, the lower one of two.");
    def_both(
        m, op,
        [op = op, kind = kind, pair = pair_of(op)](const Tensor& x, int64_t dim, bool keepdim) {
          return pair(pick(op, kind, x, dim, 0, keepdim));
        },
        py::arg("dim"), keepdim, "(values, indices) of the medians along dim, the lower ones of two.");
  }
  def_both(
      m, "mode",
      [pair = pair_of("mode")](const Tensor& x, int64_t dim, bool keepdim) {
        return pair(pick("mode", PickOp::Mode, x, dim, 0, keepdim));
      },
      last, keepdim, "(values, indices) of the most frequent along dim: the least of several, where it is last.");
  m.def("_row_order", row_order);
  def_out_and_axis(m, {"sort", "argsort", "topk", "kthvalue", "median", "nanmedian", "mode"});
}

}  // namespace weft
