#include "ops/view.h"

#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {

namespace {

// `shape` with its -1 filled in.
Dims resolve_shape(const char* op, const Tensor& x, Dims shape) {
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.n; ++i) {
    if (shape[i] == -1) {
      WEFT_CHECK(unknown < 0, Runtime, "[", op, "] only one dimension can be inferred, got shape ", to_string(shape));
      unknown = i;
    } else {
      WEFT_CHECK(shape[i] >= 0, Runtime, "[", op, "] invalid shape ", to_string(shape));
      WEFT_CHECK(!__builtin_mul_overflow(known, shape[i], &known), Overflow, "[", op, "] shape ", to_string(shape),
                 " is too large");
    }
  }
  int64_t n = x.numel();
  if (unknown >= 0) {
    WEFT_CHECK(known > 0 && n % known == 0, Runtime, "[", op, "] shape ", to_string(shape),
               " is invalid for an input of size ", n);
    shape[unknown] = n / known;
  } else {
    WEFT_CHECK(known == n, Runtime, "[", op, "] shape ", to_string(shape), " is invalid for an input of size ", n,
               " (shape ", to_string(x.shape()), ")");
  }
  return shape;
}

// Strides under which x's memory reads as `shape`; false where only a copy can do it.
bool view_strides(const Tensor& x, const Dims& shape, Dims* out) {
  if (x.numel() == 0 || x.is_contiguous()) {
    *out = contiguous_strides(shape);
    return true;
  }
  *out = Dims::filled(shape.n, 0);
  int v = shape.n - 1;
  int64_t chunk = 1, base = x.strides().back();
  for (int d = x.dim() - 1; d >= 0; --d) {
    chunk *= x.shape()[d];
    bool chunk_ends = d == 0 || (x.shape()[d - 1] != 1 && x.strides()[d - 1] != chunk * base);
    if (!chunk_ends) continue;
    int64_t filled = 1;
    while (v >= 0 && (filled < chunk || shape[v] == 1)) {
      (*out)[v] = filled * base;
      filled *= shape[v--];
    }
    if (filled != chunk) return false;
    if (d > 0) {
      chunk = 1;
      base = x.strides()[d - 1];
    }
  }
  return v < 0;
}

Tensor record_reshape(const Tensor& x, Tensor y) {
  if (needs_grad(x))
    record("reshape", {x}, {y}, [shape = x.shape()](Backward& b) { return b.grads(reshape(b.dy(), shape)); });
  return y;
}

}  // namespace

Tensor view(const Tensor& x, Dims shape) {
  shape = resolve_shape("view", x, shape);
  Dims strides;
  WEFT_CHECK(view_strides(x, shape, &strides), Runtime, "[view] shape ", to_string(shape),
             " cannot be a view of a tensor of shape ", to_string(x.shape()), " and strides ", to_string(x.strides()),
             "; use reshape()");
  return record_reshape(x, x.as_view(shape, strides, x.get()->offset));
}

Tensor view_bits(const Tensor& x, DType dtype) {
  WEFT_CHECK(size_of(dtype) == x.itemsize(), Runtime, "[view] elements of ", name_of(x.dtype()), " cannot be read as ",
             name_of(dtype), ", which has another size");
  Tensor y = x.detach();
  y.get()->dtype = dtype;
  return y;
}

Tensor reshape(const Tensor& x, Dims shape) {
  shape = resolve_shape("reshape", x, shape);
  Dims strides;
  if (view_strides(x, shape, &strides)) return record_reshape(x, x.as_view(shape, strides, x.get()->offset));
  Tensor c = clone(x);
  return record_reshape(c, c.as_view(shape, contiguous_strides(shape), 0));
}

Tensor flatten(const Tensor& x, int64_t start, int64_t end) {
  if (x.dim() == 0) return reshape(x, {1});
  int a = wrap_dim("flatten", start, x.dim()), b = wrap_dim("flatten", end, x.dim());
  WEFT_CHECK(a <= b, Runtime, "[flatten] start_dim ", start, " comes after end_dim ", end);
  if (a == b) return x;
  Dims shape;
  for (int i = 0; i < x.dim(); ++i) {
    if (i > a && i <= b)
      shape[shape.n - 1] *= x.shape()[i];
    else
      shape.push_back(x.shape()[i]);
  }
  return reshape(x, shape);
}

Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes) {
  int d = wrap_dim("unflatten", dim, x.dim());
  Dims shape = x.shape();
  int64_t known = 1;
  for (int64_t s : sizes) known *= s == -1 ? 1 : s;
  shape.erase(d);
  for (int i = 0; i < sizes.n; ++i) shape.insert(d + i, sizes[i] == -1 ? (known ? x.shape()[d] / known : 0) : sizes[i]);
  WEFT_CHECK(numel_of(shape) == x.numel(), Runtime, "[unflatten] sizes ", to_string(sizes),
             " do not multiply to the size ", x.shape()[d], " of dimension ", d);
  return reshape(x, shape);
}

