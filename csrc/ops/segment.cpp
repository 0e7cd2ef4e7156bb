#include "ops/segment.h"

#include "ops/copy.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

// How many rows each segment has, but at least 1, in x's dtype and of a shape that broadcasts with [count, ...].
Tensor sizes_like(const Tensor& x, const Segments& s) {
  GradMode off(false);
  Tensor sizes = sub(narrow(s.start, 0, 1, s.count), narrow(s.start, 0, 0, s.count));
  Dims shape = Dims::filled(x.dim(), 1);
  shape[0] = s.count;
  return reshape(to(maximum(sizes, Tensor::full({}, 1, DType::Int64, x.device())), x.dtype()), shape);
}

Tensor reduce_rows(const char* op, SegmentOp kind, const Tensor& x, const Segments& s) {
  Dims shape = x.shape();
  shape[0] = s.count;
  Tensor in = contiguous(x.detach()), y = Tensor::empty(shape, x.dtype(), x.device());
  if (y.numel() == 0) return y;
  SegmentReduce a{};
  a.y = y.data();
  a.x = in.data();
  a.start = s.start.ptr<int64_t>();
  a.order = s.order.defined() ? s.order.ptr<int64_t>() : nullptr;
  a.rows = x.shape()[0];
  a.segments = s.count;
  a.cols = y.numel() / s.count;
  a.dtype = x.dtype();
  a.op = kind;
  launch(op, x.device(), kernels<SegmentKernels>(x.device()).reduce, a, (double)x.numel());
  return y;
}

}  // namespace

Segments group_rows(const char* op, const Tensor& ids, std::optional<int64_t> count, bool sorted) {
  WEFT_CHECK(ids.dtype() == DType::Int64 || ids.dtype() == DType::Int32, Type, "[", op,
             "] expected segment_ids of int64 or int32, got ", name_of(ids.dtype()));
  WEFT_CHECK(ids.dim() == 1, Value, "[", op, "] expected segment_ids of one dimension, got shape ",
             to_string(ids.shape()));
  WEFT_CHECK(!count || *count >= 0, Value, "[", op, "] expected num_segments >= 0, got ", count.value_or(0));
  GradMode off(false);
  Device device = ids.device();
  Segments s;
  s.ids = contiguous(to(ids.detach(), DType::Int64));
  int64_t n = ids.numel();
  s.count = count ? *count : n ? amax(s.ids).item_int() + 1 : 0;
  if (s.count < 0) s.count = 0;
  Tensor host = to(s.ids, Device{}), bad = Tensor::empty({}, DType::Int64);  // a counting sort is nothing for a GPU
  s.start = Tensor::empty({s.count + 1}, DType::Int64);
  if (!sorted) s.order = Tensor::empty({n}, DType::Int64);
  SegmentPlan a{s.start.ptr<int64_t>(),
                sorted ? nullptr : s.order.ptr<int64_t>(),
                bad.ptr<int64_t>(),
                host.ptr<int64_t>(),
                n,
                s.count};
  launch(op, Device{}, kernels<SegmentKernels>(Device{}).plan, a, (double)n * 4);
  at_each_run({bad, host}, [op, segments = s.count](const TensorList& t) {
    int64_t at = t[0].item_int();
    if (at == INT64_MAX) return;
    int64_t id = t[1].ptr<int64_t>()[at];
    WEFT_CHECK(id >= 0 && id < segments, Index, "[", op, "] segment id ", id, " at position ", at,
               " is out of range: there are ", segments, " segments");
    fail(ErrorKind::Value, cat("[", op, "] expected ascending segment_ids with sorted=True, but id ", id,
                               " at position ", at, " follows a larger one"));
  });
  s.start = to(s.start, device);
  if (!sorted) s.order = to(s.order, device);
  return s;
}

Tensor segment_spread(const Tensor& y, const Segments& s) {
  Tensor x;
  {
    GradMode off(false);
    x = index_dims(y, 0, {s.ids});
  }
  if (needs_grad(y))
    record("segment_spread", {y}, {x},
           [s](Backward& b) { return b.grads(segment_reduce("segment_sum", SegmentOp::Sum, b.dy(), s)); });
  return x;
}

Tensor segment_reduce(const char* op, SegmentOp kind, const Tensor& x, const Segments& s) {
  Tensor y = reduce_rows(op, kind, x, s);
  if (!needs_grad(x)) return y;
  if (kind == SegmentOp::Sum)
    record(op, {x}, {y}, [s](Backward& b) { return b.grads(segment_spread(b.dy(), s)); });
  else if (kind == SegmentOp::Mean)
    record(op, {x}, {y}, [s](Backward& b) { return b.grads(segment_spread(div(b.dy(), sizes_like(b.dy(), s)), s)); });
  else  // shared by all rows that have the extreme
    record(op, {x}, {y}, [s, x = Saved(x), y = Saved::output(y)](Backward& b) {
      Tensor hit;
      {
        GradMode off(false);
        hit = to(eq(x.get(b), segment_spread(y.get(b), s)), b.dy().dtype());
      }
      Tensor share = div(b.dy(), maximum(reduce_rows("segment_sum", SegmentOp::Sum, hit, s),
                                         Tensor::full({}, 1, hit.dtype(), hit.device())));
      return b.grads(mul(segment_spread(share, s), hit));
    });
  return y;
}

