// torch.nn.functional's unfold and fold: each is the other's gradient.
#include "kernels/unfold.h"

#include "ops/copy.h"
#include "ops/spatial.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

struct Windows {
  int64_t images, channels;
  ConvAxis rows, cols;

  Dims image() const { return {images, channels, rows.in, cols.in}; }
  Dims columns() const { return {images, channels * rows.kernel * cols.kernel, rows.out * cols.out}; }
};

UnfoldArgs args_of(const Tensor& columns, const Tensor& image, const Windows& w) {
  return {columns.data(), image.data(), w.images * w.channels, w.rows, w.cols, image.dtype()};
}

Tensor fold(const Tensor& columns, const Windows& w);

Tensor unfold(const Tensor& image, const Windows& w) {
  Tensor from = contiguous(image), columns = Tensor::empty(w.columns(), image.dtype(), image.device());
  if (columns.numel())
    launch("unfold", image.device(), kernels<UnfoldKernels>(image.device()).unfold, args_of(columns, from, w),
           (double)columns.numel());
  if (needs_grad(image)) record("unfold", {image}, {columns}, [w](Backward& b) { return b.grads(fold(b.dy(), w)); });
  return columns;
}

Tensor fold(const Tensor& columns, const Windows& w) {
  Tensor from = contiguous(columns), image = Tensor::empty(w.image(), columns.dtype(), columns.device());
  if (image.numel())
    launch("fold", columns.device(), kernels<UnfoldKernels>(columns.device()).fold, args_of(from, image, w),
           (double)columns.numel());
  if (needs_grad(columns)) record("fold", {columns}, {image}, [w](Backward& b) { return b.grads(unfold(b.dy(), w)); });
  return image;
}

DType columns_dtype(DType t) { return t == DType::Float64 ? t : DType::Float32; }

void check_foldable(const char* op, const Tensor& x) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
}

Windows windows(const char* op, int64_t rows, int64_t cols, const Dims& kernel_size, const Dims& dilations,
                const Dims& padding, const Dims& strides) {
  const Dims kernel = per_axis(op, "kernel_size", kernel_size, 2, 1), stride = per_axis(op, "stride", strides, 2, 1);
  const Dims dilation = per_axis(op, "dilation", dilations, 2, 1), pad = per_axis(op, "padding", padding, 2, 0);
  Windows w{};
  for (int i = 0; i < 2; ++i) {
    const int64_t in = i ? cols : rows, room = in + 2 * pad[i] - dilation[i] * (kernel[i] - 1) - 1;
    WEFT_CHECK(in > 0 && room >= 0, Runtime, "[", op, "] expected a kernel no larger than the padded image, got a ",
               "kernel of ", kernel[i], " (dilation ", dilation[i], ") for a size of ", in, " with padding ", pad[i]);
    ConvAxis& axis = i ? w.cols : w.rows;
    axis = {in, room / stride[i] + 1, kernel[i], stride[i], pad[i], dilation[i]};
  }
  return w;
}

Tensor im2col(const Tensor& input, const Dims& kernel, const Dims& dilation, const Dims& padding, const Dims& stride) {
  check_spatial("unfold", input, 2);
  if (input.dtype() != DType::Bool) check_foldable("unfold", input);
  const bool batched = input.dim() == 4;
  const DType wide = columns_dtype(input.dtype());
  Tensor x = to(batched ? input : unsqueeze(input, 0), wide);
  Windows w = windows("unfold", x.size(2), x.size(3), kernel, dilation, padding, stride);
  w.images = x.size(0);
  w.channels = x.size(1);
  WEFT_CHECK(w.channels > 0, Runtime, "[unfold] expected at least one channel, got shape ", to_string(input.shape()));
  Tensor y = to(unfold(x, w), input.dtype());
  return batched ? y : squeeze(y, 0);
}

Tensor col2im(const Tensor& input, const Dims& output_size, const Dims& kernel, const Dims& dilation,
              const Dims& padding, const Dims& stride) {
  check_spatial("fold", input, 1);
  check_foldable("fold", input);
  const bool batched = input.dim() == 3;
  const DType wide = columns_dtype(input.dtype());
  Tensor x = to(batched ? input : unsqueeze(input, 0), wide);
  const Dims size = per_axis("fold", "output_size", output_size, 2, 1);
  Windows w = windows("fold", size[0], size[1], kernel, dilation, padding, stride);
  const int64_t taps = w.rows.kernel * w.cols.kernel;
  w.images = x.size(0);
  w.channels = x.size(1) / taps;
  WEFT_CHECK(w.channels > 0 && x.shape() == w.columns(), Runtime, "[fold] expected an input of shape [N, C * ", taps,
             ", ", w.rows.out * w.cols.out, "] for output_size ", to_string(size), ", got ", to_string(input.shape()));
  Tensor y = to(fold(x, w), input.dtype());
  return batched ? y : squeeze(y, 0);
}

}  // namespace

void bind_unfold(py::module_& m) {
  m.def("im2col", im2col, py::arg("input"), py::arg("kernel_size"), py::arg("dilation") = 1, py::arg("padding") = 0,
        py::arg("stride") = 1,
        "The windows of [N, C, H, W] or [C, H, W] as columns [N, C * kh * kw, windows]; outside the image is 0.");
  m.def("col2im", col2im, py::arg("input"), py::arg("output_size"), py::arg("kernel_size"), py::arg("dilation") = 1,
        py::arg("padding") = 0, py::arg("stride") = 1,
        "Columns [N, C * kh * kw, windows] or [C * kh * kw, windows] added up into images [N, C, *output_size]: the\n"
        "transpose of im2col.");
}

}  // namespace weft
