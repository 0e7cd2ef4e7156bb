#include "ops/conv.h"

#include <variant>

#include "kernels/conv.h"
#include "ops/copy.h"
#include "ops/reduce.h"
#include "ops/spatial.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

// The three products of a convolution. Each is linear in both of its tensors, and their gradients are again these
// three, so that derivatives of any order come for free.
Tensor forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvShape& s);
Tensor backward_input(const char* op, const Tensor& y, const Tensor& weight, const Tensor& bias, const ConvShape& s);
Tensor backward_weight(const Tensor& y, const Tensor& x, const ConvShape& s);

Dims input_shape(const ConvShape& s) { return {s.images, s.groups * s.in_channels, s.rows.in, s.cols.in}; }
Dims output_shape(const ConvShape& s) { return {s.images, s.groups * s.out_channels, s.rows.out, s.cols.out}; }
Dims weight_shape(const ConvShape& s) {
  return {s.groups * s.out_channels, s.in_channels, s.rows.kernel, s.cols.kernel};
}

using Kernel = void (*)(const ConvArgs&);
using Room = int64_t (*)(const ConvArgs&);

void run(const char* op, Kernel kernel, Room room, const Tensor& y, const Tensor& x, const Tensor& weight,
         const Tensor& bias, const ConvShape& s) {
  ConvArgs args{y.data(), x.data(), weight.data(), nullptr, s, x.dtype(), nullptr, num_threads()};
  if (bias.defined()) args.bias = bias.data();
  Workspace space(room ? room(args) : 0, x.device());
  args.workspace = space.data();
  launch(op, x.device(), kernel, args, (double)y.numel() * (weight.numel() / weight.shape()[0]));
}

// What remains of a sum without terms.
void fill_bias(const Tensor& out, const Tensor& bias) {
  if (out.numel() == 0) return;
  if (bias.defined())
    copy_into(out, reshape(bias.detach(), {1, bias.numel(), 1, 1}));
  else
    fill_raw(out, 0);
}

Tensor bias_gradient(const Tensor& dy) { return sum(dy, {0, 2, 3}); }

TensorList inputs_of(const Tensor& a, const Tensor& b, const Tensor& bias) {
  return bias.defined() ? TensorList{a, b, bias} : TensorList{a, b};
}

Tensor forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const ConvShape& s) {
  Tensor y = Tensor::empty(output_shape(s), x.dtype(), x.device());
  if (y.numel() && x.numel() && weight.numel()) {
    const ConvKernels& k = kernels<ConvKernels>(x.device());
    Tensor b = bias.defined() ? contiguous(bias) : bias;
    run(op, k.forward, k.forward_workspace, y, contiguous(x), contiguous(weight), b, s);
  } else {
    fill_bias(y, bias);
  }
  if (needs_grad(x, weight, bias))
    record(op, inputs_of(x, weight, bias), TensorList{y},
           [op, s, x = Saved(x), weight = Saved(weight), biased = bias.defined()](Backward& b) {
             TensorList grads(2 + biased);
             if (b.needs(0)) grads[0] = backward_input(op, b.dy(), weight.get(b), {}, s);
             if (b.needs(1)) grads[1] = backward_weight(b.dy(), x.get(b), s);
             if (biased && b.needs(2)) grads[2] = bias_gradient(b.dy());
             return grads;
           });
  return y;
}

Tensor backward_input(const char* op, const Tensor& y, const Tensor& weight, const Tensor& bias, const ConvShape& s) {
  Tensor x = Tensor::empty(input_shape(s), y.dtype(), y.device());
  if (y.numel() && x.numel() && weight.numel()) {
    const ConvKernels& k = kernels<ConvKernels>(y.device());
    Tensor b = bias.defined() ? contiguous(bias) : bias;
    run(op, k.backward_input, k.backward_input_workspace, contiguous(y), x, contiguous(weight), b, s);
  } else {
    fill_bias(x, bias);
  }
  if (needs_grad(y, weight, bias))
    record(op, inputs_of(y, weight, bias), TensorList{x},
           [op, s, y = Saved(y), weight = Saved(weight), biased = bias.defined()](Backward& b) {
             TensorList grads(2 + biased);
             if (b.needs(0)) grads[0] = forward(op, b.dy(), weight.get(b), {}, s);
             if (b.needs(1)) grads[1] = backward_weight(y.get(b), b.dy(), s);
             if (biased && b.needs(2)) grads[2] = bias_gradient(b.dy());
             return grads;
           });
  return x;
}

