#include "ops/pool.h"

#include "kernels/pool.h"
#include "ops/copy.h"
#include "ops/spatial.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

int64_t outputs_of(const PoolAxis& a, bool ceil_mode) {
  int64_t room = a.n + 2 * a.pad - a.dilation * (a.kernel - 1) - 1;
  if (room < 0 && !(ceil_mode && room + a.stride > 0)) return 0;
  int64_t outputs = (room + (ceil_mode ? a.stride - 1 : 0)) / a.stride + 1;
  // With ceil_mode the last window must begin inside the input or its left padding.
  if (ceil_mode && (outputs - 1) * a.stride >= a.n + a.pad) --outputs;
  return outputs;
}

void check_input(const char* op, const Tensor& x) {
  check_spatial(op, x, 2);
  for (int i = x.dim() - 3; i < x.dim(); ++i)
    WEFT_CHECK(x.shape()[i] > 0, Runtime, "[", op, "] expected sizes above 0 except for the batch, got shape ",
               to_string(x.shape()));
  WEFT_CHECK(x.shape()[x.dim() - 2] <= INT32_MAX / x.shape()[x.dim() - 1], Runtime, "[", op,
             "] expected planes of fewer than 2^31 elements, got shape ", to_string(x.shape()));
}

PoolShape fixed(const char* op, const Tensor& x, const Dims& kernel_size, const Dims& strides, const Dims& padding,
                const Dims& dilations, bool ceil_mode) {
  check_input(op, x);
  Dims kernel = pair(op, "kernel_size", kernel_size, 1);
  Dims stride = strides.empty() ? kernel : pair(op, "stride", strides, 1);
  Dims pad = pair(op, "padding", padding, 0), dilation = pair(op, "dilation", dilations, 1);
  PoolShape s{};
  s.planes = 1;
  for (int i = 0; i < x.dim() - 2; ++i) s.planes *= x.shape()[i];
  for (int axis = 0; axis < 2; ++axis) {
    PoolAxis& a = axis ? s.cols : s.rows;
    a = {x.shape()[x.dim() - 2 + axis], 0, kernel[axis], stride[axis], pad[axis], dilation[axis]};
    int64_t limit = INT32_MAX;
    WEFT_CHECK(a.kernel <= limit && a.stride <= limit && a.dilation <= limit / a.kernel, Overflow, "[", op,
               "] expected kernel_size, stride and dilation below 2^31, got ", a.kernel, ", ", a.stride, " and ",
               a.dilation);
    WEFT_CHECK(a.pad <= ((a.kernel - 1) * a.dilation + 1) / 2, Runtime, "[", op,
               "] expected padding of at most half the (dilated) kernel_size, got padding ", a.pad, ", kernel_size ",
               a.kernel, ", dilation ", a.dilation);
    a.outputs = outputs_of(a, ceil_mode);
    WEFT_CHECK(a.outputs > 0, Runtime, "[", op, "] expected a kernel_size no larger than the padded input, got ",
               a.kernel, " for a size of ", a.n, " with padding ", a.pad, " and dilation ", a.dilation);
  }
  return s;
}

PoolShape adaptive(const char* op, const Tensor& x, const Dims& output_size) {
  check_input(op, x);
  Dims outputs = pair(op, "output_size", output_size, 0);
  PoolShape s{};
  s.planes = 1;
  for (int i = 0; i < x.dim() - 2; ++i) s.planes *= x.shape()[i];
  for (int axis = 0; axis < 2; ++axis) {
    PoolAxis& a = axis ? s.cols : s.rows;
    int64_t n = x.shape()[x.dim() - 2 + axis], o = outputs[axis];
    a = {n, o, 1, 1, 0, 1};
    if (o > 0 && n % o == 0) a.kernel = a.stride = n / o;
    s.adaptive = s.adaptive || o == 0 || n % o != 0;  // windows of equal sizes are an ordinary pool
  }
  return s;
}

Dims output_shape(const Tensor& x, const PoolShape& s) {
  Dims shape = x.shape();
  shape[x.dim() - 2] = s.rows.outputs;
  shape[x.dim() - 1] = s.cols.outputs;
  numel_of(shape);
  return shape;
}

DType compute_dtype(DType t) { return is_half(t) ? DType::Float32 : t; }

void check_floating(const char* op, const Tensor& x) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
}