Tensor permute(const Tensor& x, const Dims& axes) {
  WEFT_CHECK(axes.n == x.dim(), Runtime, "[permute] expected ", x.dim(), " axes for a tensor of shape ",
             to_string(x.shape()), ", got ", to_string(axes));
  Dims shape = Dims::filled(axes.n, 0), strides = shape, inverse = Dims::filled(axes.n, -1);
  for (int i = 0; i < axes.n; ++i) {
    int a = wrap_dim("permute", axes[i], x.dim());
    WEFT_CHECK(inverse[a] == -1, Runtime, "[permute] axis ", a, " comes twice in ", to_string(axes));
    inverse[a] = i;
    shape[i] = x.shape()[a];
    strides[i] = x.strides()[a];
  }
  Tensor y = x.as_view(shape, strides, x.get()->offset);
  if (needs_grad(x)) record("permute", {x}, {y}, [inverse](Backward& b) { return b.grads(permute(b.dy(), inverse)); });
  return y;
}

Tensor transpose(const Tensor& x, int64_t a, int64_t b) {
  if (x.dim() == 0) return permute(x, {});
  Dims axes;
  for (int i = 0; i < x.dim(); ++i) axes.push_back(i);
  std::swap(axes[wrap_dim("transpose", a, x.dim())], axes[wrap_dim("transpose", b, x.dim())]);
  return permute(x, axes);
}

Tensor expand(const Tensor& x, const Dims& sizes) {
  WEFT_CHECK(sizes.n >= x.dim(), Runtime, "[expand] shape ", to_string(sizes),
             " has fewer dimensions than the tensor (", to_string(x.shape()), ")");
  Dims shape = sizes;
  int lead = sizes.n - x.dim();
  for (int i = 0; i < sizes.n; ++i) {
    if (i < lead) {
      WEFT_CHECK(sizes[i] >= 0, Runtime, "[expand] a new dimension needs a size, got ", to_string(sizes));
      continue;
    }
    int64_t have = x.shape()[i - lead];
    if (sizes[i] == -1) shape[i] = have;
    WEFT_CHECK(shape[i] == have || have == 1, Runtime, "[expand] size ", sizes[i], " does not match size ", have,
               " of dimension ", i - lead, " (shape ", to_string(x.shape()), ")");
  }
  Tensor y = x.as_view(shape, broadcast_strides(x.shape(), x.strides(), shape), x.get()->offset);
  if (needs_grad(x))
    record("expand", {x}, {y}, [from = x.shape()](Backward& b) { return b.grads(sum_to(b.dy(), from)); });
  return y;
}

namespace {

// A view whose size-1 dimensions come or go: gradient is the reshape back.
Tensor with_dims(const Tensor& x, const Dims& shape, const Dims& strides) {
  return record_reshape(x, x.as_view(shape, strides, x.get()->offset));
}

}  // namespace

Tensor squeeze_all(const Tensor& x) {
  Dims shape, strides;
  for (int i = 0; i < x.dim(); ++i)
    if (x.shape()[i] != 1) {
      shape.push_back(x.shape()[i]);
      strides.push_back(x.strides()[i]);
    }
  return with_dims(x, shape, strides);
}

Tensor squeeze(const Tensor& x, int64_t dim) { return squeeze_dims(x, Dims{dim}); }

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  int d = wrap_dim("unsqueeze", dim, x.dim() + 1);
  Dims shape = x.shape(), strides = x.strides();
  strides.insert(d, d < x.dim() ? shape[d] * strides[d] : 1);
  shape.insert(d, 1);
  return with_dims(x, shape, strides);
}

