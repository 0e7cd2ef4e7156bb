#include "ops/sparse.h"

#include "ops/cat.h"
#include "ops/copy.h"
#include "ops/embedding.h"
#include "ops/index.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {

Tensor make_sparse(const Tensor& ids, const Tensor& values, int64_t rows) {
  Ref<SparseRows> sparse = make_ref<SparseRows>();
  sparse->ids = ids;
  sparse->values = values;
  Ref<TensorImpl> impl = make_ref<TensorImpl>();
  impl->storage = make_ref<Storage>(nullptr, 0, values.device(), nullptr, nullptr);
  impl->storage->sparse = Ref<RefCounted>(sparse.get());
  impl->shape = {rows, values.shape()[1]};
  impl->strides = contiguous_strides(impl->shape);
  impl->dtype = values.dtype();
  return Tensor(std::move(impl));
}

const SparseRows& rows_of_sparse(const Tensor& x) {
  WEFT_CHECK(x.is_sparse(), Runtime, "expected a sparse tensor, got a dense one");
  return static_cast<const SparseRows&>(*x.get()->storage->sparse);
}

Tensor to_dense(const Tensor& x) {
  if (!x.is_sparse()) return x;
  const SparseRows& s = rows_of_sparse(x);
  return sum_rows(s.ids, s.values, {x.shape()[0]});
}

Tensor clone_sparse(const Tensor& x) {
  const SparseRows& s = rows_of_sparse(x);
  return make_sparse(clone(s.ids), clone(s.values), x.shape()[0]);
}

Tensor add_sparse(const Tensor& a, const Tensor& b, bool in_place) {
  WEFT_CHECK(a.shape() == b.shape() && a.dtype() == b.dtype(), Runtime, "[add] expected two gradients alike, got ",
             name_of(a.dtype()), " ", to_string(a.shape()), " and ", name_of(b.dtype()), " ", to_string(b.shape()));
  if (a.is_sparse() && b.is_sparse()) {
    const SparseRows &s = rows_of_sparse(a), &t = rows_of_sparse(b);
    return sum_rows_sparse(join({s.ids, t.ids}, 0), join({s.values, t.values}, 0), {a.shape()[0]});
  }
  const SparseRows& s = rows_of_sparse(a.is_sparse() ? a : b);
  Tensor dense = !a.is_sparse() && in_place ? a : clone(a.is_sparse() ? b : a);
  index_put(dense, 0, {s.ids}, s.values, true);
  return dense;
}

void bind_sparse(py::module_&) {
  auto ids = [](const Tensor& x) { return unsqueeze(rows_of_sparse(x).ids, 0); };
  auto values = [](const Tensor& x) { return rows_of_sparse(x).values; };
  auto same = [](py::object self) {
    rows_of_sparse(tensor_of(self.ptr()));
    return self;
  };
  for (const char* name : {"indices", "_indices"})
    def_method(name, ids, "Of a sparse tensor: which rows are there, ascending, as [1, n].");
  for (const char* name : {"values", "_values"})
    def_method(name, values, "Of a sparse tensor: its rows [n, columns], in the order of indices(); not a copy.");
  def_method("coalesce", same, "Of a sparse tensor: itself, because no row is ever in it twice.");
  def_method("is_coalesced", [](const Tensor& x) { return rows_of_sparse(x).ids.defined(); }, "True for a sparse one.");
  def_method("_nnz", [](const Tensor& x) { return rows_of_sparse(x).ids.numel(); }, "How many rows a sparse one has.");
  def_method("sparse_dim", [](const Tensor& x) { return (int)x.is_sparse(); }, "1 for a sparse tensor, 0 otherwise.");
  def_method("dense_dim", [](const Tensor& x) { return x.dim() - (int)x.is_sparse(); }, "dim() - sparse_dim().");
  def_method(
      "to_dense",
      [](const Tensor& x, const std::optional<DType>& dtype) { return dtype ? to(to_dense(x), *dtype) : to_dense(x); },
      py::arg("dtype") = py::none(), "All rows, zeros where a sparse tensor has none; a dense one is returned itself.");
}

}  // namespace weft