double work_of(const PoolShape& s) {
  double window = s.adaptive ? 1 : (double)s.rows.kernel * s.cols.kernel;
  double outputs = (double)s.planes * s.rows.outputs * s.cols.outputs * window;
  return outputs + (double)s.planes * s.rows.n * s.cols.n;
}

PoolMove move_args(const Tensor& x, const Tensor& y, const Tensor& index) {
  int64_t in = x.size(-1) * x.size(-2), out = y.size(-1) * y.size(-2);
  return {x.data(), y.data(), index.ptr<int32_t>(), x.numel() / in, in, out, x.dtype()};
}

Tensor scatter(const Tensor& dy, const Tensor& index, const Dims& shape);

// Each output's chosen element.
Tensor gather(const Tensor& x, const Tensor& index) {
  Tensor from = contiguous(x), y = Tensor::empty(index.shape(), x.dtype(), x.device());
  if (y.numel())
    launch("max_pool2d_gather", x.device(), kernels<PoolKernels>(x.device()).gather, move_args(from, y, index),
           (double)y.numel());
  if (needs_grad(x))
    record("max_pool2d_gather", {x}, {y},
           [index, shape = x.shape()](Backward& b) { return b.grads(scatter(b.dy(), index, shape)); });
  return y;
}

Tensor scatter(const Tensor& dy, const Tensor& index, const Dims& shape) {
  Tensor from = contiguous(dy), dx = Tensor::empty(shape, dy.dtype(), dy.device());
  if (dx.numel() && dy.numel() == 0) fill_raw(dx, 0);
  if (dy.numel())
    launch("max_pool2d_backward", dy.device(), kernels<PoolKernels>(dy.device()).scatter, move_args(dx, from, index),
           (double)dx.numel() + dy.numel());
  if (needs_grad(dy))
    record("max_pool2d_backward", {dy}, {dx}, [index](Backward& b) { return b.grads(gather(b.dy(), index)); });
  return dx;
}

MaxPooled max_pool(const char* op, const Tensor& x, const PoolShape& s, bool want_index) {
  Dims shape = output_shape(x, s);
  bool recorded = needs_grad(x);
  Tensor from = contiguous(x), y = Tensor::empty(shape, x.dtype(), x.device()), index;
  if (want_index || recorded) index = Tensor::empty(shape, DType::Int32, x.device());
  if (y.numel()) {
    MaxPool args{y.data(), index.defined() ? index.ptr<int32_t>() : nullptr, from.data(), s, x.dtype()};
    launch(op, x.device(), kernels<PoolKernels>(x.device()).max, args, work_of(s));
  }
  if (recorded)
    record(op, {x}, {y}, [index, in = x.shape()](Backward& b) { return b.grads(scatter(b.dy(), index, in)); });
  return {y, index};
}

MaxPooled max_pool_any(const char* op, const Tensor& x, const PoolShape& s, bool want_index) {
  DType t = x.dtype();
  DType wide = is_half(t) ? DType::Float32 : is_integral(t) && size_of(t) < 4 ? DType::Int32 : t;
  MaxPooled r = max_pool(op, to(x, wide), s, want_index);
  return {to(r.y, t), r.index};
}

struct Average {
  PoolShape shape;
  int64_t divisor;
  bool count_pad;
};

Tensor average_backward(const char* op, const Tensor& dy, const Average& a, const Dims& shape);

Tensor average(const char* op, const Tensor& x, const Average& a) {
  Tensor from = contiguous(x), y = Tensor::empty(output_shape(x, a.shape), x.dtype(), x.device());
  if (y.numel()) {
    AveragePool args{from.data(), y.data(), a.shape, a.divisor, a.count_pad, x.dtype()};
    launch(op, x.device(), kernels<PoolKernels>(x.device()).average, args, work_of(a.shape));
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
    AveragePool args{dx.data(), from.data(), a.shape, a.divisor, a.count_pad, dy.dtype()};
    launch(op, dy.device(), kernels<PoolKernels>(dy.device()).average_backward, args, work_of(a.shape));
  }
  if (needs_grad(dy)) record(op, {dy}, {dx}, [op, a](Backward& b) { return b.grads(average(op, b.dy(), a)); });
  return dx;
}

Tensor average_any(const char* op, const Tensor& x, const Average& a) {
  check_floating(op, x);
  return to(average(op, to(x, compute_dtype(x.dtype())), a), x.dtype());
}

