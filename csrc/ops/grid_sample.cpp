#include "kernels/grid_sample.h"

#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/layout.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

double work_of(const GridSampleShape& s) { return (double)s.batch * (double)s.outputs * (64 + 8 * (double)s.channels); }

GridSampleShape shape_of(const Tensor& x, const Tensor& grid, const std::string& mode, const std::string& padding,
                         bool align_corners) {
  const char* op = "[grid_sample] ";
  WEFT_CHECK(x.dim() == 4 || x.dim() == 5, Value, op, "expected an input of 4 or 5 dimensions, got ",
             to_string(x.shape()));
  GridSampleShape s{};
  s.axes = x.dim() - 2;
  WEFT_CHECK(grid.dim() == x.dim() && grid.shape().back() == s.axes && grid.shape()[0] == x.shape()[0], Value, op,
             "expected a grid of ", x.dim(), " dimensions, the first of size ", x.shape()[0], " and the last of size ",
             s.axes, ", got ", to_string(grid.shape()));
  WEFT_CHECK(is_floating(x.dtype()) && x.dtype() == grid.dtype() && x.device() == grid.device(), Runtime, op,
             "expected a floating input and a grid of its dtype and device, got ", name_of(x.dtype()), " on ",
             to_string(x.device()), " and ", name_of(grid.dtype()), " on ", to_string(grid.device()));
  WEFT_CHECK(mode == "bilinear" || mode == "nearest" || mode == "bicubic", Value, op,
             "expected mode 'bilinear', 'nearest' or 'bicubic', got '", mode, "'");
  WEFT_CHECK(padding == "zeros" || padding == "border" || padding == "reflection", Value, op,
             "expected padding_mode 'zeros', 'border' or 'reflection', got '", padding, "'");
  WEFT_CHECK(mode != "bicubic" || s.axes == 2, Value, op, "expected an input of 4 dimensions for mode 'bicubic', got ",
             to_string(x.shape()));
  s.batch = x.shape()[0];
  s.channels = x.shape()[1];
  s.outputs = 1;
  int64_t room = INT32_MAX;
  for (int d = 1; d <= s.axes; ++d) s.outputs *= grid.shape()[d];
  s.size[2] = 1;
  for (int d = 0; d < s.axes; ++d) {
    s.size[d] = x.shape()[x.dim() - 1 - d];
    WEFT_CHECK(s.size[d] > 0, Runtime, op, "expected an input that is not empty, got ", to_string(x.shape()));
    room /= s.size[d];
  }
  WEFT_CHECK(room > 0, Runtime, op, "expected images of fewer than 2^31 elements, got ", to_string(x.shape()));
  s.mode = mode == "bilinear" ? SampleMode::Linear : mode == "nearest" ? SampleMode::Nearest : SampleMode::Cubic;
  s.padding = padding == "zeros"    ? SamplePadding::Zeros
              : padding == "border" ? SamplePadding::Border
                                    : SamplePadding::Reflection;
  s.align_corners = align_corners;
  return s;
}

int64_t image_of(const GridSampleShape& s) { return s.size[0] * s.size[1] * s.size[2]; }

Tensor planes_of(const Tensor& x, GridSampleShape& s) {
  s.channel = image_of(s);
  s.element = 1;
  return contiguous(x.detach());
}

// The image as the CPU reads it best: with neighbouring channels, if the positions are so many that turning it around
// pays, or if its gradient is wanted, which costs as much as the whole image anyway.
bool turning_pays(const Tensor& x, const GridSampleShape& s) {
  const int64_t taps = s.axes * (s.mode == SampleMode::Cubic ? 8 : s.mode == SampleMode::Linear ? 2 : 1);
  return x.device().is_cpu() && s.outputs * taps > image_of(s) / 2;
}
Tensor image_to_sample(const Tensor& x, GridSampleShape& s, bool whole) {
  const bool last = x.device().is_cpu() && (whole || is_channels_last(x) || turning_pays(x, s));
  if (!last) return planes_of(x, s);
  s.channel = 1;
  s.element = s.channels;
  return channels_last(x.detach());
}
// Whether the kernel turns it around itself: groups of channels are enough to keep threads busy.
bool by_groups(const Tensor& x, const GridSampleShape& s) {
  const int64_t groups = (s.channels + kSampleGroup - 1) / kSampleGroup;
  return turning_pays(x, s) && !is_channels_last(x) && 2 * s.channels >= kSampleGroup && s.batch * groups >= 16;
}

