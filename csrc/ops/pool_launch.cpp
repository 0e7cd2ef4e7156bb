#include "ops/copy.h"
#include "ops/pool.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"

namespace weft {

namespace {

double work_of(const PoolShape& s) {
  double window = s.adaptive ? 1 : (double)s.depths.kernel * s.rows.kernel * s.cols.kernel;
  double outputs = (double)s.depths.outputs * s.rows.outputs * s.cols.outputs;
  return s.volumes * (outputs * window + (double)s.depths.n * s.rows.n * s.cols.n);
}

PoolMove move_args(const Tensor& x, const Tensor& y, const Tensor& index, int64_t volumes) {
  return {x.data(), y.data(), index.ptr<int32_t>(), volumes, x.numel() / volumes, y.numel() / volumes, x.dtype()};
}

Tensor scatter(const Tensor& dy, const Tensor& index, const Dims& shape, int64_t volumes);

// Each output's chosen element.
Tensor gather(const Tensor& x, const Tensor& index, int64_t volumes) {
  Tensor from = contiguous(x), y = Tensor::empty(index.shape(), x.dtype(), x.device());
  if (y.numel())
    launch("max_pool_gather", x.device(), kernels<PoolKernels>(x.device()).gather, move_args(from, y, index, volumes),
           (double)y.numel());
  if (needs_grad(x))
    record("max_pool_gather", {x}, {y}, [index, volumes, shape = x.shape()](Backward& b) {
      return b.grads(scatter(b.dy(), index, shape, volumes));
    });
  return y;
}

Tensor scatter(const Tensor& dy, const Tensor& index, const Dims& shape, int64_t volumes) {
  Tensor from = contiguous(dy), dx = Tensor::empty(shape, dy.dtype(), dy.device());
  if (dx.numel() && dy.numel() == 0) fill_raw(dx, 0);
  if (dy.numel())
    launch("max_pool_backward", dy.device(), kernels<PoolKernels>(dy.device()).scatter,
           move_args(dx, from, index, volumes), (double)dx.numel() + dy.numel());
  if (needs_grad(dy))
    record("max_pool_backward", {dy}, {dx},
           [index, volumes](Backward& b) { return b.grads(gather(b.dy(), index, volumes)); });
  return dx;
}

MaxPooled max_in_dtype(const char* op, const Tensor& x, const Pooling& p, bool want_index) {
  const bool recorded = needs_grad(x);
  Tensor from = contiguous(x), y = Tensor::empty(p.output, x.dtype(), x.device()), index;
  if (want_index || recorded) index = Tensor::empty(p.output, DType::Int32, x.device());
  if (y.numel()) {
    MaxPool args{y.data(), index.defined() ? index.ptr<int32_t>() : nullptr, from.data(), p.shape, x.dtype()};
    launch(op, x.device(), kernels<PoolKernels>(x.device()).max, args, work_of(p.shape));
  }
  if (recorded)
    record(op, {x}, {y}, [index, in = x.shape(), volumes = p.shape.volumes](Backward& b) {
      return b.grads(scatter(b.dy(), index, in, volumes));
    });
  return {y, index};
}

struct Average {
  Pooling pooling;
  int64_t divisor;
  bool count_pad;
};

Tensor average_backward(const char* op, const Tensor& dy, const Average& a, const Dims& shape);

Tensor average(const char* op, const Tensor& x, const Average& a) {
  Tensor from = contiguous(x), y = Tensor::empty(a.pooling.output, x.dtype(), x.device());
  if (y.numel()) {
    AveragePool args{from.data(), y.data(), a.pooling.shape, a.divisor, a.count_pad, x.dtype()};
    launch(op, x.device(), kernels<PoolKernels>(x.device()).average, args, work_of(a.pooling.shape));
  }
  if (needs_grad(x))
    record(op, {x}, {y},
           [op, a, shape = x.shape()](Backward& b) { return b.grads(average_backward(op, b.dy(), a, shape)); });
  return y;
}

Tensor average_backward(const char* op, const Tensor& dy, const Average& a, const Dims& shape) {
  Tensor from = contiguous(dy), dx = Tensor::empty(shape, dy.dtype(), dy.device());
  if (dx.numel() && dy.numel() == 0) fill_raw(dx, 0);
  if (dy.numel()) {
    AveragePool args{dx.data(), from.data(), a.pooling.shape, a.divisor, a.count_pad, dy.dtype()};
    launch(op, dy.device(), kernels<PoolKernels>(dy.device()).average_backward, args, work_of(a.pooling.shape));
  }
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
  return to(average(op, to(x, wide), {p, divisor, count_pad}), x.dtype());
}

}  // namespace weft
