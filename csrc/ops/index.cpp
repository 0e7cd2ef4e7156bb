#include "ops/index.h"

#include "kernels/index.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/slice.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"

namespace weft {

namespace {

Dims broadcast_all(const TensorList& indices) {
  Dims shape = indices[0].shape();
  for (const Tensor& t : indices) shape = broadcast_shapes("index", shape, t.shape());
  return shape;
}

// Where the rows of the result lie in x: offsets in elements from x's first, `cols` contiguous elements each.
struct IndexedRows {
  Tensor offsets;
  int64_t rows, cols;
  Dims shape;  // of x[..., indices, ...]
};

IndexedRows locate(const Tensor& x, int first, const TensorList& indices) {
  int n = (int)indices.size();
  Dims index_shape = broadcast_all(indices);
  IndexedRows r;
  for (int d = 0; d < first; ++d) r.shape.push_back(x.shape()[d]);
  for (int64_t s : index_shape) r.shape.push_back(s);
  for (int d = first + n; d < x.dim(); ++d) r.shape.push_back(x.shape()[d]);

  int inner = x.dim();  // trailing dimensions that are contiguous in x make up a row
  r.cols = 1;
  while (inner > first + n && (x.strides()[inner - 1] == r.cols || x.shape()[inner - 1] == 1))
    r.cols *= x.shape()[--inner];
  r.rows = r.cols == 0 ? 0 : numel_of(r.shape) / r.cols;

  // Offsets of the index part, then of the dimensions around it.
  int64_t count = numel_of(index_shape);
  Tensor at = Tensor::empty(index_shape, DType::Int64, x.device());
  Tensor bad = Tensor::full({1}, 0, DType::Int64, x.device());
  fill_raw_int(bad, INT64_MAX);
  IndexOffsets a{};
  a.offsets = at.ptr<int64_t>();
  a.bad = bad.ptr<int64_t>();
  a.count = count;
  a.indices = n;
  TensorList keep;
  for (int k = 0; k < n; ++k) {
    keep.push_back(contiguous(expand(to(to(indices[k], x.device()), DType::Int64), index_shape)));
    a.index[k] = keep.back().ptr<int64_t>();
    a.size[k] = x.shape()[first + k];
    a.stride[k] = x.strides()[first + k];
  }
  launch("index", x.device(), kernels<IndexKernels>(x.device()).offsets, a, (double)count * n);
  keep.push_back(bad);
  at_each_run(keep, [first, shape = x.shape()](const TensorList& t) {
    int64_t where = t.back().item_int();
    if (where == INT64_MAX) return;
    int64_t i = where / kMaxDims, k = where % kMaxDims;
    int64_t value = reshape(t[(size_t)k], {-1}).as_view({}, {}, t[(size_t)k].get()->offset + i).item_int();
    fail(ErrorKind::Index, cat("[index] index ", value, " is out of bounds for dimension ", first + k, " of size ",
                               shape[first + (int)k]));
  });
  auto spread = [&](int d, bool before) {  // at[..., None] + arange(size) * stride, or the same in front
    Tensor steps = Tensor::table({x.shape()[d]}, DType::Int64);
    for (int64_t i = 0; i < x.shape()[d]; ++i) steps.ptr<int64_t>()[i] = i * x.strides()[d];
    steps = to(steps, x.device());
    at = before ? add(reshape(steps, {-1, 1}), reshape(at, {1, -1}))
                : add(reshape(at, {-1, 1}), reshape(steps, {1, -1}));
  };
  for (int d = first - 1; d >= 0; --d) spread(d, true);
  for (int d = first + n; d < inner; ++d) spread(d, false);
  r.offsets = contiguous(reshape(at, {-1}));
  return r;
}

Tensor gather_rows(const Tensor& x, const IndexedRows& r) {
  Tensor y = Tensor::empty(r.shape, x.dtype(), x.device());
  if (y.numel() == 0) return y;
  GatherRows a{y.data(), x.data(), r.offsets.ptr<int64_t>(), r.rows, r.cols, x.dtype()};
  launch("index", x.device(), kernels<IndexKernels>(x.device()).gather, a, (double)y.numel());
  return y;
}

void scatter_rows(const Tensor& x, const IndexedRows& r, const Tensor& values, bool add) {
  Tensor v = contiguous(expand(to(values, x.dtype()), r.shape));
  if (v.numel() == 0) return;
  if (v.get()->storage == x.get()->storage) v = clone(v);
  ScatterRows a{x.data(), v.data(), r.offsets.ptr<int64_t>(), r.rows, r.cols, x.dtype(), add};
  launch("index_put", x.device(), kernels<IndexKernels>(x.device()).scatter, a, (double)v.numel());
}

}  // namespace

Tensor index_dims(const Tensor& x, int first, const TensorList& indices) {
  Tensor y;
  {
    GradMode off(false);
    y = gather_rows(x, locate(x, first, indices));
  }
  if (needs_grad(x)) {
    TensorList kept;
    for (const Tensor& t : indices) kept.push_back(t.detach());
    record("index", {x}, {y}, [kept, first, shape = x.shape()](Backward& b) {
      Tensor dx = Tensor::zeros(shape, b.dy().dtype(), b.dy().device());
      index_put(dx, first, kept, b.dy(), true);
      return b.grads(dx);
    });
  }
  return y;
}

void index_put(const Tensor& x, int first, const TensorList& indices, const Tensor& values, bool add) {
  InPlace change(add ? "index_put_(accumulate)" : "index_put_", x);
  {
    GradMode off(false);
    IndexedRows r = locate(x, first, indices);
    WEFT_CHECK(broadcast_shapes("index_put_", values.shape(), r.shape) == r.shape, Runtime,
               "[index_put_] values of shape ", to_string(values.shape()), " do not broadcast to the shape ",
               to_string(r.shape), " of what is indexed");
    scatter_rows(x, r, values, add);
  }
  change.done();
  if (!needs_grad(x, values)) return;
  TensorList kept;
  for (const Tensor& t : indices) kept.push_back(t.detach());
  record_inplace("index_put_", x, {x, values},
                 [kept, first, add, shape = values.shape(), dtype = values.dtype()](Backward& b) {
                   Tensor dx = b.dy(), dv;
                   if (b.needs(1)) dv = sum_to(to(index_dims(b.dy(), first, kept), dtype), shape);
                   if (b.needs(0) && !add) {
                     dx = clone(b.dy());
                     index_put(dx, first, kept, Tensor::zeros({}, dx.dtype(), dx.device()), false);
                   }
                   return b.grads(dx, dv);
                 });
}

Tensor nonzero(const Tensor& x) {
  if (anybody_records()) note_host_read("nonzero()");
  Tensor mask = contiguous(to(to(x.detach(), DType::Bool), Device{}));
  const bool* m = mask.ptr<bool>();
  int64_t n = mask.numel(), count = 0;
  for (int64_t i = 0; i < n; ++i) count += m[i];
  Tensor out = Tensor::empty({count, x.dim()}, DType::Int64);
  int64_t* o = out.ptr<int64_t>();
  for (int64_t i = 0; i < n; ++i) {
    if (!m[i]) continue;
    int64_t rest = i;
    for (int d = x.dim() - 1; d >= 0; --d) {
      o[d] = rest % x.shape()[d];
      rest /= x.shape()[d];
    }
    o += x.dim();
  }
  return to(out, x.device());
}

}  // namespace weft
