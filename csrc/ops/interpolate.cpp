// Interpolation along one axis: which inputs an output reads, and with what weights.
#include "kernels/interpolate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "ops/copy.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

// A matrix [outputs, inputs] by rows.
struct Taps {
  int64_t inputs, outputs;
  std::vector<int32_t> starts, at;
  std::vector<double> weights;
  void tap(int64_t i, double w) {
    at.push_back((int32_t)i);
    weights.push_back(w);
  }
  void end_row() { starts.push_back((int32_t)at.size()); }
};

Taps transposed(const Taps& t) {
  Taps r{t.outputs, t.inputs, std::vector<int32_t>(t.inputs + 1, 0), std::vector<int32_t>(t.at.size()),
         std::vector<double>(t.at.size())};
  for (int32_t i : t.at) ++r.starts[i + 1];
  for (int64_t i = 0; i < t.inputs; ++i) r.starts[i + 1] += r.starts[i];
  std::vector<int32_t> next(r.starts.begin(), r.starts.end() - 1);
  for (int64_t j = 0; j < t.outputs; ++j)
    for (int32_t k = t.starts[j]; k < t.starts[j + 1]; ++k) {
      int32_t to = next[t.at[k]]++;
      r.at[to] = (int32_t)j;
      r.weights[to] = t.weights[k];
    }
  return r;
}

// For integer elements: weights of 16 bits and as many places after the point as the largest one leaves, the taps of
// one element joined first. Sums are then exact, and rounded as PyTorch's and Pillow's are.
Taps in_fixed_point(const Taps& t) {
  Taps r{t.inputs, t.outputs, {0}, {}, {}};
  double most = 0;
  for (int64_t j = 0; j < t.outputs; ++j) {
    for (int32_t k = t.starts[j]; k < t.starts[j + 1]; ++k)
      if (k > t.starts[j] && t.at[k] == r.at.back())
        r.weights.back() += t.weights[k];
      else
        r.tap(t.at[k], t.weights[k]);
    r.end_row();
  }
  for (double w : r.weights) most = std::max(most, w);
  double unit = 1;
  for (int bits = 0; bits < 22 && std::floor(0.5 + most * unit * 2) < 32768; ++bits) unit *= 2;
  for (double& w : r.weights) w = std::round(w * unit) / unit;
  return r;
}

double cubic_weight(double x, double a) {  // Keys 1981
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}
double sinc(double x) { return x == 0 ? 1 : std::sin(M_PI * x) / (M_PI * x); }

struct Filter {
  double reach;  // zero from here on
  double (*at)(double);
};
Filter filter_of(const std::string& mode) {
  if (mode == "linear") return {1, [](double x) { return std::max(0.0, 1 - std::fabs(x)); }};
  if (mode == "cubic") return {2, [](double x) { return cubic_weight(x, -0.5); }};
  return {3, [](double x) { return std::fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0; }};
}

// The filter, widened to the distance of the outputs where that is the larger, and normalised.
void smooth(Taps& t, double scale, const std::string& mode) {
  Filter filter = filter_of(mode);
  double wide = std::max(scale, 1.0), reach = filter.reach * wide;
  for (int64_t j = 0; j < t.outputs; ++j) {
    double center = scale * ((double)j + 0.5), total = 0;
    int64_t first = std::max<int64_t>((int64_t)(center - reach + 0.5), 0);
    int64_t last = std::min<int64_t>((int64_t)(center + reach + 0.5), t.inputs);
    for (int64_t i = first; i < last; ++i) {
      double w = filter.at(((double)i - center + 0.5) / wide);
      t.tap(i, w);
      total += w;
    }
    for (size_t k = t.starts.back(); k < t.at.size() && total != 0; ++k) t.weights[k] /= total;
    t.end_row();
  }
}

void average(Taps& t) {
  for (int64_t j = 0; j < t.outputs; ++j) {
    int64_t first = j * t.inputs / t.outputs, last = ((j + 1) * t.inputs + t.outputs - 1) / t.outputs;
    for (int64_t i = first; i < last; ++i) t.tap(i, 1 / (double)(last - first));
    t.end_row();
  }
}

// In T, the dtype's own precision, and at last in float, as PyTorch does: where rounding decides, it decides alike.
template <class T>
void nearest(Taps& t, double factor, bool exact) {
  T scale = factor > 0 ? (T)(1 / factor) : (T)t.inputs / (T)t.outputs;
  for (int64_t j = 0; j < t.outputs; ++j) {
    T x = scale * ((T)j + (T)(exact ? 0.5 : 0));
    t.tap(std::min<int64_t>((int64_t)std::floor((float)x), t.inputs - 1), 1);
    t.end_row();
  }
}