// A window that lies in the padding and the gaps of the dilation alone has no maximum.
void check_windows(const char* op, const PoolShape& s) {
  for (const PoolAxis* a : {&s.rows, &s.cols})
    for (int64_t o = 0; a->dilation > 1 && a->pad > 0 && o < a->outputs; ++o) {
      int64_t begin = o * a->stride - a->pad, last = begin + (a->kernel - 1) * a->dilation;
      if (begin >= 0) break;
      int64_t first = begin + (-begin + a->dilation - 1) / a->dilation * a->dilation;
      WEFT_CHECK(first < a->n && first <= last, Runtime, "[", op, "] window ", o,
                 " has no element inside the input: size ", a->n, ", kernel_size ", a->kernel, ", dilation ",
                 a->dilation, ", padding ", a->pad);
    }
}

}  // namespace

MaxPooled max_pool2d(const Tensor& x, const Dims& kernel, const Dims& stride, const Dims& padding, const Dims& dilation,
                     bool ceil_mode, bool want_index) {
  const char* op = "max_pool2d";
  PoolShape s = fixed(op, x, kernel, stride, padding, dilation, ceil_mode);
  WEFT_CHECK(x.dtype() != DType::Bool, NotImplemented, "[max_pool2d] expected numbers, got bool");
  check_windows(op, s);
  return max_pool_any(op, x, s, want_index);
}

MaxPooled adaptive_max_pool2d(const Tensor& x, const Dims& outputs, bool want_index) {
  PoolShape s = adaptive("adaptive_max_pool2d", x, outputs);
  check_floating("adaptive_max_pool2d", x);
  return max_pool_any("adaptive_max_pool2d", x, s, want_index);
}

Tensor avg_pool2d(const Tensor& x, const Dims& kernel, const Dims& stride, const Dims& padding, bool ceil_mode,
                  bool count_include_pad, int64_t divisor) {
  PoolShape s = fixed("avg_pool2d", x, kernel, stride, padding, {1}, ceil_mode);
  return average_any("avg_pool2d", x, {s, divisor, count_include_pad});
}

Tensor adaptive_avg_pool2d(const Tensor& x, const Dims& outputs) {
  return average_any("adaptive_avg_pool2d", x, {adaptive("adaptive_avg_pool2d", x, outputs), 0, false});
}

namespace {

using OptionalDims = std::optional<Dims>;

py::object result(const MaxPooled& r, bool return_indices) {
  if (!return_indices) return py::cast(r.y);
  return py::make_tuple(r.y, to(r.index, DType::Int64));
}

// As an image of one row.
Tensor image(const char* op, const Tensor& x) {
  check_spatial(op, x, 1);
  return unsqueeze(x, -2);
}
MaxPooled sequence(const MaxPooled& r) {
  return {squeeze(r.y, -2), r.index.defined() ? squeeze(r.index, -2) : Tensor()};
}

// output_size: one int, or one per axis; None keeps that axis.
Dims adaptive_size(const char* op, const Tensor& x, const py::object& given) {
  check_spatial(op, x, 2);
  auto one = [&](py::handle o, int axis) { return o.is_none() ? x.size(axis) : o.cast<int64_t>(); };
  if (!py::isinstance<py::sequence>(given)) return {one(given, -2), one(given, -1)};
  py::sequence list(given);
  WEFT_CHECK(list.size() == 1 || list.size() == 2, Runtime, "[", op,
             "] expected output_size to be one int or two, got ", list.size(), " values");
  return {one(list[0], -2), one(list[list.size() - 1], -1)};
}

int64_t divisor_of(const std::optional<int64_t>& divisor) {
  WEFT_CHECK(!divisor || *divisor > 0, Runtime, "[avg_pool2d] expected a divisor_override above 0, got ", *divisor);
  return divisor.value_or(0);
}

}  // namespace

