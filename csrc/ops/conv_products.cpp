#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/reduce.h"
#include "ops/spatial.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"

namespace weft {

namespace {

Dims shape_of(int64_t first, int64_t second, const ConvGeometry& g, int64_t ConvAxis::* size) {
  Dims shape{first, second};
  for (int i = 0; i < g.spatial; ++i) shape.push_back(axis_of(g.shape, i, g.spatial).*size);
  return shape;
}

using Kernel = void (*)(const ConvArgs&);
using Room = int64_t (*)(const ConvArgs&);

void run(const char* op, Kernel kernel, Room room, const Tensor& y, const Tensor& x, const Tensor& weight,
         const Tensor& bias, const ConvGeometry& g) {
  ConvArgs args{y.data(), x.data(), weight.data(), nullptr, g.shape, x.dtype(), nullptr, num_threads()};
  if (bias.defined()) args.bias = bias.data();
  Workspace space(room ? room(args) : 0, x.device());
  args.workspace = space.data();
  launch(op, x.device(), kernel, args, (double)y.numel() * (weight.numel() / weight.shape()[0]));
}

// What remains of a sum without terms.
void fill_bias(const Tensor& out, const Tensor& bias) {
  if (out.numel() == 0) return;
  Dims column = Dims::filled(out.dim(), 1);
  if (bias.defined()) {
    column[1] = bias.numel();
    copy_into(out, reshape(bias.detach(), column));
  } else {
    fill_raw(out, 0);
  }
}

Tensor bias_gradient(const Tensor& dy) {
  Dims axes{0};
  for (int d = 2; d < dy.dim(); ++d) axes.push_back(d);
  return sum(dy, axes);
}

TensorList inputs_of(const Tensor& a, const Tensor& b, const Tensor& bias) {
  return bias.defined() ? TensorList{a, b, bias} : TensorList{a, b};
}

}  // namespace

Dims ConvGeometry::input() const {
  return shape_of(shape.images, shape.groups * shape.in_channels, *this, &ConvAxis::in);
}
Dims ConvGeometry::output() const {
  return shape_of(shape.images, shape.groups * shape.out_channels, *this, &ConvAxis::out);
}
Dims ConvGeometry::weight() const {
  return shape_of(shape.groups * shape.out_channels, shape.in_channels, *this, &ConvAxis::kernel);
}

Tensor conv_forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvGeometry& g) {
  Tensor y = Tensor::empty(g.output(), x.dtype(), x.device());
  if (y.numel() && x.numel() && weight.numel()) {
    const ConvKernels& k = kernels<ConvKernels>(x.device());
    Tensor b = bias.defined() ? contiguous(bias) : bias;
    run(op, k.forward, k.forward_workspace, y, contiguous(x), contiguous(weight), b, g);
  } else {
    fill_bias(y, bias);
  }
  if (needs_grad(x, weight, bias))
    record(op, inputs_of(x, weight, bias), TensorList{y},
           [op, g, x = Saved(x), weight = Saved(weight), biased = bias.defined()](Backward& b) {
             TensorList grads(2 + biased);
             if (b.needs(0)) grads[0] = conv_backward_input(op, b.dy(), weight.get(b), {}, g);
             if (b.needs(1)) grads[1] = conv_backward_weight(b.dy(), x.get(b), g);
             if (biased && b.needs(2)) grads[2] = bias_gradient(b.dy());
             return grads;
           });
  return y;
}

Tensor conv_backward_input(const char* op, const Tensor& y, const Tensor& weight, const Tensor& bias,
                           const ConvGeometry& g) {
  Tensor x = Tensor::empty(g.input(), y.dtype(), y.device());
  if (y.numel() && x.numel() && weight.numel()) {
    const ConvKernels& k = kernels<ConvKernels>(y.device());
    Tensor b = bias.defined() ? contiguous(bias) : bias;
    run(op, k.backward_input, k.backward_input_workspace, contiguous(y), x, contiguous(weight), b, g);
  } else {
    fill_bias(x, bias);
  }
  if (needs_grad(y, weight, bias))
    record(op, inputs_of(y, weight, bias), TensorList{x},
           [op, g, y = Saved(y), weight = Saved(weight), biased = bias.defined()](Backward& b) {
             TensorList grads(2 + biased);
             if (b.needs(0)) grads[0] = conv_forward(op, b.dy(), weight.get(b), {}, g);
             if (b.needs(1)) grads[1] = conv_backward_weight(y.get(b), b.dy(), g);
             if (biased && b.needs(2)) grads[2] = bias_gradient(b.dy());
             return grads;
           });
  return x;
}

Tensor conv_backward_weight(const Tensor& y, const Tensor& x, const ConvGeometry& g) {
  const char* op = "conv_backward_weight";
  Tensor weight = Tensor::empty(g.weight(), x.dtype(), x.device());
  if (y.numel() && x.numel() && weight.numel()) {
    const ConvKernels& k = kernels<ConvKernels>(x.device());
    run(op, k.backward_weight, k.backward_weight_workspace, contiguous(y), contiguous(x), weight, {}, g);
  } else {
    fill_bias(weight, {});
  }
  if (needs_grad(y, x))
    record(op, {y, x}, {weight}, [op, g, y = Saved(y), x = Saved(x)](Backward& b) {
      TensorList grads(2);
      if (b.needs(0)) grads[0] = conv_forward(op, x.get(b), b.dy(), {}, g);
      if (b.needs(1)) grads[1] = conv_backward_input(op, y.get(b), b.dy(), {}, g);
      return grads;
    });
  return weight;
}

}  // namespace weft
