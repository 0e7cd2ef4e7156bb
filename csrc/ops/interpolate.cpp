// Interpolation along one axis or two: which inputs an output reads, and with what weights.
#include "kernels/interpolate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "ops/copy.h"
#include "ops/layout.h"
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

// Every output with as many taps, so that outputs can be taken side by side: the last one in halves, which are exact,
// and -1 where there is none.
Taps evened(const Taps& t) {
  int32_t least = INT32_MAX, most = 0;
  for (int64_t j = 0; j < t.outputs; ++j) {
    least = std::min(least, t.starts[j + 1] - t.starts[j]);
    most = std::max(most, t.starts[j + 1] - t.starts[j]);
  }
  if (least == most || most > 16) return t;
  Taps r{t.inputs, t.outputs, {0}, {}, {}};
  for (int64_t j = 0; j < t.outputs; ++j) {
    for (int32_t k = t.starts[j]; k < t.starts[j + 1]; ++k) r.tap(t.at[k], t.weights[k]);
    for (int32_t n = t.starts[j + 1] - t.starts[j]; n < most; ++n) {
      const bool none = t.starts[j + 1] == t.starts[j];
      if (!none) r.weights.back() /= 2;
      r.tap(none ? -1 : r.at.back(), none ? 0 : r.weights.back());
    }
    r.end_row();
  }
  return r;
}

