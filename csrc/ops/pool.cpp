#include "ops/pool.h"

#include "ops/copy.h"
#include "ops/reduce.h"
#include "ops/spatial.h"
#include "tensor/python.h"

namespace weft {

namespace {

using OptionalDims = std::optional<Dims>;

int64_t outputs_of(const PoolAxis& a, bool ceil_mode) {
  int64_t room = a.n + 2 * a.pad - a.dilation * (a.kernel - 1) - 1;
  if (room < 0 && !(ceil_mode && room + a.stride > 0)) return 0;
  int64_t outputs = (room + (ceil_mode ? a.stride - 1 : 0)) / a.stride + 1;
  // With ceil_mode the last window must begin inside the input or its left padding.
  if (ceil_mode && (outputs - 1) * a.stride >= a.n + a.pad) --outputs;
  return outputs;
}

void check_input(const char* op, const Tensor& x, int spatial) {
  check_spatial(op, x, spatial);
  int64_t room = INT32_MAX;
  for (int i = x.dim() - spatial - 1; i < x.dim(); ++i) {
    WEFT_CHECK(x.shape()[i] > 0, Runtime, "[", op, "] expected sizes above 0 except for the batch, got shape ",
               to_string(x.shape()));
    if (i >= x.dim() - spatial) room /= x.shape()[i];
  }
  WEFT_CHECK(room > 0, Runtime, "[", op, "] expected planes of fewer than 2^31 elements, got shape ",
             to_string(x.shape()));
}

// The shape of x's volumes; the result's as far as the axes know their outputs.
template <class AxisOf>
Pooling pooling(const Tensor& x, int spatial, const AxisOf& axis) {
  Pooling p{{}, x.shape()};
  p.shape.volumes = 1;
  for (int i = 0; i < x.dim() - spatial; ++i) p.shape.volumes *= x.shape()[i];
  for (int i = 0; i < spatial; ++i) {
    const int at = x.dim() - spatial + i;
    PoolAxis& a = axis_of(p.shape, i, spatial);
    a = axis(i, x.shape()[at]);
    p.output[at] = a.outputs;
  }
  numel_of(p.output);
  return p;
}

Pooling fixed(const char* op, const Tensor& x, int spatial, const Dims& kernel_size, const OptionalDims& strides,
              const Dims& padding, const Dims& dilations, bool ceil_mode) {
  check_input(op, x, spatial);
  const Dims kernel = per_axis(op, "kernel_size", kernel_size, spatial, 1);
  const Dims stride = strides && !strides->empty() ? per_axis(op, "stride", *strides, spatial, 1) : kernel;
  const Dims pad = per_axis(op, "padding", padding, spatial, 0);
  const Dims dilation = per_axis(op, "dilation", dilations, spatial, 1);
  return pooling(x, spatial, [&](int i, int64_t n) {
    PoolAxis a{n, 0, kernel[i], stride[i], pad[i], dilation[i]};
    const int64_t limit = INT32_MAX;
    WEFT_CHECK(a.kernel <= limit && a.stride <= limit && a.dilation <= limit / a.kernel, Overflow, "[", op,
               "] expected kernel_size, stride and dilation below 2^31, got ", a.kernel, ", ", a.stride, " and ",
               a.dilation);
    WEFT_CHECK(a.pad <= ((a.kernel - 1) * a.dilation + 1) / 2, Runtime, "[", op,
               "] expected padding of at most half the (dilated) kernel_size, got padding ", a.pad, ", kernel_size ",
               a.kernel, ", dilation ", a.dilation);
    a.outputs = outputs_of(a, ceil_mode);
    WEFT_CHECK(a.outputs > 0, Runtime, "[", op, "] expected a kernel_size no larger than the padded input, got ",
               a.kernel, " for a size of ", a.n, " with padding ", a.pad, " and dilation ", a.dilation);
    return a;
  });
}

// output_size: one int, or one per axis; None keeps that axis.
Dims adaptive_size(const char* op, const Tensor& x, int spatial, const py::object& given) {
  py::list list = py::isinstance<py::sequence>(given) ? py::list(given) : py::list(py::make_tuple(given));
  WEFT_CHECK(list.size() == 1 || (int)list.size() == spatial, Runtime, "[", op, "] expected output_size to be one int",
             " or one for each of ", spatial, " axes, got ", list.size(), " values");
  Dims sizes;
  for (int i = 0; i < spatial; ++i) {
    py::object size = list[list.size() == 1 ? 0 : i];
    sizes.push_back(size.is_none() ? x.size(i - spatial) : size.cast<int64_t>());
  }
  return per_axis(op, "output_size", sizes, spatial, 0);
}

Pooling adaptive(const char* op, const Tensor& x, int spatial, const py::object& output_size) {
  check_input(op, x, spatial);
  const Dims outputs = adaptive_size(op, x, spatial, output_size);
  bool even = true;  // windows of equal sizes are an ordinary pool
  Pooling p = pooling(x, spatial, [&](int i, int64_t n) {
    const int64_t o = outputs[i];
    PoolAxis a{n, o, 1, 1, 0, 1};
    if (o > 0 && n % o == 0)
      a.kernel = a.stride = n / o;
    else
      even = false;
    return a;
  });
  p.shape.adaptive = !even;
  return p;
}

bool one_output(const Pooling& p) {
  return p.shape.depths.outputs == 1 && p.shape.rows.outputs == 1 && p.shape.cols.outputs == 1;
}
Dims last_axes(int n) {
  Dims axes;
  for (int d = -n; d < 0; ++d) axes.push_back(d);
  return axes;
}

// A window that lies in the padding and the gaps of the dilation alone has no maximum.
void check_windows(const char* op, const PoolShape& s) {
  for (const PoolAxis* a : {&s.depths, &s.rows, &s.cols})
    for (int64_t o = 0; a->dilation > 1 && a->pad > 0 && o < a->outputs; ++o) {
      int64_t begin = o * a->stride - a->pad, last = begin + (a->kernel - 1) * a->dilation;
      if (begin >= 0) break;
      int64_t first = begin + (-begin + a->dilation - 1) / a->dilation * a->dilation;
      WEFT_CHECK(first < a->n && first <= last, Runtime, "[", op, "] window ", o,
                 " has no element inside the input: size ", a->n, ", kernel_size ", a->kernel, ", dilation ",
                 a->dilation, ", padding ", a->pad);
    }
}

void check_dtype(const char* op, const Tensor& x, bool allowed) {
  WEFT_CHECK(allowed, NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
}

py::object result(const MaxPooled& r, bool return_indices) {
  if (!return_indices) return py::cast(r.y);
  return py::make_tuple(r.y, to(r.index, DType::Int64));
}

void bind_max(py::module_& m, const char* name, int spatial, const char* doc) {
  m.def(
      name,
      [=](const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding, const Dims& dilation,
          bool ceil_mode, bool return_indices) {
        Pooling p = fixed(name, x, spatial, kernel, stride, padding, dilation, ceil_mode);
        WEFT_CHECK(x.dtype() != DType::Bool, NotImplemented, "[", name, "] expected numbers, got bool");
        check_windows(name, p.shape);
        return result(max_pool(name, x, p, return_indices), return_indices);
      },
      py::arg("input"), py::arg("kernel_size"), py::arg("stride") = py::none(), py::arg("padding") = 0,
      py::arg("dilation") = 1, py::arg("ceil_mode") = false, py::arg("return_indices") = false, doc);
}

Tensor average(const char* op, int spatial, const Tensor& x, const Dims& kernel, const OptionalDims& stride,
               const Dims& padding, bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor) {
  Pooling p = fixed(op, x, spatial, kernel, stride, padding, {1}, ceil_mode);
  check_dtype(op, x, is_floating(x.dtype()) || x.dtype() == DType::Int64);
  WEFT_CHECK(!divisor || *divisor != 0, Runtime, "[", op, "] expected a divisor_override other than 0");
  return average_pool(op, x, p, divisor.value_or(0), count_include_pad);
}

void bind_average(py::module_& m, const char* name, int spatial, const char* doc) {
  m.def(
      name,
      [=](const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding, bool ceil_mode,
          bool count_include_pad, std::optional<int64_t> divisor) {
        return average(name, spatial, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor);
      },
      py::arg("input"), py::arg("kernel_size"), py::arg("stride") = py::none(), py::arg("padding") = 0,
      py::arg("ceil_mode") = false, py::arg("count_include_pad") = true, py::arg("divisor_override") = py::none(), doc);
}

void bind_adaptive_max(py::module_& m, const char* name, int spatial, const char* doc) {
  m.def(
      name,
      [=](const Tensor& x, const py::object& output_size, bool return_indices) {
        Pooling p = adaptive(name, x, spatial, output_size);
        check_dtype(name, x, is_floating(x.dtype()));
        return result(max_pool(name, x, p, return_indices), return_indices);
      },
      py::arg("input"), py::arg("output_size"), py::arg("return_indices") = false, doc);
}

void bind_adaptive_average(py::module_& m, const char* name, int spatial, const char* doc) {
  m.def(
      name,
      [=](const Tensor& x, const py::object& output_size) {
        Pooling p = adaptive(name, x, spatial, output_size);
        check_dtype(name, x, is_floating(x.dtype()));
        if (one_output(p)) return mean(x, last_axes(spatial), true);
        return average_pool(name, x, p, 0, false);
      },
      py::arg("input"), py::arg("output_size"), doc);
}

}  // namespace

void bind_pool(py::module_& m) {
  bind_max(m, "max_pool2d", 2,
           "Maximum over windows of [N, C, H, W] or [C, H, W]. `stride` defaults to kernel_size; padding counts as\n"
           "-inf. With return_indices also the positions in the H x W plane, as int64. RuntimeError when the window\n"
           "does not fit.");
  bind_max(m, "max_pool1d", 1, "Maximum over windows of [N, C, L] or [C, L]; see max_pool2d.");
  bind_max(m, "max_pool3d", 3,
           "Maximum over windows of [N, C, D, H, W] or [C, D, H, W]; indices are positions in the volume. See "
           "max_pool2d.");
  bind_average(
      m, "avg_pool2d", 2,
      "Mean over windows of [N, C, H, W] or [C, H, W]. The divisor is the window's size with the zero padding,\n"
      "or without it (count_include_pad=False), or divisor_override.");
  bind_average(m, "avg_pool3d", 3, "Mean over windows of [N, C, D, H, W] or [C, D, H, W]; see avg_pool2d.");
  m.def(
      "avg_pool1d",
      [](const Tensor& x, const Dims& kernel, const OptionalDims& stride, const Dims& padding, bool ceil_mode,
         bool count_include_pad) {
        return average("avg_pool1d", 1, x, kernel, stride, padding, ceil_mode, count_include_pad, std::nullopt);
      },
      py::arg("input"), py::arg("kernel_size"), py::arg("stride") = py::none(), py::arg("padding") = 0,
      py::arg("ceil_mode") = false, py::arg("count_include_pad") = true,
      "Mean over windows of [N, C, L] or [C, L]; see avg_pool2d.");
  bind_adaptive_max(m, "adaptive_max_pool2d", 2,
                    "Maximum over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to\n"
                    "ceil((i+1) H / out). None in output_size keeps that axis.");
  bind_adaptive_max(m, "adaptive_max_pool1d", 1,
                    "Maximum over output_size windows of [N, C, L] or [C, L]; see adaptive_max_pool2d.");
  bind_adaptive_max(m, "adaptive_max_pool3d", 3,
                    "Maximum over output_size windows of [.., D, H, W]; see adaptive_max_pool2d.");
  bind_adaptive_average(m, "adaptive_avg_pool2d", 2,
                        "Mean over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to\n"
                        "ceil((i+1) H / out). None in output_size keeps that axis.");
  bind_adaptive_average(m, "adaptive_avg_pool1d", 1,
                        "Mean over output_size windows of [N, C, L] or [C, L]; see adaptive_avg_pool2d.");
  bind_adaptive_average(m, "adaptive_avg_pool3d", 3,
                        "Mean over output_size windows of [.., D, H, W]; see adaptive_avg_pool2d.");
}

}  // namespace weft
