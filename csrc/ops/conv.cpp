#include "ops/conv.h"

#include <variant>

#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/layout.h"
#include "ops/spatial.h"
#include "tensor/python.h"

namespace weft {

namespace {

struct Sides {
  Dims before, total;
};
using Padding = std::variant<std::string, Dims>;

void check_tensors(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias, int64_t groups,
                   int spatial, int64_t in_channels, int64_t out_channels) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
  WEFT_CHECK(x.dtype() == weight.dtype() && (!bias.defined() || bias.dtype() == x.dtype()), Runtime, "[", op,
             "] expected input, weight and bias of one dtype, got ", name_of(x.dtype()), ", ", name_of(weight.dtype()),
             " and ", bias.defined() ? name_of(bias.dtype()) : "no bias");
  WEFT_CHECK(x.device() == weight.device() && (!bias.defined() || bias.device() == x.device()), Runtime, "[", op,
             "] expected input, weight and bias on one device, got ", to_string(x.device()), ", ",
             to_string(weight.device()), " and ", bias.defined() ? to_string(bias.device()) : "no bias");
  const int64_t channels = x.shape()[x.dim() - spatial - 1];
  WEFT_CHECK(channels == in_channels, Runtime, "[", op, "] input of shape ", to_string(x.shape()), " has ", channels,
             " channels, weight of shape ", to_string(weight.shape()), " with groups=", groups, " expects ",
             in_channels);
  WEFT_CHECK(!bias.defined() || (bias.dim() == 1 && bias.numel() == out_channels), Runtime, "[", op,
             "] expected a bias of shape [", out_channels, "], got ", to_string(bias.shape()));
}

void check_weight(const char* op, const Tensor& weight, int spatial, int64_t groups) {
  WEFT_CHECK(weight.dim() == spatial + 2, Runtime, "[", op, "] expected a weight of ", spatial + 2,
             " dimensions, got shape ", to_string(weight.shape()));
  WEFT_CHECK(groups > 0, Runtime, "[", op, "] expected groups of at least 1, got ", groups);
  WEFT_CHECK(weight.shape()[0] > 0 && weight.shape()[0] % groups == 0, Runtime, "[", op,
             "] expected the first size of the weight to be a multiple of groups=", groups, ", got shape ",
             to_string(weight.shape()));
  for (int i = 0; i < spatial; ++i)
    WEFT_CHECK(weight.shape()[2 + i] > 0, Runtime, "[", op,
               "] expected a kernel of sizes of at least 1, got weight of shape ", to_string(weight.shape()));
}

// Per axis, and far from any overflow of the arithmetic on sizes.
Dims small(const char* op, const char* what, const Dims& given, int spatial, int64_t least) {
  Dims values = per_axis(op, what, given, spatial, least);
  for (int64_t v : values)
    WEFT_CHECK(v < (int64_t)1 << 30, Overflow, "[", op, "] expected arguments below 2^30, got ", v);
  return values;
}

// A stride between a single output, or a dilation of a single tap, says nothing.
ConvAxis plain(ConvAxis a) {
  if (a.out == 1) a.stride = 1;
  if (a.kernel == 1) a.dilation = 1;
  return a;
}

ConvGeometry geometry(const Tensor& x, const Tensor& weight, int64_t groups, int spatial) {
  ConvGeometry g{{}, spatial};
  g.shape.images = x.shape()[0];
  g.shape.groups = groups;
  g.shape.in_channels = weight.shape()[1];
  g.shape.out_channels = weight.shape()[0] / groups;
  return g;
}

Sides padding_of(const char* op, const Padding& given, const Tensor& weight, const Dims& stride, const Dims& dilation) {
  const int spatial = stride.size();
  Sides s{Dims::filled(spatial, 0), Dims::filled(spatial, 0)};
  if (const Dims* d = std::get_if<Dims>(&given)) {
    s.before = small(op, "padding", *d, spatial, 0);
    for (int i = 0; i < spatial; ++i) s.total[i] = 2 * s.before[i];
    return s;
  }
  const std::string& name = std::get<std::string>(given);
  WEFT_CHECK(name == "same" || name == "valid", Runtime, "[", op,
             "] expected padding to be a number, 'same' or 'valid', got '", name, "'");
  if (name == "valid") return s;
  WEFT_CHECK(stride == Dims::filled(spatial, 1), Runtime, "[", op, "] padding='same' needs a stride of 1, got ",
             to_string(stride));
  for (int i = 0; i < spatial; ++i) {
    s.total[i] = dilation[i] * (weight.shape()[2 + i] - 1);
    s.before[i] = s.total[i] / 2;
  }
  return s;
}

Tensor conv(const char* op, int spatial, const Tensor& input, const Tensor& weight, const Tensor& bias,
            const Dims& strides, const Padding& padding, const Dims& dilations, int64_t groups, bool relu) {
  check_spatial(op, input, spatial);
  check_weight(op, weight, spatial, groups);
  const Dims stride = small(op, "stride", strides, spatial, 1), dilation = small(op, "dilation", dilations, spatial, 1);
  const Sides pad = padding_of(op, padding, weight, stride, dilation);
  const bool batched = input.dim() == spatial + 2;
  Tensor x = batched ? input : unsqueeze(input, 0);
  ConvGeometry g = geometry(x, weight, groups, spatial);
  const ConvShape& s = g.shape;
  check_tensors(op, input, weight, bias, groups, spatial, groups * s.in_channels, groups * s.out_channels);
  for (int i = 0; i < spatial; ++i) {
    const int64_t in = x.shape()[2 + i], kernel = weight.shape()[2 + i];
    const int64_t room = in + pad.total[i] - dilation[i] * (kernel - 1) - 1;
    WEFT_CHECK(room >= 0, Runtime, "[", op, "] expected a kernel no larger than the padded input, got a kernel of ",
               kernel, " (dilation ", dilation[i], ") for a size of ", in, " with ", pad.total[i], " of padding");
    axis_of(g.shape, i, spatial) = plain({in, room / stride[i] + 1, kernel, stride[i], pad.before[i], dilation[i]});
  }
  numel_of(g.output());
  g.weight_last = is_channels_last(weight);
  g.last = is_channels_last(x) || g.weight_last;
  const DType compute = is_half(x.dtype()) ? DType::Float32 : x.dtype();
  Tensor b = bias.defined() ? to(bias, compute) : bias;
  Tensor y = to(conv_forward(op, to(x, compute), to(weight, compute), b, g, relu), input.dtype());
  return batched ? y : squeeze(y, 0);
}

Tensor conv_transpose(const char* op, int spatial, const Tensor& input, const Tensor& weight, const Tensor& bias,
                      const Dims& strides, const Dims& padding, const Dims& output_padding, int64_t groups,
                      const Dims& dilations) {
  check_spatial(op, input, spatial);
  check_weight(op, weight, spatial, groups);
  const Dims stride = small(op, "stride", strides, spatial, 1), pad = small(op, "padding", padding, spatial, 0);
  const Dims dilation = small(op, "dilation", dilations, spatial, 1);
  const Dims extra = small(op, "output_padding", output_padding, spatial, 0);
  // Its output is the input of the convolution that it transposes.
  const bool batched = input.dim() == spatial + 2;
  Tensor y = batched ? input : unsqueeze(input, 0);
  ConvGeometry g = geometry(y, weight, groups, spatial);
  const ConvShape& s = g.shape;
  check_tensors(op, input, weight, bias, groups, spatial, groups * s.out_channels, groups * s.in_channels);
  for (int i = 0; i < spatial; ++i) {
    WEFT_CHECK(extra[i] < std::max(stride[i], dilation[i]), Runtime, "[", op,
               "] expected output_padding below stride or dilation, got output_padding ", extra[i], ", stride ",
               stride[i], ", dilation ", dilation[i]);
    const int64_t out = y.shape()[2 + i], kernel = weight.shape()[2 + i];
    WEFT_CHECK(out > 0, Runtime, "[", op, "] expected an input of sizes of at least 1, got shape ",
               to_string(input.shape()));
    const int64_t in = (out - 1) * stride[i] - 2 * pad[i] + dilation[i] * (kernel - 1) + extra[i] + 1;
    WEFT_CHECK(in > 0, Runtime, "[", op, "] the output would have a size of ", in, ": input size ", out, ", stride ",
               stride[i], ", padding ", pad[i], ", dilation ", dilation[i], ", kernel ", kernel);
    axis_of(g.shape, i, spatial) = plain({in, out, kernel, stride[i], pad[i], dilation[i]});
  }
  numel_of(g.input());
  g.weight_last = is_channels_last(weight);
  g.last = is_channels_last(y) || g.weight_last;
  const DType compute = is_half(y.dtype()) ? DType::Float32 : y.dtype();
  Tensor b = bias.defined() ? to(bias, compute) : bias;
  Tensor x = to(conv_backward_input(op, to(y, compute), to(weight, compute), b, g), input.dtype());
  return batched ? x : squeeze(x, 0);
}

void bind(py::module_& m, const char* binding, const char* name, int spatial, bool relu, const char* doc) {
  m.def(binding,
        autocasting<Autocast::Lower>([=](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                                         const Dims& stride, const Padding& padding, const Dims& dilation,
                                         int64_t groups) {
          return conv(name, spatial, x, weight, bias.value_or(Tensor()), stride, padding, dilation, groups, relu);
        }),
        py::arg("input"), py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = 1,
        py::arg("padding") = 0, py::arg("dilation") = 1, py::arg("groups") = 1, doc);
}

void bind_transpose(py::module_& m, const char* name, int spatial, const char* doc) {
  m.def(name,
        autocasting<Autocast::Lower>([=](const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias,
                                         const Dims& stride, const Dims& padding, const Dims& output_padding,
                                         int64_t groups, const Dims& dilation) {
          return conv_transpose(name, spatial, x, weight, bias.value_or(Tensor()), stride, padding, output_padding,
                                groups, dilation);
        }),
        py::arg("input"), py::arg("weight"), py::arg("bias") = py::none(), py::arg("stride") = 1,
        py::arg("padding") = 0, py::arg("output_padding") = 0, py::arg("groups") = 1, py::arg("dilation") = 1, doc);
}

}  // namespace

