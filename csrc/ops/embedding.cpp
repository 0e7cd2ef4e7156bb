#include "ops/embedding.h"

#include "kernels/embedding.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/sparse.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

Tensor sum_rows(const Tensor& ids, const Tensor& dy, const EmbeddingTable& table) {
  int64_t cols = dy.shape().back(), n = ids.numel();
  Tensor sums = Tensor::empty({table.rows, cols}, dy.dtype(), dy.device());
  if (sums.numel() == 0) return sums;
  Tensor d = contiguous(dy.detach());
  Workspace work(kEmbeddingRoom * (n + 1) * (int64_t)sizeof(int64_t), dy.device());
  EmbeddingBackward args{
      sums.data(),       d.data(),   ids.ptr<int64_t>(), static_cast<int64_t*>(work.data()), n, table.rows, cols,
      table.padding_row, dy.dtype(), table.by_frequency};
  launch("embedding backward", dy.device(), kernels<EmbeddingKernels>(dy.device()).backward, args,
         (double)sums.numel() + (double)dy.numel());
  return sums;
}

namespace {

// Which rows a batch uses and where, as the kernel says it.
struct Groups {
  Tensor which, places, count;  // [n]; [2 n + 1]: where groups begin, and their places; []

  Groups(int64_t n, Device device)
      : which(Tensor::empty({n}, DType::Int64, device)),
        places(Tensor::empty({2 * n + 1}, DType::Int64, device)),
        count(Tensor::zeros({}, DType::Int64, device)) {}
  Groups(Tensor which, Tensor places, Tensor count)
      : which(std::move(which)), places(std::move(places)), count(std::move(count)) {}
  EmbeddingGroups pointers() const {
    int64_t* start = places.ptr<int64_t>();
    return {which.ptr<int64_t>(), start, start + which.numel() + 1, count.ptr<int64_t>()};
  }
};

Tensor sum_groups(const Groups& g, const Tensor& dy, int64_t table_rows) {
  const Device device = dy.device();
  const int64_t cols = dy.shape().back(), rows = g.count.item_int();
  Tensor values = Tensor::empty({rows, cols}, dy.dtype(), device), d = contiguous(dy.detach());
  if (values.numel())
    launch("embedding sums", device, kernels<EmbeddingKernels>(device).sums,
           EmbeddingSums{values.data(), d.data(), g.pointers(), rows, cols, dy.dtype()}, (double)dy.numel());
  return make_sparse(narrow(g.which, 0, 0, rows), values, table_rows);
}

}  // namespace

Tensor sum_rows_sparse(const Tensor& ids, const Tensor& dy, const EmbeddingTable& table) {
  const Device device = dy.device();
  const int64_t n = ids.numel();
  const Groups groups(n, device);
  Workspace room(n * (int64_t)sizeof(int64_t), device);
  if (n)
    launch("embedding groups", device, kernels<EmbeddingKernels>(device).group,
           EmbeddingGroup{groups.pointers(), ids.ptr<int64_t>(), static_cast<int64_t*>(room.data()), n, table.rows,
                          table.padding_row},
           (double)n * 8);
  return sum_groups(groups, dy, table.rows);
}

