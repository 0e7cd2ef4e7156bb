#include "kernels/distance.h"

#include <algorithm>
#include <cmath>

#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/gather.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/view.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

enum class Mode { Products, Direct };

// (|a|^2 + |b|^2 - 2 a b)^(1/2): one product, at the price of digits where the distance is small beside the lengths.
Tensor by_products(const Tensor& a, const Tensor& b) {
  Tensor y = product("cdist", a, false, b, true);
  Tensor squares = add(sum(mul(a, a), {-1}, true), transpose(sum(mul(b, b), {-1}, true), -2, -1));
  return sqrt(maximum(add(squares, y, -2), zero_like(y)));  // rounding may have gone below 0
}

Tensor directly(const Tensor& a, const Tensor& b, double p) {
  const int64_t rows = a.size(-2), cols = b.size(-2), n = a.size(-1);
  Dims shape = a.shape();
  shape[shape.n - 1] = cols;
  Tensor y = Tensor::empty(shape, a.dtype(), a.device());
  if (y.numel() > 0)
    launch("cdist", y.device(), kernels<DistanceKernels>(y.device()).forward,
           Distance{y.data(), a.data(), b.data(), y.numel() / (rows * cols), rows, cols, n, p, y.dtype(), false},
           (double)y.numel() * (double)(n + 1));
  return y;
}

// For p = 2, and of operations: dx1[i] = sum over j of (x1[i] - x2[j]) dy[i, j] / y[i, j].
Tensor euclidean_grad(const Tensor& dy, const Tensor& y, const Tensor& a, const Tensor& b) {
  Tensor same = eq(y, zero_like(y));
  Tensor ratio = masked_fill(div(dy, masked_fill(y, same, {{}, 1})), same, {{}, 0});
  return sub(mul(a, sum(ratio, {-1}, true)), times(ratio, false, b, false));
}

// For any p, and of operations on all differences [..., rows, cols, n].
Tensor composed_distance_grad(const Tensor& dy, const Tensor& y, const Tensor& a, const Tensor& b, double p) {
  if (p == 2) return euclidean_grad(dy, y, a, b);
  Tensor d = sub(unsqueeze(a, -2), unsqueeze(b, -3)), size = abs(d), length = unsqueeze(y, -1), slope = sign(d);
  Tensor zero = zero_like(d), none = eq(d, zero);
  if (p == 0) slope = mul(slope, 0.0);
  if (std::isinf(p)) slope = where(eq(size, length), slope, zero);
  if (p != 0 && p != 1 && !std::isinf(p)) {
    Tensor share = div(masked_fill(size, none, {{}, 1}), masked_fill(length, eq(length, zero), {{}, 1}));
    slope = masked_fill(mul(slope, pow(share, p - 1)), none, {{}, 0});
  }
  return sum(mul(slope, unsqueeze(dy, -1)), {-2});
}

Tensor grad_directly(const Tensor& dy, const Tensor& y, const Tensor& a, const Tensor& b, bool exchanged, double p) {
  const int64_t rows = a.size(-2), cols = b.size(-2), n = a.size(-1);
  Tensor g = contiguous(dy.detach()), d = Tensor::empty_like(a);
  if (a.numel() > 0)
    launch("cdist backward", a.device(), kernels<DistanceKernels>(a.device()).backward,
           DistanceGrad{d.data(), g.data(), y.data(), a.data(), b.data(), a.numel() / (rows * n), rows, cols, n,
                        exchanged ? 1 : cols, exchanged ? rows : 1, p, a.dtype()},
           (double)a.numel() * (double)(cols + 1));
  return d;
}

Tensor distances(const Tensor& x1, const Tensor& x2, double p, Mode mode) {
  Tensor a = contiguous(x1.detach()), b = contiguous(x2.detach());
  Tensor y = mode == Mode::Products ? by_products(a, b) : directly(a, b, p);
  if (needs_grad(x1, x2))
    record("cdist", {x1, x2}, {y}, [p, mode, y = Saved::output(y), x1 = Saved(x1), x2 = Saved(x2)](Backward& back) {
      Tensor a = x1.get(back), b = x2.get(back), distance = y.get(back), dy = back.dy();
      if (mode == Mode::Products || grad_enabled())
        return back.grads(back.needs(0) ? composed_distance_grad(dy, distance, a, b, p) : Tensor(),
                          back.needs(1)
                              ? composed_distance_grad(transpose(dy, -2, -1), transpose(distance, -2, -1), b, a, p)
                              : Tensor());
      a = contiguous(a), b = contiguous(b);
      return back.grads(back.needs(0) ? grad_directly(dy, distance, a, b, false, p) : Tensor(),
                        back.needs(1) ? grad_directly(dy, distance, b, a, true, p) : Tensor());
    });
  return y;
}