Tensor backward_weight(const Tensor& y, const Tensor& x, const ConvShape& s) {
  const char* op = "conv2d_backward_weight";
  Tensor weight = Tensor::empty(weight_shape(s), x.dtype(), x.device());
  if (y.numel() && x.numel() && weight.numel()) {
    const ConvKernels& k = kernels<ConvKernels>(x.device());
    run(op, k.backward_weight, k.backward_weight_workspace, contiguous(y), contiguous(x), weight, {}, s);
  } else {
    fill_bias(weight, {});
  }
  if (needs_grad(y, x))
    record(op, {y, x}, {weight}, [op, s, y = Saved(y), x = Saved(x)](Backward& b) {
      TensorList grads(2);
      if (b.needs(0)) grads[0] = forward(op, x.get(b), b.dy(), {}, s);
      if (b.needs(1)) grads[1] = backward_input(op, y.get(b), b.dy(), {}, s);
      return grads;
    });
  return weight;
}

// ---- arguments

void check_tensors(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t groups,
                   int64_t in_channels, int64_t out_channels) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
  WEFT_CHECK(x.dtype() == weight.dtype() && (!bias.defined() || bias.dtype() == x.dtype()), Runtime, "[", op,
             "] expected input, weight and bias of one dtype, got ", name_of(x.dtype()), ", ", name_of(weight.dtype()),
             " and ", bias.defined() ? name_of(bias.dtype()) : "no bias");
  WEFT_CHECK(x.device() == weight.device() && (!bias.defined() || bias.device() == x.device()), Runtime, "[", op,
             "] expected input, weight and bias on one device, got ", to_string(x.device()), ", ",
             to_string(weight.device()), " and ", bias.defined() ? to_string(bias.device()) : "no bias");
  const int64_t channels = x.shape()[x.dim() - 3];
  WEFT_CHECK(channels == in_channels, Runtime, "[", op, "] input of shape ", to_string(x.shape()), " has ", channels,
             " channels, weight of shape ", to_string(weight.shape()), " with groups=", groups, " expects ",
             in_channels);
  WEFT_CHECK(!bias.defined() || (bias.dim() == 1 && bias.numel() == out_channels), Runtime, "[", op,
             "] expected a bias of shape [", out_channels, "], got ", to_string(bias.shape()));
}

void check_weight(const char* op, const Tensor& weight, int64_t groups) {
  WEFT_CHECK(weight.dim() == 4, Runtime, "[", op, "] expected a weight of 4 dimensions, got shape ",
             to_string(weight.shape()));
  WEFT_CHECK(groups > 0, Runtime, "[", op, "] expected groups of at least 1, got ", groups);
  WEFT_CHECK(weight.shape()[0] > 0 && weight.shape()[0] % groups == 0, Runtime, "[", op,
             "] expected the first size of the weight to be a multiple of groups=", groups, ", got shape ",
             to_string(weight.shape()));
  WEFT_CHECK(weight.shape()[2] > 0 && weight.shape()[3] > 0, Runtime, "[", op,
             "] expected a kernel of at least 1 x 1, got weight of shape ", to_string(weight.shape()));
}

// Far from any overflow of the arithmetic on sizes.
void check_small(const char* op, const Dims& values) {
  for (int64_t v : values)
    WEFT_CHECK(v < (int64_t)1 << 30, Overflow, "[", op, "] expected arguments below 2^30, got ", v);
}

// A stride between a single output, or a dilation of a single tap, says nothing.
ConvAxis plain(ConvAxis a) {
  if (a.out == 1) a.stride = 1;
  if (a.kernel == 1) a.dilation = 1;
  return a;
}

struct Sides {
  Dims before, total;
};

Tensor conv(const char* op, const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& stride,
            const Sides& padding, const Dims& dilation, int64_t groups) {
  ConvShape s{};
  s.groups = groups;
  s.in_channels = weight.shape()[1];
  s.out_channels = weight.shape()[0] / groups;
  check_tensors(op, input, weight, bias, groups, groups * s.in_channels, groups * s.out_channels);
  const bool batched = input.dim() == 4;
  Tensor x = batched ? input : unsqueeze(input, 0);
  s.images = x.shape()[0];
  for (int i = 0; i < 2; ++i) {
    const int64_t in = x.shape()[2 + i], kernel = weight.shape()[2 + i];
    const int64_t room = in + padding.total[i] - dilation[i] * (kernel - 1) - 1;
    WEFT_CHECK(room >= 0, Runtime, "[", op, "] expected a kernel no larger than the padded input, got a kernel of ",
               kernel, " (dilation ", dilation[i], ") for a size of ", in, " with ", padding.total[i], " of padding");
    (i ? s.cols : s.rows) = plain({in, room / stride[i] + 1, kernel, stride[i], padding.before[i], dilation[i]});
  }
  numel_of(output_shape(s));
  const DType compute = is_half(x.dtype()) ? DType::Float32 : x.dtype();
  Tensor b = bias.defined() ? to(bias, compute) : bias;
  Tensor y = to(forward(op, to(x, compute), to(weight, compute), b, s), input.dtype());
  return batched ? y : squeeze(y, 0);
}