TensorList sampled_backward(Backward& b, GridSampleShape s, const Tensor& x, const Tensor& grid) {
  Tensor dx, dgrid;
  const Tensor image = image_to_sample(x, s, b.needs(0)), points = contiguous(grid.detach());
  if (b.needs(0)) {
    dx = s.channel == 1 ? empty_channels_last(x.shape(), x.dtype(), x.device())
                        : Tensor::empty(x.shape(), x.dtype(), x.device());
    fill_raw(dx, 0);
  }
  if (b.needs(1)) dgrid = Tensor::zeros(grid.shape(), grid.dtype(), grid.device());
  if (b.dy().numel()) {
    const Tensor dy = contiguous(b.dy().detach());
    GridSampleBackward a{dx.defined() ? dx.data() : nullptr,
                         dgrid.defined() ? dgrid.data() : nullptr,
                         dy.data(),
                         image.data(),
                         points.data(),
                         s,
                         x.dtype()};
    launch("grid_sample_backward", x.device(), kernels<GridSampleKernels>(x.device()).backward, a, 3 * work_of(s));
  }
  if (dx.defined() && !is_channels_last(x)) dx = contiguous(dx);
  for (const Tensor& d : {dx, dgrid})
    if (d.defined()) no_second_derivative("grid_sample", {b.dy(), x, grid}, {d});
  return b.grads(dx, dgrid);
}

Tensor sampled(const Tensor& x, const Tensor& grid, GridSampleShape s) {
  Dims shape = grid.shape();
  shape.erase(shape.n - 1);
  shape.insert(1, s.channels);
  const Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  if (y.numel()) {
    const bool grouped = by_groups(x, s);
    const Tensor image = grouped ? planes_of(x, s) : image_to_sample(x, s, false), points = contiguous(grid.detach());
    const int workers = grouped ? num_threads() : 0;
    Workspace room(workers * (image_of(s) + 1) * kSampleGroup * size_of(x.dtype()), x.device());
    launch("grid_sample", x.device(), kernels<GridSampleKernels>(x.device()).forward,
           GridSampleForward{y.data(), image.data(), points.data(), room.data(), workers, s, x.dtype()}, work_of(s));
  }
  if (needs_grad(x, grid))
    record("grid_sample", {x, grid}, {y}, [s, x = Saved(x), grid = Saved(grid)](Backward& b) {
      return sampled_backward(b, s, x.get(b), grid.get(b));
    });
  return y;
}

Tensor grid_sample(const Tensor& x, const Tensor& grid, const std::string& mode, const std::string& padding_mode,
                   std::optional<bool> align_corners) {
  GridSampleShape s = shape_of(x, grid, mode, padding_mode, align_corners.value_or(false));
  DType wide = is_half(x.dtype()) ? DType::Float32 : x.dtype();
  return to(sampled(to(x, wide), to(grid, wide), s), x.dtype());
}

}  // namespace

void bind_grid_sample(py::module_& m) {
  m.def(
      "grid_sample", autocasting<Autocast::Float32>(grid_sample), py::arg("input"), py::arg("grid"),
      py::arg("mode") = "bilinear", py::arg("padding_mode") = "zeros", py::arg("align_corners") = py::none(),
      "input [N, C, H, W] read at the positions grid [N, H', W', 2] (x, y), or [N, C, D, H, W] at [N, D', H', W', 3]\n"
      "(x, y, z); -1 and 1 are the edges, or with align_corners the centres of the outermost elements. mode: "
      "'bilinear',\n'nearest' or, of images, 'bicubic'. padding_mode, for what lies outside: 'zeros', 'border' or "
      "'reflection'.");
}

}  // namespace weft