// The place of the distance of rows i and j among those of pairs; of i and i, whose difference is 0, any place.
Tensor places_of_pairs(int64_t rows, Device device) {
  Tensor places = Tensor::table({rows * rows}, DType::Int64);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < rows; ++j)
      places.ptr<int64_t>()[i * rows + j] = i == j ? 0 : pairs_row(std::min(i, j), rows) + std::max(i, j);
  return to(places, device);
}

Tensor pdist(const Tensor& x, double p) {
  WEFT_CHECK(x.dtype() == DType::Float32 || x.dtype() == DType::Float64, Runtime,
             "[pdist] expected float32 or float64, got ", name_of(x.dtype()));
  WEFT_CHECK(x.dim() == 2, Runtime, "[pdist] expected a matrix, got shape ", to_string(x.shape()));
  WEFT_CHECK(p >= 0, Runtime, "[pdist] expected p >= 0, got ", p);
  const int64_t rows = x.size(0), n = x.size(1), pairs = rows * (rows - 1) / 2;
  Tensor a = contiguous(x.detach()), y = Tensor::empty({pairs}, x.dtype(), x.device());
  if (pairs > 0)
    launch("pdist", y.device(), kernels<DistanceKernels>(y.device()).forward,
           Distance{y.data(), a.data(), a.data(), 1, rows, rows, n, p, y.dtype(), true},
           (double)pairs * (double)(n + 1));
  if (needs_grad(x))
    record("pdist", {x}, {y}, [=, y = Saved::output(y), x = Saved(x)](Backward& back) {
      Tensor a = x.get(back);
      if (pairs == 0) return back.grads(Tensor::zeros(a.shape(), a.dtype(), a.device()));
      Tensor places = places_of_pairs(rows, a.device());
      auto matrix = [&](const Tensor& t) { return reshape(gather(t, 0, places), {rows, rows}); };
      Tensor distance = matrix(y.get(back)), dy = matrix(back.dy());
      if (grad_enabled()) return back.grads(composed_distance_grad(dy, distance, a, a, p));
      return back.grads(grad_directly(dy, distance, contiguous(a), contiguous(a), false, p));
    });
  return y;
}

Mode mode_of(const std::string& compute_mode, double p, int64_t rows, int64_t cols) {
  if (compute_mode == "use_mm_for_euclid_dist") return p == 2 ? Mode::Products : Mode::Direct;
  if (compute_mode == "donot_use_mm_for_euclid_dist") return Mode::Direct;
  WEFT_CHECK(compute_mode == "use_mm_for_euclid_dist_if_necessary", Value, "[cdist] '", compute_mode,
             "' is not a compute_mode: use_mm_for_euclid_dist, use_mm_for_euclid_dist_if_necessary or "
             "donot_use_mm_for_euclid_dist");
  return p == 2 && (rows > 25 || cols > 25) ? Mode::Products : Mode::Direct;
}

Tensor cdist(const Tensor& x1, const Tensor& x2, double p, const std::string& compute_mode) {
  check_operands("cdist", x1, x2);
  WEFT_CHECK(x1.dtype() == DType::Float32 || x1.dtype() == DType::Float64, Runtime,
             "[cdist] expected float32 or float64, got ", name_of(x1.dtype()));
  WEFT_CHECK(x1.dim() >= 2 && x2.dim() >= 2, Runtime, "[cdist] expected at least 2 dimensions, got shapes ",
             to_string(x1.shape()), " and ", to_string(x2.shape()));
  WEFT_CHECK(x1.size(-1) == x2.size(-1), Runtime, "[cdist] expected rows of one length, got shapes ",
             to_string(x1.shape()), " and ", to_string(x2.shape()));
  WEFT_CHECK(p >= 0, Runtime, "[cdist] expected p >= 0, got ", p);
  Dims s1 = x1.shape(), s2 = x2.shape();
  s1.n -= 2, s2.n -= 2;
  Dims batch = broadcast_shapes("cdist", s1, s2);
  auto spread = [&](const Tensor& x) {
    Dims shape = batch;
    shape.push_back(x.size(-2));
    shape.push_back(x.size(-1));
    return shape == x.shape() ? x : expand(x, shape);
  };
  return distances(spread(x1), spread(x2), p, mode_of(compute_mode, p, x1.size(-2), x2.size(-2)));
}

}  // namespace

void bind_distance(py::module_& m) {
  m.def("pdist", autocasting<Autocast::Float32>(pdist), py::arg("input"), py::arg("p") = 2.0,
        "The distances in the p-norm between the rows of a matrix: 0 and 1, 0 and 2, ..., 1 and 2, ...:\n"
        "(n (n - 1) / 2,).");
  m.def("cdist", autocasting<Autocast::Float32>(cdist), py::arg("x1"), py::arg("x2"), py::arg("p") = 2.0,
        py::arg("compute_mode") = "use_mm_for_euclid_dist_if_necessary",
        "Distances in the p-norm between all rows of x1 [..., m, k] and of x2 [..., n, k]: [..., m, n].\n"
        "p = 2 is a matrix product where m or n is above 25, unless compute_mode says otherwise.");
}

}  // namespace weft
