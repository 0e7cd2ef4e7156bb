// Views that read one element several times or in another order of the memory: as_strided, unfold; and flip, a copy.
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {
namespace {

Tensor steps(int64_t n, int64_t by) {
  Tensor t = Tensor::table({n}, DType::Int64);
  for (int64_t i = 0; i < n; ++i) t.ptr<int64_t>()[i] = i * by;
  return t;
}

// A way of reading a buffer: where each element lies.
struct Geometry {
  Dims shape, strides;
  int64_t offset;

  explicit Geometry(const Tensor& t) : shape(t.shape()), strides(t.strides()), offset(t.get()->offset) {}
  int64_t end() const {
    int64_t last = offset;
    for (int d = 0; d < shape.n; ++d) last += shape[d] ? (shape[d] - 1) * strides[d] : 0;
    return last + 1;
  }
  int64_t copies() const {  // of each element, by expand
    int64_t n = 1;
    for (int d = 0; d < shape.n; ++d) n *= strides[d] == 0 && shape[d] ? shape[d] : 1;
    return n;
  }
  Tensor places(int64_t from, Device device) const {
    Tensor at = Tensor::empty({}, DType::Int64);
    fill_raw_int(at, offset - from);
    for (int d = 0; d < shape.n; ++d) at = add(unsqueeze(at, -1), steps(shape[d], strides[d]));
    return to(at, device);
  }
};

// The gradient goes into a buffer, where places that several elements share add up, and is read as the input was.
Tensor as_strided_backward(const Tensor& dy, const Geometry& in, const Geometry& out) {
  int64_t from = std::min(in.offset, out.offset), size = std::max(in.end(), out.end()) - from;
  Tensor buffer = Tensor::zeros({size}, dy.dtype(), dy.device());
  index_put(buffer, 0, {out.places(from, dy.device())}, dy, true);
  Tensor dx = index_dims(buffer, 0, {in.places(from, dy.device())});
  return in.copies() > 1 ? div(dx, (double)in.copies()) : dx;
}

}  // namespace

Tensor as_strided(const Tensor& x, const Dims& size, const Dims& stride, std::optional<int64_t> storage_offset) {
  WEFT_CHECK(size.n == stride.n, Runtime, "[as_strided] expected as many strides as sizes, got ", to_string(size),
             " and ", to_string(stride));
  int64_t offset = storage_offset.value_or(x.get()->offset), last = offset, count = numel_of(size);
  WEFT_CHECK(offset >= 0, Runtime, "[as_strided] storage_offset must not be negative, got ", offset);
  for (int d = 0; d < size.n; ++d) {
    WEFT_CHECK(stride[d] >= 0, Runtime, "[as_strided] strides must not be negative, got ", to_string(stride));
    int64_t step;
    bool far = __builtin_mul_overflow(size[d] - 1, stride[d], &step) || __builtin_add_overflow(last, step, &last);
    WEFT_CHECK(!far || count == 0, Runtime, "[as_strided] size ", to_string(size), " and stride ", to_string(stride),
               " leave the memory of the tensor");
  }
  int64_t capacity = (int64_t)x.get()->storage->bytes / x.itemsize();
  WEFT_CHECK(count == 0 || last < capacity, Runtime, "[as_strided] size ", to_string(size), ", stride ",
             to_string(stride), " and storage offset ", offset, " leave the memory of the tensor, which has ", capacity,
             " elements");
  Tensor y = x.as_view(size, stride, offset);
  if (needs_grad(x))
    record("as_strided", {x}, {y}, [in = Geometry(x), out = Geometry(y)](Backward& b) {
      return b.grads(as_strided_backward(b.dy(), in, out));
    });
  return y;
}

namespace {

Tensor unfold(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  if (x.dim() == 0) {
    wrap_dim("unfold", dim, 1);
    WEFT_CHECK(size >= 0 && size <= 1 && step > 0, Runtime,
               "[unfold] expected a size up to 1 and a positive step, got ", size, " and ", step);
    return narrow(reshape(x, {1}), 0, 0, size);
  }
  int d = wrap_dim("unfold", dim, x.dim());
  int64_t n = x.shape()[d];
  WEFT_CHECK(size >= 0 && size <= n, Runtime, "[unfold] expected a size from 0 to that of dimension ", d, ", ", n,
             ", got ", size);
  WEFT_CHECK(step > 0, Runtime, "[unfold] step must be positive, got ", step);
  Dims shape = x.shape(), strides = x.strides();
  shape.push_back(size);
  strides.push_back(strides[d]);
  shape[d] = (n - size) / step + 1;
  strides[d] *= step;
  Tensor y = x.as_view(shape, strides, x.get()->offset);
  if (needs_grad(x))
    record("unfold", {x}, {y}, [d, size, step, shape, from = x.shape()](Backward& b) {
      Tensor dx = Tensor::zeros(from, b.dy().dtype(), b.dy().device());
      Tensor at = to(add(unsqueeze(steps(shape[d], step), -1), steps(size, 1)), dx.device());
      Dims axes;  // the windows' dimension next to d
      for (int i = 0; i + 1 < shape.n; ++i) {
        axes.push_back(i);
        if (i == d) axes.push_back(shape.n - 1);
      }
      index_put(dx, d, {at}, permute(b.dy(), axes), true);
      return b.grads(dx);
    });
  return y;
}

Tensor flip(const Tensor& x, const Dims& dims) {
  Dims strides = x.strides(), seen = Dims::filled(std::max(x.dim(), 1), 0);
  int64_t offset = x.get()->offset;
  for (int64_t dim : dims) {
    int d = wrap_dim("flip", dim, x.dim());
    WEFT_CHECK(!seen[d], Runtime, "[flip] dimension ", d, " comes twice in ", to_string(dims));
    seen[d] = 1;
    if (x.dim() == 0 || x.shape()[d] < 2) continue;
    offset += (x.shape()[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
  Tensor y = Tensor::empty_like(x);
  copy_into(y, x.as_view(x.shape(), strides, offset));
  if (needs_grad(x)) record("flip", {x}, {y}, [dims](Backward& b) { return b.grads(flip(b.dy(), dims)); });
  return y;
}

}  // namespace

void bind_strided_view(py::module_& m) {
  def_both(m, "as_strided", &as_strided, py::arg("size"), py::arg("stride"), py::arg("storage_offset") = py::none(),
           "The tensor's memory read with other sizes and strides, which count elements; a view.");
  def_method("unfold", &unfold, py::arg("dimension"), py::arg("size"), py::arg("step"),
             "Windows of `size` elements along a dimension, `step` apart, as a new last dimension; a view.");
  m.def("flip", &flip, py::arg("input"), py::arg("dims"), "The order of some dimensions reversed; a copy.");
  def_method("flip", &flip, py::arg("dims"), "The order of some dimensions reversed; a copy.");
  def_method("flip", [](const Tensor& x, const py::args& dims) { return flip(x, sizes_from(dims)); });
}

}  // namespace weft
