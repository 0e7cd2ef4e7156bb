// Parts of one dimension, all of them views.
#include "ops/cat.h"
#include "ops/slice.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {
namespace {

using Sizes = std::vector<int64_t>;

int dim_of(const char* op, const Tensor& x, int64_t dim) {
  WEFT_CHECK(x.dim() > 0, Index, "[", op, "] expected at least one dimension");
  return wrap_dim(op, dim, x.dim());
}

py::tuple split_with_sizes(const Tensor& x, const Sizes& sizes, int64_t dim) {
  int d = dim_of("split", x, dim);
  int64_t at = 0, total = 0;
  for (int64_t s : sizes) total += s;
  WEFT_CHECK(total == x.shape()[d], Runtime, "[split] the sizes do not sum to the size ", x.shape()[d],
             " of dimension ", d, ": their sum is ", total);
  TensorList views;
  for (size_t i = 0; i < sizes.size(); at += sizes[i++]) {
    WEFT_CHECK(sizes[i] >= 0, Runtime, "[split] a size must not be negative, got ", sizes[i]);
    BasicIndex index = BasicIndex::all(x.shape());
    index.axes[d].start = at;
    index.axes[d].length = sizes[i];
    views.push_back(basic_view(x, index));
  }
  if (needs_grad(x) && !views.empty())  // one node for all parts, whose gradients are joined: not a sum of padded ones
    record("split", {x}, views, [sizes, d, shape = x.shape()](Backward& b) {
      TensorList grads = b.incoming;
      const Tensor* any = nullptr;
      for (const Tensor& g : grads)
        if (g.defined()) any = &g;
      for (size_t i = 0; i < sizes.size(); ++i) {
        Dims part = shape;
        part[d] = sizes[i];
        if (!grads[i].defined()) grads[i] = Tensor::zeros(part, any->dtype(), any->device());
      }
      return b.grads(join(grads, d));
    });
  py::tuple parts(sizes.size());
  for (size_t i = 0; i < sizes.size(); ++i) parts[i] = py::cast(views[i]);
  return parts;
}

py::tuple split(const Tensor& x, const py::object& size_or_sizes, int64_t dim) {
  bool many = PyTuple_Check(size_or_sizes.ptr()) || PyList_Check(size_or_sizes.ptr());
  if (many) return split_with_sizes(x, size_or_sizes.cast<Sizes>(), dim);
  int64_t size = size_or_sizes.cast<int64_t>(), n = x.shape()[dim_of("split", x, dim)];
  WEFT_CHECK(size > 0 || (size == 0 && n == 0), Runtime, "[split] split_size must be positive, got ", size);
  Sizes sizes(n == 0 ? 1 : (size_t)((n - 1) / size + 1), size);
  sizes.back() = n - size * (int64_t)(sizes.size() - 1);
  return split_with_sizes(x, sizes, dim);
}

py::tuple chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  WEFT_CHECK(chunks > 0, Runtime, "[chunk] chunks must be positive, got ", chunks);
  int64_t n = x.shape()[dim_of("chunk", x, dim)];
  if (n == 0) return split_with_sizes(x, Sizes((size_t)chunks, 0), dim);
  return split(x, py::int_((n - 1) / chunks + 1), dim);
}

// Cut before each of `indices`, which count as in a slice.
py::tuple split_at(const Tensor& x, const Sizes& indices, int64_t dim) {
  int d = dim_of("tensor_split", x, dim);
  py::tuple parts(indices.size() + 1);
  int64_t from = 0;
  for (size_t i = 0; i <= indices.size(); ++i) {
    int64_t to = i < indices.size() ? indices[i] : x.shape()[d];
    parts[i] = py::cast(slice(x, d, from, to, 1));
    from = to;
  }
  return parts;
}

py::tuple tensor_split(const Tensor& x, const py::object& indices_or_sections, int64_t dim) {
  py::object how = indices_or_sections;
  if (is_tensor(how.ptr())) {
    const Tensor& t = tensor_of(how.ptr());
    WEFT_CHECK(t.dtype() == DType::Int64 && t.dim() <= 1 && t.device().is_cpu(), Runtime,
               "[tensor_split] expected sections as an int64 tensor of up to one dimension on the CPU, got ",
               name_of(t.dtype()), " ", to_string(t.shape()));
    how = how.attr("tolist")();
  }
  if (!PyLong_Check(how.ptr())) return split_at(x, how.cast<Sizes>(), dim);
  int64_t sections = how.cast<int64_t>(), n = x.shape()[dim_of("tensor_split", x, dim)];
  WEFT_CHECK(sections > 0, Runtime, "[tensor_split] expected at least one section, got ", sections);
  Sizes sizes((size_t)sections, n / sections);
  for (int64_t i = 0; i < n % sections; ++i) ++sizes[(size_t)i];
  return split_with_sizes(x, sizes, dim);
}

py::tuple unbind(const Tensor& x, int64_t dim) {
  int d = dim_of("unbind", x, dim);
  py::tuple parts(x.shape()[d]);
  for (int64_t i = 0; i < x.shape()[d]; ++i) parts[i] = py::cast(select(x, d, i));
  return parts;
}

Tensor narrow_from(const Tensor& x, int64_t dim, const py::object& start, int64_t length) {
  if (is_tensor(start.ptr())) {
    const Tensor& t = tensor_of(start.ptr());
    WEFT_CHECK(t.dim() == 0 && is_integral(t.dtype()), Runtime,
               "[narrow] expected start as an int or an integer tensor without dimensions, got ", name_of(t.dtype()),
               " ", to_string(t.shape()));
  }
  return narrow(x, dim, start.cast<int64_t>(), length);
}

}  // namespace

void bind_split(py::module_& m) {
  def_both(m, "narrow", &narrow_from, py::arg("dim"), py::arg("start"), py::arg("length"),
           "A stretch of one dimension; a view.");
  def_both(m, "select", &select, py::arg("dim"), py::arg("index"), "One index of one dimension; a view.");
  def_both(m, "unbind", &unbind, py::arg("dim") = 0, "All indices of one dimension, as a tuple of views.");
  const char* doc = "Pieces of split_size (the last may be smaller), or of the sizes given; views.";
  m.def("split", &split, py::arg("tensor"), py::arg("split_size_or_sections"), py::arg("dim") = 0, doc);
  def_method("split", &split, py::arg("split_size"), py::arg("dim") = 0, doc);
  m.def("unsafe_split", &split, py::arg("tensor"), py::arg("split_size"), py::arg("dim") = 0, doc);
  def_method("unsafe_split", &split, py::arg("split_size"), py::arg("dim") = 0, doc);
  for (const char* name : {"split_with_sizes", "unsafe_split_with_sizes"})
    def_both(m, name, &split_with_sizes, py::arg("split_sizes"), py::arg("dim") = 0, "Pieces of these sizes; views.");
  for (const char* name : {"chunk", "unsafe_chunk"})
    def_both(m, name, &chunk, py::arg("chunks"), py::arg("dim") = 0,
             "At most `chunks` pieces of equal size but the last; views.");
  m.def("tensor_split", &tensor_split, py::arg("input"), py::arg("indices_or_sections"), py::arg("dim") = 0,
        "Pieces of sizes that differ by one at most, or cut before each of the indices; views.");
  for (const char* keyword : {"indices_or_sections", "sections", "indices"})
    def_method("tensor_split", &tensor_split, py::arg(keyword), py::arg("dim") = 0);
}

}  // namespace weft