namespace {

using SoftmaxKernel = void (*)(const SegmentSoftmax&);

Tensor softmax_launch(const Tensor& x, const Tensor& dy, const Segments& s, SoftmaxKernel kernel) {
  Tensor in = contiguous(x.detach()), d = dy.defined() ? contiguous(dy.detach()) : dy, y = Tensor::empty_like(in);
  if (y.numel() == 0) return y;
  SegmentSoftmax a{};
  a.y = y.data();
  a.x = in.data();
  a.dy = d.defined() ? d.data() : nullptr;
  a.start = s.start.ptr<int64_t>();
  a.order = s.order.defined() ? s.order.ptr<int64_t>() : nullptr;
  a.rows = x.shape()[0];
  a.segments = s.count;
  a.cols = y.numel() / a.rows;
  a.dtype = x.dtype();
  launch("segment_softmax", x.device(), kernel, a, (double)x.numel() * 16);
  return y;
}

// y * (dy - sum of y * dy), on the tape where that is wanted.
Tensor softmax_gradient(const Tensor& y, const Tensor& dy, const Segments& s) {
  if (!grad_enabled()) return softmax_launch(y, dy, s, kernels<SegmentKernels>(y.device()).softmax_backward);
  Tensor weighted = mul(y, dy);
  return sub(weighted, mul(y, segment_spread(segment_reduce("segment_sum", SegmentOp::Sum, weighted, s), s)));
}

Tensor segment_softmax(const Tensor& x, const Segments& s) {
  Tensor y = softmax_launch(x, {}, s, kernels<SegmentKernels>(x.device()).softmax);
  if (needs_grad(x))
    record("segment_softmax", {x}, {y},
           [s, y = Saved::output(y)](Backward& b) { return b.grads(softmax_gradient(y.get(b), b.dy(), s)); });
  return y;
}

void check_data(const char* op, const Tensor& x, const Tensor& ids, bool integers) {
  WEFT_CHECK(x.dim() >= 1 && ids.dim() == 1 && x.shape()[0] == ids.numel(), Value, "[", op,
             "] expected data [n, ...] and segment_ids [n], got ", to_string(x.shape()), " and ",
             to_string(ids.shape()));
  WEFT_CHECK(x.device() == ids.device(), Runtime, "[", op, "] expected segment_ids on ", to_string(x.device()),
             ", got ", to_string(ids.device()));
  WEFT_CHECK(is_floating(x.dtype()) || (integers && x.dtype() != DType::Bool), Type, "[", op, "] expected ",
             integers ? "numbers" : "a floating dtype", ", got ", name_of(x.dtype()));
}

void bind_reduction(py::module_& m, const char* name, SegmentOp kind, const char* doc) {
  m.def(
      name,
      [name, kind](const Tensor& data, const Tensor& ids, std::optional<int64_t> count, bool sorted) {
        check_data(name, data, ids, kind != SegmentOp::Mean);
        Segments s = group_rows(name, ids, count, sorted);
        if (is_floating(data.dtype())) return segment_reduce(name, kind, data, s);
        return to(segment_reduce(name, kind, to(data, DType::Int64), s), data.dtype());
      },
      py::arg("data"), py::arg("segment_ids"), py::arg("num_segments") = py::none(), py::arg("sorted") = false, doc);
}

}  // namespace

void bind_segment(py::module_& m) {
  bind_reduction(
      m, "segment_sum", SegmentOp::Sum,
      "Sums of the rows of data [n, ...] that share an id: [num_segments, ...], where row s sums the data[i]\n"
      "with segment_ids[i] == s, in their order: the same bits for any number of threads. num_segments\n"
      "defaults to the largest id + 1. Ids may come in any order; sorted=True says that they ascend, which\n"
      "saves grouping them. An empty segment is 0. IndexError names an id that is out of range.");
  bind_reduction(m, "segment_mean", SegmentOp::Mean, "The mean of each segment, 0 for an empty one. See segment_sum.");
  bind_reduction(
      m, "segment_max", SegmentOp::Max,
      "The largest of each segment, -inf (or the lowest integer) for an empty one. The gradient is shared by\n"
      "equal elements. See segment_sum.");
  bind_reduction(m, "segment_min", SegmentOp::Min,
                 "The smallest of each segment, inf (or the highest integer) for an empty one. See segment_max.");
  m.def(
      "segment_softmax",
      [](const Tensor& data, const Tensor& ids, std::optional<int64_t> count, bool sorted) {
        check_data("segment_softmax", data, ids, false);
        return segment_softmax(data, group_rows("segment_softmax", ids, count, sorted));
      },
      py::arg("data"), py::arg("segment_ids"), py::arg("num_segments") = py::none(), py::arg("sorted") = false,
      "Softmax of data [n, ...] over the rows of each segment, the attention of a graph: same shape. See segment_sum.");
}

}  // namespace weft