Sides sides(const Dims& padding) { return {padding, {2 * padding[0], 2 * padding[1]}}; }

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Dims& stride, const Dims& padding,
              const Dims& dilation, int64_t groups) {
  const char* op = "conv2d";
  check_spatial(op, x, 2);
  check_weight(op, weight, groups);
  Dims s = pair(op, "stride", stride, 1), p = pair(op, "padding", padding, 0), d = pair(op, "dilation", dilation, 1);
  for (const Dims& values : {s, p, d}) check_small(op, values);
  return conv(op, x, weight, bias, s, sides(p), d, groups);
}

Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Dims& strides,
                        const Dims& padding, const Dims& output_padding, int64_t groups, const Dims& dilations) {
  const char* op = "conv_transpose2d";
  check_spatial(op, input, 2);
  check_weight(op, weight, groups);
  Dims stride = pair(op, "stride", strides, 1), pad = pair(op, "padding", padding, 0);
  Dims dilation = pair(op, "dilation", dilations, 1), extra = pair(op, "output_padding", output_padding, 0);
  for (const Dims& values : {stride, pad, dilation, extra}) check_small(op, values);
  // Its output is the input of the convolution that it transposes.
  ConvShape s{};
  s.groups = groups;
  s.in_channels = weight.shape()[1];
  s.out_channels = weight.shape()[0] / groups;
  check_tensors(op, input, weight, bias, groups, groups * s.out_channels, groups * s.in_channels);
  const bool batched = input.dim() == 4;
  Tensor y = batched ? input : unsqueeze(input, 0);
  s.images = y.shape()[0];
  for (int i = 0; i < 2; ++i) {
    WEFT_CHECK(extra[i] < std::max(stride[i], dilation[i]), Runtime, "[", op,
               "] expected output_padding below stride or dilation, got output_padding ", extra[i], ", stride ",
               stride[i], ", dilation ", dilation[i]);
    const int64_t out = y.shape()[2 + i], kernel = weight.shape()[2 + i];
    WEFT_CHECK(out > 0, Runtime, "[", op, "] expected an input of at least 1 x 1, got shape ",
               to_string(input.shape()));
    const int64_t in = (out - 1) * stride[i] - 2 * pad[i] + dilation[i] * (kernel - 1) + extra[i] + 1;
    WEFT_CHECK(in > 0, Runtime, "[", op, "] the output would have a size of ", in, ": input size ", out, ", stride ",
               stride[i], ", padding ", pad[i], ", dilation ", dilation[i], ", kernel ", kernel);
    (i ? s.cols : s.rows) = plain({in, out, kernel, stride[i], pad[i], dilation[i]});
  }
  numel_of(input_shape(s));
  const DType compute = is_half(y.dtype()) ? DType::Float32 : y.dtype();
  Tensor b = bias.defined() ? to(bias, compute) : bias;
  Tensor x = to(backward_input(op, to(y, compute), to(weight, compute), b, s), input.dtype());
  return batched ? x : squeeze(x, 0);
}