void bind_pool(py::module_& m) {
  m.def(
      "max_pool2d",
      [](const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding, const Dims& dilation,
         bool ceil_mode, bool return_indices) {
        return result(max_pool2d(x, kernel, stride.value_or(Dims()), padding, dilation, ceil_mode, return_indices),
                      return_indices);
      },
      py::arg("input"), py::arg("kernel_size"), py::arg("stride") = py::none(), py::arg("padding") = 0,
      py::arg("dilation") = 1, py::arg("ceil_mode") = false, py::arg("return_indices") = false,
      "Maximum over windows of [N, C, H, W] or [C, H, W]. `stride` defaults to kernel_size; padding counts as -inf.\n"
      "With return_indices also the positions in the H x W plane, as int64. RuntimeError when the window does not "
      "fit.");
  m.def(
      "max_pool1d",
      [](const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding, const Dims& dilation,
         bool ceil_mode, bool return_indices) {
        const char* op = "max_pool1d";
        Dims k = single(op, "kernel_size", kernel, 1);
        Dims s = stride && !stride->empty() ? single(op, "stride", *stride, 1) : Dims();
        return result(sequence(max_pool2d(image(op, x), k, s, single(op, "padding", padding, 0),
                                          single(op, "dilation", dilation, 1), ceil_mode, return_indices)),
                      return_indices);
      },
      py::arg("input"), py::arg("kernel_size"), py::arg("stride") = py::none(), py::arg("padding") = 0,
      py::arg("dilation") = 1, py::arg("ceil_mode") = false, py::arg("return_indices") = false,
      "Maximum over windows of [N, C, L] or [C, L]; see max_pool2d.");
  m.def(
      "avg_pool2d",
      [](const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding, bool ceil_mode,
         bool count_include_pad, std::optional<int64_t> divisor) {
        return avg_pool2d(x, kernel, stride.value_or(Dims()), padding, ceil_mode, count_include_pad,
                          divisor_of(divisor));
      },
      py::arg("input"), py::arg("kernel_size"), py::arg("stride") = py::none(), py::arg("padding") = 0,
      py::arg("ceil_mode") = false, py::arg("count_include_pad") = true, py::arg("divisor_override") = py::none(),
      "Mean over windows of [N, C, H, W] or [C, H, W]. The divisor is the window's size with the zero padding, or\n"
      "without it (count_include_pad=False), or divisor_override.");
  m.def(
      "avg_pool1d",
      [](const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding, bool ceil_mode,
         bool count_include_pad) {
        const char* op = "avg_pool1d";
        Dims k = single(op, "kernel_size", kernel, 1);
        Dims s = stride && !stride->empty() ? single(op, "stride", *stride, 1) : Dims();
        return squeeze(
            avg_pool2d(image(op, x), k, s, single(op, "padding", padding, 0), ceil_mode, count_include_pad, 0), -2);
      },
      py::arg("input"), py::arg("kernel_size"), py::arg("stride") = py::none(), py::arg("padding") = 0,
      py::arg("ceil_mode") = false, py::arg("count_include_pad") = true,
      "Mean over windows of [N, C, L] or [C, L]; see avg_pool2d.");
  m.def(
      "adaptive_max_pool2d",
      [](const Tensor& x, const py::object& output_size, bool return_indices) {
        return result(adaptive_max_pool2d(x, adaptive_size("adaptive_max_pool2d", x, output_size), return_indices),
                      return_indices);
      },
      py::arg("input"), py::arg("output_size"), py::arg("return_indices") = false,
      "Maximum over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to ceil((i+1) H / "
      "out).\n"
      "None in output_size keeps that axis.");
  m.def(
      "adaptive_avg_pool2d",
      [](const Tensor& x, const py::object& output_size) {
        return adaptive_avg_pool2d(x, adaptive_size("adaptive_avg_pool2d", x, output_size));
      },
      py::arg("input"), py::arg("output_size"),
      "Mean over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to ceil((i+1) H / out).\n"
      "None in output_size keeps that axis.");
  m.def(
      "adaptive_max_pool1d",
      [](const Tensor& x, const Dims& output_size, bool return_indices) {
        const char* op = "adaptive_max_pool1d";
        return result(
            sequence(adaptive_max_pool2d(image(op, x), single(op, "output_size", output_size, 1), return_indices)),
            return_indices);
      },
      py::arg("input"), py::arg("output_size"), py::arg("return_indices") = false,
      "Maximum over output_size windows of [N, C, L] or [C, L]; see adaptive_max_pool2d.");
  m.def(
      "adaptive_avg_pool1d",
      [](const Tensor& x, const Dims& output_size) {
        const char* op = "adaptive_avg_pool1d";
        return squeeze(adaptive_avg_pool2d(image(op, x), single(op, "output_size", output_size, 1)), -2);
      },
      py::arg("input"), py::arg("output_size"),
      "Mean over output_size windows of [N, C, L] or [C, L]; see adaptive_avg_pool2d.");
}

}  // namespace weft