Taps transposed(const Taps& t) {
  Taps r{t.outputs, t.inputs, std::vector<int32_t>(t.inputs + 1, 0), {}, {}};
  for (int32_t i : t.at)
    if (i >= 0) ++r.starts[i + 1];
  for (int64_t i = 0; i < t.inputs; ++i) r.starts[i + 1] += r.starts[i];
  r.at.resize(r.starts.back());
  r.weights.resize(r.starts.back());
  std::vector<int32_t> next(r.starts.begin(), r.starts.end() - 1);
  for (int64_t j = 0; j < t.outputs; ++j)
    for (int32_t k = t.starts[j]; k < t.starts[j + 1]; ++k) {
      if (t.at[k] < 0) continue;
      int32_t to = next[t.at[k]]++;
      r.at[to] = (int32_t)j;
      r.weights[to] = t.weights[k];
    }
  return evened(r);
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

// The taps of an axis at the end of what the device gets to read.
InterpolateAxis laid_out(const Taps& t, std::vector<int32_t>& index, std::vector<double>& weights) {
  InterpolateAxis a{};
  a.in = t.inputs;
  a.out = t.outputs;
  a.taps = t.outputs ? t.starts[1] : 0;
  for (int64_t j = 0; j < t.outputs; ++j)
    if (t.starts[j + 1] - t.starts[j] != a.taps) a.taps = 0;
  for (int64_t i = 0, n = (int64_t)t.at.size(); i < n; ++i) {
    const int64_t k = a.taps ? i % t.outputs * a.taps + i / t.outputs : i;
    index.push_back(t.at[k]);
    weights.push_back(t.weights[k]);
  }
  if (!a.taps) index.insert(index.end(), t.starts.begin(), t.starts.end());
  return a;
}
template <class T>
Tensor on_device(const std::vector<T>& values, DType dtype, Device device) {
  Tensor t = Tensor::table({(int64_t)values.size()}, dtype);
  std::memcpy(t.data(), values.data(), values.size() * sizeof(T));
  return to(t, device);
}

// Axis `dim` by the last of `taps`; where there are two, the axis before it by the first.
Tensor resample(const Tensor& x, int dim, const std::vector<Taps>& taps) {
  const bool plane = taps.size() == 2;
  const bool last = is_channels_last(x) && (!plane || taps.back().inputs * x.shape()[1] <= kInterpolateWidest);
  Dims shape = x.shape();
  shape[dim] = taps.back().outputs;
  if (plane) shape[dim - 1] = taps[0].outputs;
  Interpolate a{};
  a.outer = a.inner = 1;
  for (int d = 0; d < x.dim(); ++d) {
    if (d == dim || (plane && d == dim - 1)) continue;
    (d < dim && !(last && d == 1) ? a.outer : a.inner) *= shape[d];
  }
  std::vector<int32_t> index;
  std::vector<double> weights;
  a.rows = laid_out(plane ? taps[0] : Taps{1, 1, {0, 1}, {0}, {1}}, index, weights);
  const size_t first_index = index.size(), first_weight = weights.size();
  a.cols = laid_out(taps.back(), index, weights);
  Tensor at = on_device(index, DType::Int32, x.device());
  Tensor w = to(on_device(weights, DType::Float64, x.device()), x.dtype());
  a.rows.at = at.ptr<int32_t>();
  a.cols.at = a.rows.at + first_index;
  if (!a.rows.taps) a.rows.starts = a.cols.at - a.rows.out - 1;
  if (!a.cols.taps) a.cols.starts = a.rows.at + index.size() - a.cols.out - 1;
  a.rows.weights = w.data();
  a.cols.weights = (const char*)w.data() + first_weight * w.itemsize();

  Tensor from = last ? channels_last(x.detach()) : contiguous(x.detach());
  Tensor y = last ? empty_channels_last(shape, x.dtype(), x.device()) : Tensor::empty(shape, x.dtype(), x.device());
  Workspace room(a.cols.out * sizeof(int32_t), x.device());
  a.y = y.data();
  a.x = from.data();
  a.workspace = (int32_t*)room.data();
  a.dtype = x.dtype();
  if (y.numel())
    launch("interpolate", x.device(), kernels<InterpolateKernels>(x.device()).apply, a, 8 * (double)y.numel());
  if (needs_grad(x))
    record("interpolate", {x}, {y}, [dim, taps](Backward& b) {
      std::vector<Taps> back;
      for (const Taps& t : taps) back.push_back(transposed(t));
      return b.grads(resample(b.dy(), dim, back));
    });
  return y;
}

// The last sizes.size() axes up to `dim`, one or two.
Tensor interpolate(const Tensor& x, int64_t dim, const Dims& sizes, const std::string& mode, bool align_corners,
                   const std::vector<double>& factors, bool antialias, bool integers) {
  const int axis = wrap_dim("interpolate", dim, x.dim()), first = axis + 1 - sizes.n;
  WEFT_CHECK(x.dtype() == DType::Float32 || x.dtype() == DType::Float64, Runtime,
             "[interpolate] expected float32 or float64, got ", name_of(x.dtype()));
  WEFT_CHECK(sizes.n >= 1 && sizes.n <= 2 && first >= 0 && factors.size() == (size_t)sizes.n, Runtime,
             "[interpolate] expected one or two axes and as many factors");
  std::vector<Taps> taps;
  for (int i = 0; i < sizes.n; ++i) {
    const int64_t n = x.shape()[first + i];
    WEFT_CHECK(n > 0 && sizes[i] > 0 && n < INT32_MAX && sizes[i] < INT32_MAX, Runtime,
               "[interpolate] expected sizes from 1 to 2^31 - 2, got ", n, " to ", sizes[i]);
    Taps t = taps_of(n, sizes[i], {mode, align_corners, antialias, factors[i]}, x.dtype());
    taps.push_back(integers ? in_fixed_point(t) : t);
  }
  int64_t widest = std::max(x.shape()[axis], sizes[sizes.n - 1]);  // of the gradient, too
  if (is_channels_last(x)) widest *= x.shape()[1];
  if (sizes.n == 1 || widest <= kInterpolateWidest) return resample(x, axis, taps);
  return resample(resample(x, axis, {taps[1]}), axis - 1, {taps[0]});
}

}  // namespace

void bind_interpolate(py::module_& m) {
  m.def("_interpolate", interpolate, py::arg("input"), py::arg("dim"), py::arg("size"), py::arg("mode"),
        py::arg("align_corners"), py::arg("factor"), py::arg("antialias"), py::arg("integers"),
        "Axis `dim`, or the two that end with it, resampled to `size`. mode: 'nearest', 'nearest-exact', 'linear', "
        "'cubic',\n'lanczos' or 'area'. factor: the given ratios of the sizes, 0 to use those of the sizes themselves. "
        "integers: the\ninput holds integers, and the result is to be rounded to them.");
}

}  // namespace weft