namespace {

using Padding = std::variant<std::string, Dims>;

Sides padding_of(const char* op, const Padding& given, const Tensor& weight, const Dims& stride, const Dims& dilation) {
  if (const Dims* d = std::get_if<Dims>(&given)) {
    Dims p = pair(op, "padding", *d, 0);
    check_small(op, p);
    return sides(p);
  }
  const std::string& name = std::get<std::string>(given);
  WEFT_CHECK(name == "same" || name == "valid", Runtime, "[", op,
             "] expected padding to be a number, 'same' or 'valid', got '", name, "'");
  if (name == "valid") return {{0, 0}, {0, 0}};
  WEFT_CHECK(stride[0] == 1 && stride[1] == 1, Runtime, "[", op, "] padding='same' needs a stride of 1, got ",
             to_string(stride));
  Sides s;
  for (int i = 0; i < 2; ++i) {
    const int64_t total = dilation[i] * (weight.shape()[2 + i] - 1);
    s.before.push_back(total / 2);
    s.total.push_back(total);
  }
  return s;
}

Tensor conv_any(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, const Dims& stride,
                const Padding& padding, const Dims& dilation, int64_t groups) {
  check_spatial(op, x, 2);
  check_weight(op, weight, groups);
  Dims s = pair(op, "stride", stride, 1), d = pair(op, "dilation", dilation, 1);
  for (const Dims& values : {s, d}) check_small(op, values);
  return conv(op, x, weight, bias, s, padding_of(op, padding, weight, s, d), d, groups);
}

// A sequence is an image of one row.
Tensor row_weight(const char* op, const Tensor& weight) {
  WEFT_CHECK(weight.dim() == 3, Runtime, "[", op, "] expected a weight of 3 dimensions, got shape ",
             to_string(weight.shape()));
  return unsqueeze(weight, 2);
}
Tensor row_image(const char* op, const Tensor& x) {
  check_spatial(op, x, 1);
  return unsqueeze(x, -2);
}

}  // namespace

void bind_conv(py::module_& m) {
  using OptionalTensor = std::optional<Tensor>;
  m.def(
      "conv2d",
      [](const Tensor& x, const Tensor& weight, const OptionalTensor& bias, const Dims& stride, const Padding& padding,
         const Dims& dilation, int64_t groups) {
        return conv_any("conv2d", x, weight, bias.value_or(Tensor()), stride, padding, dilation, groups);
      },
      py::arg("input"), py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = 1, py::arg("padding") = 0,
      py::arg("dilation") = 1, py::arg("groups") = 1,
      "Cross-correlation of [N, C, H, W] or [C, H, W] with weight [out, C / groups, kh, kw], plus bias [out].\n"
      "padding: a number, a pair, 'valid' or 'same' (stride 1). RuntimeError when the channels do not match or the\n"
      "kernel is larger than the padded input.");
  m.def(
      "conv1d",
      [](const Tensor& x, const Tensor& weight, const OptionalTensor& bias, const Dims& stride, const Padding& padding,
         const Dims& dilation, int64_t groups) {
        const char* op = "conv1d";
        Padding pad = padding;
        if (const Dims* d = std::get_if<Dims>(&padding)) pad = single(op, "padding", *d, 0);
        return squeeze(conv_any(op, row_image(op, x), row_weight(op, weight), bias.value_or(Tensor()),
                                single(op, "stride", stride, 1), pad, single(op, "dilation", dilation, 1), groups),
                       -2);
      },
      py::arg("input"), py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = 1, py::arg("padding") = 0,
      py::arg("dilation") = 1, py::arg("groups") = 1,
      "Cross-correlation of [N, C, L] or [C, L] with weight [out, C / groups, k], plus bias [out]; see conv2d.");
  m.def(
      "conv_transpose2d",
      [](const Tensor& x, const Tensor& weight, const OptionalTensor& bias, const Dims& stride, const Dims& padding,
         const Dims& output_padding, int64_t groups, const Dims& dilation) {
        return conv_transpose2d(x, weight, bias.value_or(Tensor()), stride, padding, output_padding, groups, dilation);
      },
      py::arg("input"), py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = 1, py::arg("padding") = 0,
      py::arg("output_padding") = 0, py::arg("groups") = 1, py::arg("dilation") = 1,
      "The transpose of conv2d (its gradient with respect to the input) as an operation: [N, C, H, W] or [C, H, W] "
      "with\n"
      "weight [C, out / groups, kh, kw], plus bias [out]. An output size is\n"
      "(H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1.");
  m.def(
      "conv_transpose1d",
      [](const Tensor& x, const Tensor& weight, const OptionalTensor& bias, const Dims& stride, const Dims& padding,
         const Dims& output_padding, int64_t groups, const Dims& dilation) {
        const char* op = "conv_transpose1d";
        return squeeze(conv_transpose2d(row_image(op, x), row_weight(op, weight), bias.value_or(Tensor()),
                                        single(op, "stride", stride, 1), single(op, "padding", padding, 0),
                                        single(op, "output_padding", output_padding, 0), groups,
                                        single(op, "dilation", dilation, 1)),
                       -2);
      },
      py::arg("input"), py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = 1, py::arg("padding") = 0,
      py::arg("output_padding") = 0, py::arg("groups") = 1, py::arg("dilation") = 1,
      "The transpose of conv1d: [N, C, L] or [C, L] with weight [C, out / groups, k]; see conv_transpose2d.");
}

}  // namespace weft