// An output at position x among the inputs.
void linear(Taps& t, double x) {
  int64_t last = t.inputs - 1, i = std::min((int64_t)std::max(x, 0.0), last);
  double after = std::clamp(x - (double)i, 0.0, 1.0);
  t.tap(i, 1 - after);
  t.tap(std::min(i + 1, last), after);
  t.end_row();
}
void cubic(Taps& t, double x) {
  double floor = std::floor(x);
  for (int d = -1; d <= 2; ++d)
    t.tap(std::clamp<int64_t>((int64_t)floor + d, 0, t.inputs - 1), cubic_weight(x - floor - d, -0.75));
  t.end_row();
}

struct Resampling {
  std::string mode;
  bool align_corners, antialias;
  double factor;  // 0: the ratio of the sizes
};

Taps taps_of(int64_t inputs, int64_t outputs, const Resampling& rule, DType dtype) {
  Taps t{inputs, outputs, {0}, {}, {}};
  bool exact = rule.mode == "nearest-exact";
  if (exact || rule.mode == "nearest") {
    (dtype == DType::Float64 ? nearest<double> : nearest<float>)(t, rule.factor, exact);
    return t;
  }
  if (rule.mode == "area") {
    average(t);
    return t;
  }
  double scale = rule.factor > 0 ? 1 / rule.factor : (double)inputs / (double)outputs;
  if (rule.align_corners) scale = outputs > 1 ? (double)(inputs - 1) / (double)(outputs - 1) : 0;
  if (rule.antialias) {
    smooth(t, scale, rule.mode);
    return t;
  }
  for (int64_t j = 0; j < outputs; ++j) {
    double x = rule.align_corners ? scale * (double)j : scale * ((double)j + 0.5) - 0.5;
    if (rule.mode == "cubic")
      cubic(t, x);
    else
      linear(t, inputs == outputs ? (double)j : x);
  }
  return t;
}

Tensor resample(const Tensor& x, int axis, const Taps& taps) {
  Dims shape = x.shape();
  Interpolate a{};
  a.outer = a.inner = 1;
  for (int d = 0; d < x.dim(); ++d) (d < axis ? a.outer : a.inner) *= d == axis ? 1 : shape[d];
  a.in = taps.inputs;
  a.out = shape[axis] = taps.outputs;
  a.dtype = x.dtype();
  a.taps = taps.outputs ? taps.starts[1] : 0;
  for (int64_t j = 0; j < taps.outputs; ++j)
    if (taps.starts[j + 1] - taps.starts[j] != a.taps) a.taps = 0;

  int64_t n = (int64_t)taps.at.size();
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  Tensor index = Tensor::empty({n + taps.outputs + 1}, DType::Int32), weights = Tensor::empty({n}, DType::Float64);
  std::memcpy(index.data(), taps.at.data(), n * sizeof(int32_t));
  std::memcpy(index.ptr<int32_t>() + n, taps.starts.data(), taps.starts.size() * sizeof(int32_t));
  std::memcpy(weights.data(), taps.weights.data(), n * sizeof(double));
  index = to(index, x.device());
  weights = to(to(weights, x.dtype()), x.device());
  Tensor from = contiguous(x.detach());
  a.y = y.data();
  a.x = from.data();
  a.at = index.ptr<int32_t>();
  a.starts = a.at + n;
  a.weights = weights.data();
  if (y.numel())
    launch("interpolate", x.device(), kernels<InterpolateKernels>(x.device()).apply, a,
           2 * (double)a.outer * (double)n * (double)a.inner);
  if (needs_grad(x))
    record("interpolate", {x}, {y},
           [axis, taps](Backward& b) { return b.grads(resample(b.dy(), axis, transposed(taps))); });
  return y;
}

Tensor interpolate_axis(const Tensor& x, int64_t dim, int64_t size, const std::string& mode, bool align_corners,
                        double factor, bool antialias, bool integers) {
  int axis = wrap_dim("interpolate", dim, x.dim());
  int64_t n = x.shape()[axis];
  WEFT_CHECK(x.dtype() == DType::Float32 || x.dtype() == DType::Float64, Runtime,
             "[interpolate] expected float32 or float64, got ", name_of(x.dtype()));
  WEFT_CHECK(n > 0 && size > 0 && n < INT32_MAX && size < INT32_MAX, Runtime,
             "[interpolate] expected sizes from 1 to 2^31 - 2, got ", n, " to ", size);
  Taps taps = taps_of(n, size, {mode, align_corners, antialias, factor}, x.dtype());
  return resample(x, axis, integers ? in_fixed_point(taps) : taps);
}

}  // namespace

void bind_interpolate(py::module_& m) {
  m.def("_interpolate_axis", interpolate_axis, py::arg("input"), py::arg("dim"), py::arg("size"), py::arg("mode"),
        py::arg("align_corners"), py::arg("factor"), py::arg("antialias"), py::arg("integers"),
        "One axis resampled to `size`; mode: 'nearest', 'nearest-exact', 'linear', 'cubic', 'lanczos' or 'area'. "
        "factor:\nthe given ratio of the sizes, 0 to use that of the sizes themselves. integers: the input holds "
        "integers, and the result is to be "
        "rounded to them.");
}

}  // namespace weft
