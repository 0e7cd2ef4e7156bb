#include "ops/copy.h"
#include "ops/pool.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"

namespace weft {

namespace {

double work_of(const PoolShape& s) {
  double window = s.adaptive ? 1 : (double)s.depths.kernel * s.rows.kernel * s.cols.kernel;
  double outputs = (double)s.depths.outputs * s.rows.outputs * s.cols.outputs;
  return s.volumes * s.inner * (outputs * window + (double)s.depths.n * s.rows.n * s.cols.n);
}

// How x and everything that comes from it lie in memory: channels last where x has them so, else in order.
struct Memory {
  bool channels_last = false;
  int64_t volumes, inner = 1;
  Memory(const Tensor& x, const PoolShape& s) : volumes(s.volumes) {
    if (x.dim() < 4 || x.is_contiguous() || s.volumes != x.shape()[0] * x.shape()[1]) return;
    if (!permute(x.detach(), to_last(x.dim())).is_contiguous()) return;
    channels_last = true;
    inner = x.shape()[1];
    volumes = x.shape()[0];
  }
  static Dims to_last(int ndim) {
    Dims axes{0};
    for (int d = 2; d < ndim; ++d) axes.push_back(d);
    axes.push_back(1);
    return axes;
  }
  Tensor arrange(const Tensor& t) const {
    return contiguous(channels_last ? permute(t.detach(), to_last(t.dim())) : t.detach());
  }
  Tensor empty(const Dims& shape, DType dtype, Device device) const {  // of the shape that it has outside
    if (!channels_last) return Tensor::empty(shape, dtype, device);
    Dims inside;
    for (int axis : to_last(shape.n)) inside.push_back(shape[axis]);
    return Tensor::empty(inside, dtype, device);
  }
  Tensor restore(const Tensor& t) const {
    if (!channels_last) return t;
    Dims axes{0, t.dim() - 1};
    for (int d = 1; d < t.dim() - 1; ++d) axes.push_back(d);
    return permute(t, axes).detach();
  }
  PoolShape of(PoolShape s) const {
    s.volumes = volumes;
    s.inner = inner;
    return s;
  }
};

PoolMove move_args(const Tensor& x, const Tensor& y, const Tensor& index, const Memory& m) {
  const int64_t channels = m.volumes * m.inner;
  return {x.data(), y.data(), index.ptr<int32_t>(), m.volumes, x.numel() / channels, y.numel() / channels,
          m.inner,  x.dtype()};
}

Tensor scatter(const Tensor& dy, const Tensor& index, const Dims& shape, const Memory& m);

// Each output's chosen element. `index` is arranged.
Tensor gather(const Tensor& x, const Tensor& index, const Dims& outputs, const Memory& m) {
  Tensor from = m.arrange(x), y = m.empty(outputs, x.dtype(), x.device());
  if (y.numel())
    launch("max_pool_gather", x.device(), kernels<PoolKernels>(x.device()).gather, move_args(from, y, index, m),
           (double)y.numel());
  y = m.restore(y);
  if (needs_grad(x))
    record("max_pool_gather", {x}, {y},
           [index, m, shape = x.shape()](Backward& b) { return b.grads(scatter(b.dy(), index, shape, m)); });
  return y;
}

Tensor scatter(const Tensor& dy, const Tensor& index, const Dims& shape, const Memory& m) {
  Tensor from = m.arrange(dy), dx = m.empty(shape, dy.dtype(), dy.device());
  if (dx.numel() && dy.numel() == 0) fill_raw(dx, 0);
  if (dy.numel())
    launch("max_pool_backward", dy.device(), kernels<PoolKernels>(dy.device()).scatter, move_args(dx, from, index, m),
           (double)dx.numel() + dy.numel());
  dx = m.restore(dx);
  if (needs_grad(dy))
    record("max_pool_backward", {dy}, {dx},
           [index, m, outputs = dy.shape()](Backward& b) { return b.grads(gather(b.dy(), index, outputs, m)); });
  return dx;
}

MaxPooled max_in_dtype(const char* op, const Tensor& x, const Pooling& p, bool want_index) {
  const bool recorded = needs_grad(x);
  const Memory m(x, p.shape);
  Tensor from = m.arrange(x), y = m.empty(p.output, x.dtype(), x.device()), index;
  if (want_index || recorded) index = m.empty(p.output, DType::Int32, x.device());
  if (y.numel()) {
    MaxPool args{y.data(), index.defined() ? index.ptr<int32_t>() : nullptr, from.data(), m.of(p.shape), x.dtype()};
    launch(op, x.device(), kernels<PoolKernels>(x.device()).max, args, work_of(args.shape));
  }
  y = m.restore(y);
  if (recorded)
    record(op, {x}, {y}, [index, m, in = x.shape()](Backward& b) { return b.grads(scatter(b.dy(), index, in, m)); });
  return {y, index.defined() ? m.restore(index) : index};
}

struct Average {
  Pooling pooling;
  int64_t divisor;
  bool count_pad;
  Memory memory;
};

Tensor average_backward(const char* op, const Tensor& dy, const Average& a, const Dims& shape);

Tensor average(const char* op, const Tensor& x, const Average& a) {
  const Memory& m = a.memory;
  Tensor from = m.arrange(x), y = m.empty(a.pooling.output, x.dtype(), x.device());
  if (y.numel()) {
    AveragePool args{from.data(), y.data(), m.of(a.pooling.shape), a.divisor, a.count_pad, x.dtype()};
    launch(op, x.device(), kernels<PoolKernels>(x.device()).average, args, work_of(args.shape));
  }
  y = m.restore(y);
  if (needs_grad(x))
    record(op, {x}, {y},
           [op, a, shape = x.shape()](Backward& b) { return b.grads(average_backward(op, b.dy(), a, shape)); });
  return y;
}

Tensor average_backward(const char* op, const Tensor& dy, const Average& a, const Dims& shape) {
  const Memory& m = a.memory;
  Tensor from = m.arrange(dy), dx = m.empty(shape, dy.dtype(), dy.device());
  if (dx.numel() && dy.numel() == 0) fill_raw(dx, 0);
  if (dy.numel()) {
    AveragePool args{dx.data(), from.data(), m.of(a.pooling.shape), a.divisor, a.count_pad, dy.dtype()};
    launch(op, dy.device(), kernels<PoolKernels>(dy.device()).average_backward, args, work_of(args.shape));
  }
  dx = m.restore(dx);
  if (needs_grad(dy)) record(op, {dy}, {dx}, [op, a](Backward& b) { return b.grads(average(op, b.dy(), a)); });
  return dx;
}

}  // namespace

MaxPooled max_pool(const char* op, const Tensor& x, const Pooling& p, bool want_index) {
  const DType t = x.dtype();
  const DType wide = is_half(t) ? DType::Float32 : is_integral(t) && size_of(t) < 4 ? DType::Int32 : t;
  MaxPooled r = max_in_dtype(op, to(x, wide), p, want_index);
  return {to(r.y, t), r.index};
}

Tensor average_pool(const char* op, const Tensor& x, const Pooling& p, int64_t divisor, bool count_pad) {
  const DType wide = is_half(x.dtype()) ? DType::Float32 : x.dtype();
  Tensor in = to(x, wide);
  return to(average(op, in, {p, divisor, count_pad, Memory(in, p.shape)}), x.dtype());
}

}  // namespace weft
