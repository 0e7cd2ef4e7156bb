// Joining tensors: each input is copied into its part of the result.
#include "ops/cat.h"

#include "ops/copy.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {

namespace {

DType common_dtype(const TensorList& tensors) {
  DType dtype = tensors[0].dtype();
  for (const Tensor& t : tensors) dtype = promote(dtype, t.dtype());
  return dtype;
}

// PyTorch's legacy: an empty 1-D tensor joins anything.
bool is_skipped(const Tensor& t) { return t.dim() == 1 && t.shape()[0] == 0; }

Tensor concat(const TensorList& tensors, int64_t dim) {
  WEFT_CHECK(!tensors.empty(), Runtime, "[cat] expected a non-empty list of tensors");
  const Tensor* model = &tensors[0];
  for (const Tensor& t : tensors)
    if (!is_skipped(t)) {
      model = &t;
      break;
    }
  WEFT_CHECK(model->dim() > 0, Runtime, "[cat] 0-dimensional tensors cannot be concatenated; use stack");
  int d = wrap_dim("cat", dim, model->dim());
  Dims shape = model->shape();
  shape[d] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    WEFT_CHECK(t.device() == model->device(), Runtime, "[cat] tensor ", i, " is on ", to_string(t.device()),
               ", others on ", to_string(model->device()));
    if (is_skipped(t)) continue;
    WEFT_CHECK(t.dim() == shape.n, Runtime, "[cat] tensor ", i, " has shape ", to_string(t.shape()), ", expected ",
               shape.n, " dimensions");
    for (int k = 0; k < shape.n; ++k)
      WEFT_CHECK(k == d || t.shape()[k] == shape[k], Runtime, "[cat] sizes must match except in dimension ", d,
                 ": tensor ", i, " has shape ", to_string(t.shape()), ", expected ", shape[k], " in dimension ", k);
    shape[d] += t.shape()[d];
  }
  Tensor y = Tensor::empty(shape, common_dtype(tensors), model->device());
  {
    GradMode off(false);
    int64_t at = 0;
    for (const Tensor& t : tensors) {
      if (is_skipped(t)) continue;
      copy_into(narrow(y, d, at, t.shape()[d]), t);
      at += t.shape()[d];
    }
  }
  if (needs_grad(tensors)) {
    std::vector<std::pair<Dims, DType>> parts;
    for (const Tensor& t : tensors) parts.emplace_back(t.shape(), t.dtype());
    record("cat", tensors, {y}, [parts, d](Backward& b) {
      TensorList grads(parts.size());
      int64_t at = 0;
      for (size_t i = 0; i < parts.size(); ++i) {
        auto& [shape, dtype] = parts[i];
        bool skipped = shape.n == 1 && shape[0] == 0;
        if (b.needs((int)i))
          grads[i] =
              skipped ? Tensor::zeros(shape, dtype, b.dy().device()) : to(narrow(b.dy(), d, at, shape[d]), dtype);
        if (!skipped) at += shape[d];
      }
      return grads;
    });
  }
  return y;
}

Tensor stack(const TensorList& tensors, int64_t dim) {
  WEFT_CHECK(!tensors.empty(), Runtime, "[stack] expected a non-empty list of tensors");
  int d = wrap_dim("stack", dim, tensors[0].dim() + 1);
  TensorList parts;
  for (size_t i = 0; i < tensors.size(); ++i) {
    WEFT_CHECK(tensors[i].shape() == tensors[0].shape(), Runtime, "[stack] tensor ", i, " has shape ",
               to_string(tensors[i].shape()), ", expected ", to_string(tensors[0].shape()), " as the first");
    parts.push_back(unsqueeze(tensors[i], d));
  }
  return concat(parts, d);
}

}  // namespace

Tensor join(const TensorList& tensors, int64_t dim) { return concat(tensors, dim); }

void bind_cat(py::module_& m) {
  m.def("cat", &concat, py::arg("tensors"), py::arg("dim") = 0,
        "Joins tensors along an existing dimension. Sizes of the others must match; dtypes are promoted.");
  for (const char* alias : {"concat", "concatenate"}) m.attr(alias) = m.attr("cat");
  m.def("stack", &stack, py::arg("tensors"), py::arg("dim") = 0, "Joins tensors of one shape along a new dimension.");
  auto joined = [](int64_t dim, int at_least) {
    return [dim, at_least](TensorList tensors) {
      bool flat = false;
      for (Tensor& t : tensors) {
        if (t.dim() == 0) t = reshape(t, {1});
        if (t.dim() < at_least) t = unsqueeze(t, 0);
        flat = flat || t.dim() == 1;
      }
      return concat(tensors, flat ? 0 : dim);
    };
  };
  m.def("hstack", joined(1, 1), py::arg("tensors"), "Joins along columns (along the only dimension of 1-D tensors).");
  m.def("vstack", joined(0, 2), py::arg("tensors"), "Joins along rows; 1-D tensors become rows.");
}

}  // namespace weft
