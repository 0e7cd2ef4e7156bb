#include "ops/linear_scan.h"

#include "kernels/linear_scan.h"
#include "ops/cat.h"
#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

struct Direction {
  int dim;
  bool reverse, delayed;
  Direction opposite() const { return {dim, !reverse, !delayed}; }
};

// The steps before: x[t - 1] (x[t + 1] in reverse), with `first` or 0 where there is none.
Tensor step_before(const Tensor& x, int dim, bool reverse, const Tensor& first) {
  int64_t n = x.shape()[dim];
  Dims edge = x.shape();
  edge[dim] = 1;
  Tensor start = first.defined() ? unsqueeze(first, dim) : Tensor::zeros(edge, x.dtype(), x.device());
  Tensor rest = narrow(x, dim, reverse ? 1 : 0, n - 1);
  return join(reverse ? TensorList{rest, start} : TensorList{start, rest}, dim);
}

Tensor scan(const Tensor& a, const Tensor& b, const Tensor& initial, Direction d) {
  Tensor factors = contiguous(a.detach()), terms = contiguous(b.detach()), y = Tensor::empty_like(terms), first;
  if (initial.defined()) first = contiguous(initial.detach());
  LinearScan s{};
  s.y = y.data();
  s.a = factors.data();
  s.b = terms.data();
  s.initial = first.defined() ? first.data() : nullptr;
  s.outer = s.inner = 1;
  for (int i = 0; i < y.dim(); ++i)
    if (i != d.dim) (i < d.dim ? s.outer : s.inner) *= y.shape()[i];
  s.n = y.shape()[d.dim];
  s.dtype = y.dtype();
  s.reverse = d.reverse;
  s.delayed = d.delayed;
  int64_t chunks = linear_scan_chunks(s.outer, s.n, s.inner);
  Workspace room(chunks > 1 ? chunks * s.outer * s.inner * 16 : 0, y.device());
  s.workspace = room.data();
  if (y.numel())
    launch("linear_scan", y.device(), kernels<LinearScanKernels>(y.device()).scan, s, (double)y.numel() * 4);
  if (!needs_grad(a, b, initial)) return y;
  record("linear_scan", {a, b, initial}, {y},
         [d, a = Saved(a), y = Saved::output(y), initial = Saved(initial)](Backward& back) {
           Tensor factors = a.get(back), first = initial.get(back), da, dfirst;
           Tensor db = scan(factors, back.dy(), {}, d.opposite());
           if (back.needs(0))
             da = d.delayed ? mul(y.get(back), step_before(db, d.dim, !d.reverse, {}))
                            : mul(db, step_before(y.get(back), d.dim, d.reverse, first));
           if (first.defined() && back.needs(2)) {
             int64_t at = d.reverse ? db.shape()[d.dim] - 1 : 0;
             dfirst = mul(select(db, d.dim, at), select(factors, d.dim, at));
           }
           return back.grads(da, db, dfirst);
         });
  return y;
}

Tensor linear_scan(Tensor a, Tensor b, int64_t dim, const std::optional<Tensor>& initial, bool reverse) {
  const char* op = "linear_scan";
  DType dtype = promote(a.dtype(), b.dtype());
  WEFT_CHECK(is_floating(dtype), Type, "[", op, "] expected a floating dtype, got ", name_of(a.dtype()), " and ",
             name_of(b.dtype()));
  WEFT_CHECK(a.device() == b.device() && (!initial || initial->device() == a.device()), Runtime, "[", op,
             "] expected all tensors on one device");
  Dims shape = broadcast_shapes(op, a.shape(), b.shape());
  WEFT_CHECK(shape.n > 0, Value, "[", op, "] expected at least one dimension");
  int axis = wrap_dim(op, dim, shape.n);
  a = expand(to(a, dtype), shape);
  b = expand(to(b, dtype), shape);
  Dims without = shape;
  without.erase(axis);
  Tensor first;
  if (initial) {
    WEFT_CHECK(broadcast_shapes(op, initial->shape(), without) == without, Value, "[", op,
               "] expected an initial state that broadcasts to ", to_string(without), ", got ",
               to_string(initial->shape()));
    first = expand(to(*initial, dtype), without);
  }
  if (shape[axis] == 0) return clone(b);
  return scan(a, b, first, {axis, reverse, false});
}

}  // namespace

Tensor linear_scan_from_end(const Tensor& a, const Tensor& b, int dim) {
  if (b.dim() == 0) return b;
  return scan(a, b, {}, {dim, true, true});
}

void bind_linear_scan(py::module_& m) {
  m.def("linear_scan", &linear_scan, py::arg("a"), py::arg("b"), py::arg("dim"), py::arg("initial") = py::none(),
        py::arg("reverse") = false,
        "h[t] = a[t] * h[t - 1] + b[t] along dim, for all t, where h[-1] is `initial` (the shape without dim) or 0:\n"
        "the recurrence of state-space models and of exponential averages. a and b broadcast. reverse runs from the "
        "end.\n"
        "The same bits for any number of threads; differentiable any number of times.");
}

}  // namespace weft