Tensor squeeze_dims(const Tensor& x, const std::optional<Dims>& dims) {
  if (!dims) return squeeze_all(x);
  Dims named = Dims::filled(std::max(x.dim(), 1), 0), shape, strides;
  for (int64_t dim : *dims) {
    int d = wrap_dim("squeeze", dim, x.dim());
    WEFT_CHECK(!named[d], Runtime, "[squeeze] dimension ", d, " comes twice in ", to_string(*dims));
    named[d] = 1;
  }
  for (int d = 0; d < x.dim(); ++d) {
    if (named[d] && x.shape()[d] == 1) continue;
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  return with_dims(x, shape, strides);
}

Tensor matrix_transpose(const Tensor& x) {
  WEFT_CHECK(x.dim() <= 2, Runtime, "[t] expected at most 2 dimensions, got ", x.dim());
  return x.dim() < 2 ? with_dims(x, x.shape(), x.strides()) : transpose(x, 0, 1);
}

namespace {

Tensor movedim(const Tensor& x, const Dims& source, const Dims& destination) {
  WEFT_CHECK(source.n == destination.n, Runtime, "[movedim] source and destination must have the same length, got ",
             to_string(source), " and ", to_string(destination));
  Dims order = Dims::filled(x.dim(), -1), taken = Dims::filled(x.dim(), 0);
  for (int i = 0; i < source.n; ++i) {
    int from = wrap_dim("movedim", source[i], x.dim()), to = wrap_dim("movedim", destination[i], x.dim());
    WEFT_CHECK(!taken[from] && order[to] == -1, Runtime, "[movedim] an axis comes twice");
    taken[from] = 1;
    order[to] = from;
  }
  int next = 0;
  for (int i = 0; i < x.dim(); ++i) {
    if (order[i] != -1) continue;
    while (taken[next]) ++next;
    order[i] = next++;
  }
  return permute(x, order);
}

}  // namespace

void bind_view(py::module_& m) {
  m.def("reshape", &reshape, py::arg("input"), py::arg("shape"),
        "The same elements in another shape; one size may be -1. A view where possible, else a copy.");
  def_method("reshape", [](const Tensor& x, py::args shape) { return reshape(x, sizes_from(shape)); });
  def_method(
      "view", [](const Tensor& x, DType dtype) { return view_bits(x, dtype); }, py::arg("dtype"),
      "The same bytes read as another dtype of the same size; off the tape.");
  def_method(
      "view", [](const Tensor& x, py::args shape) { return view(x, sizes_from(shape)); },
      "As reshape, but never copies: RuntimeError where no view can do it.");
  def_method("view_as", [](const Tensor& x, const Tensor& other) { return view(x, other.shape()); }, py::arg("other"));
  def_method(
      "reshape_as", [](const Tensor& x, const Tensor& other) { return reshape(x, other.shape()); }, py::arg("other"));
  def_both(m, "flatten", &flatten, py::arg("start_dim") = 0, py::arg("end_dim") = -1,
           "Merges dimensions start_dim..end_dim into one.");
  def_both(m, "unflatten", &unflatten, py::arg("dim"), py::arg("sizes"), "Splits one dimension into several.");
  def_both(m, "ravel", [](const Tensor& x) { return reshape(x, {-1}); }, "One dimension, a view where possible.");
  def_both(m, "transpose", &transpose, py::arg("dim0"), py::arg("dim1"), "Swaps two dimensions; a view.");
  for (const char* name : {"swapaxes", "swapdims"})
    def_both(m, name, &transpose, py::arg("axis0"), py::arg("axis1"), "Alias of transpose.");
  m.def("permute", &permute, py::arg("input"), py::arg("dims"), "Reorders the dimensions; a view.");
  def_method("permute", [](const Tensor& x, py::args dims) { return permute(x, sizes_from(dims)); });
  for (const char* name : {"movedim", "moveaxis"})
    def_both(m, name, &movedim, py::arg("source"), py::arg("destination"), "Moves dimensions to new places; a view.");
  def_both(m, "t", &matrix_transpose, "Transpose of a matrix; a view.");
  def_method(
      "expand", [](const Tensor& x, py::args sizes) { return expand(x, sizes_from(sizes)); },
      "Repeats dimensions of size 1 without copying; -1 keeps a size.");
  def_method(
      "expand_as", [](const Tensor& x, const Tensor& other) { return expand(x, other.shape()); }, py::arg("other"));
  m.def("broadcast_to", &expand, py::arg("input"), py::arg("shape"), "Expands to a shape; a view.");
  def_method("broadcast_to", &expand, py::arg("shape"));
  def_both(m, "squeeze", &squeeze_dims, py::arg("dim") = py::none(),
           "Drops dimensions of size 1 (all, or those given).");
  def_both(m, "unsqueeze", &unsqueeze, py::arg("dim"), "A new dimension of size 1.");
}

}  // namespace weft
