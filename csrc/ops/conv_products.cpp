#include "ops/conv.h"

#include <algorithm>

#include "ops/copy.h"
#include "ops/layout.h"
#include "ops/matmul.h"
#include "ops/packed.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/spatial.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"

namespace weft {

std::atomic<bool> conv_winograd{true};

namespace {

Dims shape_of(int64_t first, int64_t second, const ConvGeometry& g, int64_t ConvAxis::* size) {
  Dims shape{first, second};
  for (int i = 0; i < g.spatial; ++i) shape.push_back(axis_of(g.shape, i, g.spatial).*size);
  return shape;
}

using Kernel = void (*)(const ConvArgs&);
using Room = int64_t (*)(const ConvArgs&);

// With a kernel of one pixel everywhere, channels-last tensors are matrices. Small images of many channels are worth
// the copies that make them so.
bool is_pointwise(const ConvGeometry& g) {
  auto one = [](const ConvAxis& a) { return a.kernel == 1 && a.stride == 1 && a.pad == 0 && a.in == a.out; };
  const ConvShape& s = g.shape;
  const int64_t pixels = s.depths.in * s.rows.in * s.cols.in;
  const bool pays = pixels == 1 || (pixels <= 256 && std::min(s.in_channels, s.out_channels) >= 64);
  return s.groups == 1 && one(s.depths) && one(s.rows) && one(s.cols) && (g.last || pays);
}
Tensor as_matrix(const Tensor& t) {
  const int64_t channels = t.shape()[1];
  return t.as_view({t.numel() / channels, channels}, {channels, 1}, t.get()->offset);
}
Tensor run_pointwise(const char* op, ConvPass pass, const Tensor& y, const Tensor& x, const Tensor& weight,
                     const Tensor& bias, const ConvGeometry& g, bool relu) {
  const Tensor& like = x.defined() ? x : y;
  auto matrix = [](const Tensor& t) { return as_matrix(channels_last(t)); };
  if (pass == ConvPass::BackwardWeight) {
    Tensor dw = Tensor::empty(g.weight(), like.dtype(), like.device());  // of one tap: in either format
    product_into(op, as_matrix(dw), matrix(y), true, matrix(x), false);
    return dw;
  }
  const Dims shape = pass == ConvPass::Forward ? g.output() : g.input();
  Tensor out = empty_channels_last(shape, like.dtype(), like.device());
  Epilogue e;
  if (bias.defined()) e.bias = contiguous(bias.detach());
  if (relu) e.act = Activation::Relu;
  const bool forward = pass == ConvPass::Forward;
  product_into(op, as_matrix(out), matrix(forward ? x : y), false, as_matrix(contiguous(weight)), forward, e);
  return g.last ? out : contiguous(out);
}

// A kernel that covers the input whole, as where a generator begins and a discriminator ends, is a linear layer.
bool is_whole(const ConvGeometry& g) {
  auto whole = [](const ConvAxis& a) {
    return a.out == 1 && a.kernel == a.in && a.stride == 1 && a.pad == 0 && a.dilation == 1;
  };
  return g.shape.groups == 1 && whole(g.shape.depths) && whole(g.shape.rows) && whole(g.shape.cols);
}
Tensor run_whole(const char* op, ConvPass pass, const Tensor& y, const Tensor& x, const Tensor& weight,
                 const Tensor& bias, const ConvGeometry& g, bool relu) {
  auto matrix = [](const Tensor& t) {
    const Tensor c = contiguous(t);
    const int64_t rows = c.shape()[0], cols = c.numel() / rows;
    return c.as_view({rows, cols}, {cols, 1}, c.get()->offset);
  };
  const Tensor& like = x.defined() ? x : y;
  const Dims shape = pass == ConvPass::Forward ? g.output() : pass == ConvPass::BackwardInput ? g.input() : g.weight();
  Tensor out = Tensor::empty(shape, like.dtype(), like.device());
  Epilogue e;
  if (bias.defined()) e.bias = contiguous(bias.detach());
  if (relu) e.act = Activation::Relu;
  if (pass == ConvPass::Forward)
    product_into(op, matrix(out), matrix(x), false, matrix(weight), true, e);
  else if (pass == ConvPass::BackwardInput)
    product_into(op, matrix(out), matrix(y), false, matrix(weight), false);
  else
    product_into(op, matrix(out), matrix(y), true, matrix(x), false);
  return (pass == ConvPass::BackwardWeight ? g.weight_last : g.last) ? channels_last(out) : out;
}

// The weight packed for a pass, where it serves call after call.
Ref<Storage> packed_weight(const char* op, ConvArgs& args, const Tensor& weight, const ConvKernels& k) {
  const int64_t bytes = k.packed_bytes ? k.packed_bytes(args) : 0;
  if (bytes == 0) return {};
  const ConvShape& s = args.shape;
  auto three = [&](int64_t ConvAxis::* of) { return (s.depths.*of << 42) ^ (s.rows.*of << 21) ^ s.cols.*of; };
  const int64_t kind = (int64_t)args.dtype << 4 | (int64_t)args.pass << 2 | args.winograd << 1 | args.weight_last;
  const PackedKey key{reinterpret_cast<void (*)()>(k.pack),
                      weight.get()->offset,
                      {s.out_channels << 32 | s.in_channels, three(&ConvAxis::kernel), three(&ConvAxis::stride),
                       three(&ConvAxis::dilation), bytes << 8 | kind}};
  Ref<Storage> memory = packed_copy(weight, key, bytes, [&](void* to) {
    ConvArgs copy = args;
    copy.workspace = to;
    launch(op, weight.device(), k.pack, copy, (double)bytes);
  });
  if (memory) args.packed = memory->data;
  return memory;
}

// One of the three products, in the memory formats that its kernel takes. The one that is not given is
// computed, and comes back in the format that the geometry asks for.
Tensor run(const char* op, ConvPass pass, Tensor y, Tensor x, Tensor weight, const Tensor& bias, const ConvGeometry& g,
           bool relu = false) {
  const Device device = (x.defined() ? x : y).device();
  const ConvKernels& k = kernels<ConvKernels>(device);
  if (is_pointwise(g)) return run_pointwise(op, pass, y, x, weight, bias, g, relu);
  if (is_whole(g) && !(pass == ConvPass::BackwardInput && bias.defined()))
    return run_whole(op, pass, y, x, weight, bias, g, relu);
  const DType dtype = (x.defined() ? x : y).dtype();
  ConvArgs args{};
  args.shape = g.shape;
  args.dtype = dtype;
  args.winograd = conv_winograd;
  args.relu = relu;
  args.workers = num_threads();
  args.pass = pass;
  const bool takes_last = k.takes_last && k.takes_last(args, pass);
  auto prepare = [&](Tensor& t, bool& last, const Dims& shape, bool wanted) {
    last = takes_last && (t.defined() ? is_channels_last(t) : wanted);
    if (t.defined())
      t = last ? t : contiguous(t);
    else
      t = last ? empty_channels_last(shape, dtype, device) : Tensor::empty(shape, dtype, device);
  };
  prepare(y, args.y_last, g.output(), g.last);
  prepare(x, args.x_last, g.input(), g.last);
  prepare(weight, args.weight_last, g.weight(), g.weight_last);
  const Tensor b = bias.defined() ? contiguous(bias) : bias;
  args.y = y.data();
  args.x = x.data();
  args.weight = weight.data();
  if (b.defined()) args.bias = b.data();
  const Ref<Storage> kept = packed_weight(op, args, weight, k);
  const Kernel kernel = pass == ConvPass::Forward         ? k.forward
                        : pass == ConvPass::BackwardInput ? k.backward_input
                                                          : k.backward_weight;
  const Room room = pass == ConvPass::Forward         ? k.forward_workspace
                    : pass == ConvPass::BackwardInput ? k.backward_input_workspace
                                                      : k.backward_weight_workspace;
  Workspace space(room ? room(args) : 0, device);
  args.workspace = space.data();
  launch(op, device, kernel, args, (double)y.numel() * (weight.numel() / weight.shape()[0]));
  if (pass == ConvPass::BackwardWeight) return g.weight_last ? channels_last(weight) : weight;
  const Tensor& out = pass == ConvPass::Forward ? y : x;
  return g.last ? channels_last(out) : out;
}

// What remains of a sum without terms.
Tensor bias_alone(const Dims& shape, const Tensor& like, const Tensor& bias) {
  Tensor out = Tensor::empty(shape, like.dtype(), like.device());
  if (out.numel() == 0) return out;
  Dims column = Dims::filled(out.dim(), 1);
  if (bias.defined()) {
    column[1] = bias.numel();
    copy_into(out, reshape(bias.detach(), column));
  } else {
    fill_raw(out, 0);
  }
  return out;
}

// A gradient in the format that both passes want of it, so that none of them makes it for itself.
Tensor formatted(const Tensor& dy, const ConvGeometry& g) {
  return g.last || is_pointwise(g) ? channels_last(dy) : contiguous(dy);
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

Tensor conv_forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvGeometry& g,
                    bool relu) {
  Tensor y;
  if (numel_of(g.output()) && x.numel() && weight.numel())
    y = run(op, ConvPass::Forward, {}, x, weight, bias, g, relu);
  else
    y = bias_alone(g.output(), x, relu && bias.defined() ? weft::relu(bias.detach()) : bias);
  if (needs_grad(x, weight, bias))
    record(op, inputs_of(x, weight, bias), TensorList{y},
           [op, g, x = Saved(x), weight = Saved(weight), kept = relu ? Saved::output(y) : Saved(),
            biased = bias.defined()](Backward& b) {
             Tensor dy = kept.defined() ? unary_grad(PointwiseOp::Relu, b.dy(), kept.get(b)) : b.dy();
             if (b.needs(0) && b.needs(1)) dy = formatted(dy, g);
             TensorList grads(2 + biased);
             if (b.needs(0)) grads[0] = conv_backward_input(op, dy, weight.get(b), {}, g);
             if (b.needs(1)) grads[1] = conv_backward_weight(dy, x.get(b), g);
             if (biased && b.needs(2)) grads[2] = bias_gradient(dy);
             return grads;
           });
  return y;
}

Tensor conv_backward_input(const char* op, const Tensor& y, const Tensor& weight, const Tensor& bias,
                           const ConvGeometry& g) {
  Tensor x = numel_of(g.input()) && y.numel() && weight.numel()
                 ? run(op, ConvPass::BackwardInput, y, {}, weight, bias, g)
                 : bias_alone(g.input(), y, bias);
  if (needs_grad(y, weight, bias))
    record(op, inputs_of(y, weight, bias), TensorList{x},
           [op, g, y = Saved(y), weight = Saved(weight), biased = bias.defined()](Backward& b) {
             const Tensor dx = b.needs(0) && b.needs(1) ? formatted(b.dy(), g) : b.dy();
             TensorList grads(2 + biased);
             if (b.needs(0)) grads[0] = conv_forward(op, dx, weight.get(b), {}, g);
             if (b.needs(1)) grads[1] = conv_backward_weight(y.get(b), dx, g);
             if (biased && b.needs(2)) grads[2] = bias_gradient(b.dy());
             return grads;
           });
  return x;
}

Tensor conv_backward_weight(const Tensor& y, const Tensor& x, const ConvGeometry& g) {
  const char* op = "conv_backward_weight";
  Tensor weight = numel_of(g.weight()) && y.numel() && x.numel() ? run(op, ConvPass::BackwardWeight, y, x, {}, {}, g)
                                                                 : bias_alone(g.weight(), x, {});
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