namespace {

Tensor lookup(const Tensor& ids, const Tensor& weight, const EmbeddingTable& table, bool sparse = false);

// The table's gradient; linear in dy, so that its own gradient is a lookup.
Tensor table_gradient(const Tensor& ids, const Tensor& dy, const EmbeddingTable& table) {
  Tensor dweight = sum_rows(ids, dy, table);
  if (!needs_grad(dy)) return dweight;
  if (table.by_frequency) {
    no_second_derivative("embedding with scale_grad_by_freq", {dy}, {dweight});
    return dweight;
  }
  record("embedding backward", {dy}, {dweight}, [saved = Saved(ids), table](Backward& b) {
    Tensor ids = saved.get(b), ddy = lookup(ids, b.dy(), table);
    if (table.padding_row < 0) return b.grads(ddy);
    Tensor padding = unsqueeze(eq(ids, Tensor::full({}, (double)table.padding_row, DType::Int64, ids.device())), -1);
    return b.grads(where(padding, Tensor::zeros({}, ddy.dtype(), ddy.device()), ddy));
  });
  return dweight;
}

Tensor lookup(const Tensor& ids, const Tensor& weight, const EmbeddingTable& table, bool sparse) {
  Device device = weight.device();
  int64_t n = ids.numel(), cols = weight.shape()[1];
  Dims shape = ids.shape();
  shape.push_back(cols);
  Tensor y = Tensor::empty(shape, weight.dtype(), device), w = contiguous(weight.detach());
  Tensor bad = Tensor::empty({}, DType::Int64, device);
  EmbeddingForward args{y.data(), w.data(), ids.ptr<int64_t>(), bad.ptr<int64_t>(), n, table.rows, cols, w.dtype(), {}};
  const bool recorded = needs_grad(weight), grouped = recorded && sparse;
  const Groups groups = grouped ? Groups(n, device) : Groups({}, {}, {});
  Workspace room(grouped ? n * (int64_t)sizeof(int64_t) : 0, device);
  if (grouped)
    args.also = {groups.pointers(), args.ids, static_cast<int64_t*>(room.data()), n, table.rows, table.padding_row};
  launch("embedding", device, kernels<EmbeddingKernels>(device).forward, args, (double)y.numel());
  at_each_run({bad, ids}, [rows = table.rows](const TensorList& t) {
    int64_t where_bad = t[0].item_int();
    if (where_bad == INT64_MAX) return;
    int64_t id = t[1].as_view({}, {}, t[1].get()->offset + where_bad).item_int();
    fail(ErrorKind::Index, cat("[embedding] id ", id, " at position ", where_bad,
                               " of the input is out of range: the table has ", rows, " rows"));
  });
  if (grouped)
    record("embedding", {weight}, {y},
           [which = Saved(groups.which), places = Saved(groups.places), count = Saved(groups.count),
            rows = table.rows](Backward& b) {
             WEFT_CHECK(!needs_grad(b.dy()), Runtime,
                        "[embedding] a sparse gradient has no derivative of its own; use sparse=False");
             return b.grads(sum_groups({which.get(b), places.get(b), count.get(b)}, b.dy(), rows));
           });
  else if (recorded)
    record("embedding", {weight}, {y},
           [ids = Saved(ids), table](Backward& b) { return b.grads(table_gradient(ids.get(b), b.dy(), table)); });
  return y;
}

Tensor embedding(const Tensor& input, const Tensor& weight, std::optional<int64_t> padding_idx, py::object max_norm,
                 double, bool scale_grad_by_freq, bool sparse) {
  WEFT_CHECK(input.dtype() == DType::Int64 || input.dtype() == DType::Int32, Type,
             "[embedding] expected ids of int32 or int64, got ", name_of(input.dtype()));
  WEFT_CHECK(weight.dim() == 2, Value, "[embedding] expected a weight of 2 dimensions, got ",
             to_string(weight.shape()));
  WEFT_CHECK(is_floating(weight.dtype()), Type, "[embedding] expected a floating weight, got ",
             name_of(weight.dtype()));
  WEFT_CHECK(input.device() == weight.device(), Runtime, "[embedding] expected ids on ", to_string(weight.device()),
             ", got ", to_string(input.device()));
  WEFT_CHECK(max_norm.is_none(), NotImplemented,
             "[embedding] max_norm is not supported; renormalise the weight itself");
  WEFT_CHECK(!sparse || !scale_grad_by_freq, Runtime,
             "[embedding] scale_grad_by_freq is not supported with sparse gradients");
  int64_t rows = weight.shape()[0], padding = padding_idx.value_or(-1);
  if (padding_idx) {
    WEFT_CHECK(padding >= -rows && padding < rows, Value, "[embedding] padding_idx ", padding,
               " is out of range: the table has ", rows, " rows");
    if (padding < 0) padding += rows;
  }
  return lookup(contiguous(to(input, DType::Int64)), weight, {rows, padding, scale_grad_by_freq}, sparse);
}

}  // namespace

void bind_embedding(py::module_& m) {
  m.def("embedding", embedding, py::arg("input"), py::arg("weight"), py::arg("padding_idx") = py::none(),
        py::arg("max_norm") = py::none(), py::arg("norm_type") = 2.0, py::arg("scale_grad_by_freq") = false,
        py::arg("sparse") = false,
        "Rows of weight [rows, cols] by id: input [...] of integers gives [..., cols]. IndexError names an id that is "
        "out of range. The row padding_idx gets no gradient. sparse: the gradient holds the rows used and no others.");
}

}  // namespace weft