void bind_conv(py::module_& m) {
  m.def("_conv_winograd", [] { return conv_winograd.load(); });
  m.def("_set_conv_winograd", [](bool on) { conv_winograd = on; }, py::arg("on"));
  bind(m, "conv2d", "conv2d", 2, false,
       "Cross-correlation of [N, C, H, W] or [C, H, W] with weight [out, C / groups, kh, kw], plus bias [out].\n"
       "padding: a number, a pair, 'valid' or 'same' (stride 1). RuntimeError when the channels do not match or the\n"
       "kernel is larger than the padded input.");
  bind(m, "conv1d", "conv1d", 1, false,
       "Cross-correlation of [N, C, L] or [C, L] with weight [out, C / groups, k], plus bias [out]; see conv2d.");
  bind(m, "conv3d", "conv3d", 3, false,
       "Cross-correlation of [N, C, D, H, W] or [C, D, H, W] with weight [out, C / groups, kd, kh, kw], plus bias\n"
       "[out]; see conv2d.");
  bind(m, "_conv1d_relu", "conv1d", 1, true, "relu(conv1d(…)) in one pass.");
  bind(m, "_conv2d_relu", "conv2d", 2, true, "relu(conv2d(…)) in one pass.");
  bind(m, "_conv3d_relu", "conv3d", 3, true, "relu(conv3d(…)) in one pass.");
  bind_transpose(m, "conv_transpose2d", 2,
                 "The transpose of conv2d (its gradient with respect to the input) as an operation: [N, C, H, W] or\n"
                 "[C, H, W] with weight [C, out / groups, kh, kw], plus bias [out]. An output size is\n"
                 "(H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1.");
  bind_transpose(
      m, "conv_transpose1d", 1,
      "The transpose of conv1d: [N, C, L] or [C, L] with weight [C, out / groups, k]; see conv_transpose2d.");
  bind_transpose(m, "conv_transpose3d", 3,
                 "The transpose of conv3d: [N, C, D, H, W] or [C, D, H, W] with weight [C, out / groups, kd, kh, kw];\n"
                 "see conv_transpose2d.");
}

}  // namespace weft
