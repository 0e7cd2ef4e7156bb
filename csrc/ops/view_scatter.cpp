#include "ops/view_scatter.h"

#include "ops/copy.h"
#include "ops/reduce.h"
#include "ops/slice.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {

Tensor view_scatter(const char* name, const Tensor& x, const Tensor& src, ViewOf view) {
  Tensor y = clone(x.detach());
  {
    GradMode off(false);
    copy_into(view(y), src);
  }
  if (is_floating(y.dtype()) && needs_grad(x, src))
    record(name, {x, src}, {y}, [name, view, shape = src.shape(), dtype = src.dtype()](Backward& b) {
      Tensor dx, dsrc, zero = Tensor::zeros({}, b.dy().dtype(), b.dy().device());
      if (b.needs(0)) dx = view_scatter(name, b.dy(), zero, view);
      if (b.needs(1)) dsrc = to(sum_to(view(b.dy()), shape), dtype);
      return b.grads(dx, dsrc);
    });
  return y;
}

Tensor view_into_zeros(const char* name, const Dims& shape, const Tensor& src, ViewOf view) {
  return view_scatter(name, Tensor::zeros(shape, src.dtype(), src.device()), src, std::move(view));
}

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  int a = wrap_dim("diagonal", dim1, x.dim()), b = wrap_dim("diagonal", dim2, x.dim());
  WEFT_CHECK(a != b && x.dim() > 1, Runtime, "[diagonal] expected two different dimensions, got ", dim1, " and ", dim2);
  int64_t rows = x.shape()[a], cols = x.shape()[b], at = x.get()->offset;
  bool above = offset >= 0;
  int64_t length =
      above ? std::min(rows, cols > offset ? cols - offset : 0) : std::min(cols, rows > -offset ? rows + offset : 0);
  if (length > 0) at += above ? offset * x.strides()[b] : -offset * x.strides()[a];
  Dims shape = x.shape(), strides = x.strides();
  shape.push_back(std::max<int64_t>(length, 0));
  strides.push_back(strides[a] + strides[b]);
  for (int d : {std::max(a, b), std::min(a, b)}) {
    shape.erase(d);
    strides.erase(d);
  }
  Tensor y = x.as_view(shape, strides, at);
  if (needs_grad(x))
    record("diagonal", {x}, {y}, [offset, a, b, from = x.shape()](Backward& back) {
      return back.grads(view_into_zeros("diagonal_backward", from, back.dy(),
                                        [=](const Tensor& t) { return diagonal(t, offset, a, b); }));
    });
  return y;
}

namespace {

// src must have the shape of the place exactly.
Tensor scatter_exactly(const char* name, const Tensor& x, const Tensor& src, const ViewOf& view) {
  Dims expected = view(x.detach()).shape();
  WEFT_CHECK(src.shape() == expected, Runtime, "[", name, "] expected src of shape ", to_string(expected), ", got ",
             to_string(src.shape()));
  return view_scatter(name, x, src, view);
}

Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, std::optional<int64_t> start,
                     std::optional<int64_t> end, int64_t step) {
  return scatter_exactly("slice_scatter", x, src, [=](const Tensor& t) {
    return slice(t, dim, start.value_or(0), end.value_or(INT64_MAX), step);
  });
}

Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index) {
  return scatter_exactly("select_scatter", x, src, [=](const Tensor& t) { return select(t, dim, index); });
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset, int64_t dim1, int64_t dim2) {
  return scatter_exactly("diagonal_scatter", x, src, [=](const Tensor& t) { return diagonal(t, offset, dim1, dim2); });
}

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  int n = x.dim() + 1, a = wrap_dim("diag_embed", dim1, n), b = wrap_dim("diag_embed", dim2, n);
  WEFT_CHECK(a != b && x.dim() > 0, Runtime, "[diag_embed] expected two different dimensions of the result, got ", dim1,
             " and ", dim2);
  Dims shape = x.shape();
  int64_t size = shape[x.dim() - 1] + std::abs(offset);
  shape.erase(x.dim() - 1);
  shape.insert(std::min(a, b), size);
  shape.insert(std::max(a, b), size);
  return view_into_zeros("diag_embed", shape, x, [=](const Tensor& t) { return diagonal(t, offset, a, b); });
}

Tensor constant_pad(const Tensor& x, const Dims& pad, double value) {
  WEFT_CHECK(pad.n % 2 == 0 && pad.n <= 2 * x.dim(), Runtime,
             "[constant_pad_nd] expected two numbers for each of up to ", x.dim(), " dimensions, got ", to_string(pad));
  Dims shape = x.shape();
  BasicIndex inside = BasicIndex::all(shape), kept = inside;
  for (int i = 0; i < pad.n / 2; ++i) {
    int d = x.dim() - 1 - i;
    int64_t before = pad[2 * i], after = pad[2 * i + 1], cut = std::max<int64_t>(-before, 0);
    shape[d] += before + after;
    WEFT_CHECK(shape[d] >= 0, Runtime, "[constant_pad_nd] cannot cut ", -before, " and ", -after, " from size ",
               x.shape()[d]);
    int64_t length = std::max<int64_t>(x.shape()[d] - cut - std::max<int64_t>(-after, 0), 0);
    kept.axes[d].start = cut;
    inside.axes[d].start = std::max<int64_t>(before, 0);
    kept.axes[d].length = inside.axes[d].length = length;
  }
  return view_scatter("constant_pad_nd", Tensor::full(shape, value, x.dtype(), x.device()), basic_index(x, kept),
                      [inside](const Tensor& t) { return basic_index(t, inside); });
}

}  // namespace

void bind_view_scatter(py::module_& m) {
  def_both(m, "diagonal", &diagonal, py::arg("offset") = 0, py::arg("dim1") = 0, py::arg("dim2") = 1,
           "The diagonal of two dimensions as a new last one; a view.");
  def_both(m, "diag_embed", &diag_embed, py::arg("offset") = 0, py::arg("dim1") = -2, py::arg("dim2") = -1,
           "Zeros whose diagonals are the last dimension of the input.");
  def_both(m, "slice_scatter", &slice_scatter, py::arg("src"), py::arg("dim") = 0, py::arg("start") = py::none(),
           py::arg("end") = py::none(), py::arg("step") = 1, "A copy with src in place of a slice.");
  def_both(m, "select_scatter", &select_scatter, py::arg("src"), py::arg("dim"), py::arg("index"),
           "A copy with src in place of one index of a dimension.");
  def_both(m, "diagonal_scatter", &diagonal_scatter, py::arg("src"), py::arg("offset") = 0, py::arg("dim1") = 0,
           py::arg("dim2") = 1, "A copy with src in place of a diagonal.");
  m.def("constant_pad_nd", &constant_pad, py::arg("input"), py::arg("pad"), py::arg("value") = 0.0,
        "(before, after) elements of one value per dimension, from the last on; negative counts cut.");
}

}  // namespace weft
