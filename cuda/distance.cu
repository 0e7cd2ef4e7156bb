// Distances between rows. Forward: a warp for each pair of rows, its lanes along the rows. Backward: a thread for each
// element of dx1, which goes through the other side's rows; neighbours read neighbours.
#include "kernels/distance.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

enum class Norm { Count, Manhattan, Euclid, Greatest, Power };

template <class T>
WEFT_DEVICE T magnitude(T d) {
  return d < 0 ? -d : d;
}
template <class T>
WEFT_DEVICE T sign_of(T d) {
  return d > 0 ? (T)1 : d < 0 ? (T)-1 : d;
}
struct LargerOrNan {
  template <class T>
  WEFT_DEVICE T operator()(T a, T b) const {
    return b > a || b != b ? b : a;
  }
};

template <Norm norm, class T>
WEFT_DEVICE T added(T s, T d, T p) {
  if constexpr (norm == Norm::Count) return s + (d != 0 ? (T)1 : (T)0);
  if constexpr (norm == Norm::Manhattan) return s + magnitude(d);
  if constexpr (norm == Norm::Euclid) return s + d * d;
  if constexpr (norm == Norm::Greatest) return LargerOrNan{}(s, magnitude(d));
  return s + math::vpow(magnitude(d), p);
}

template <Norm norm, class T>
WEFT_DEVICE T finished(T s, T p) {
  if constexpr (norm == Norm::Euclid) return math::vsqrt(s);
  if constexpr (norm == Norm::Power) return math::vpow(s, 1 / p);
  return s;
}

template <Norm norm, class T>
WEFT_DEVICE T slope(T d, T distance, T p) {
  if constexpr (norm == Norm::Count) return 0;
  if constexpr (norm == Norm::Manhattan) return sign_of(d);
  if constexpr (norm == Norm::Euclid) return distance == 0 ? (T)0 : d / distance;
  if constexpr (norm == Norm::Greatest) return magnitude(d) == distance ? sign_of(d) : (T)0;
  return d == 0 ? (T)0 : sign_of(d) * math::vpow(magnitude(d) / distance, p - 1);
}

template <class T, Norm norm>
__global__ void __launch_bounds__(kThreads) distance_forward(Distance a) {
  const int64_t warps = (int64_t)gridDim.x * (kThreads / 32), pairs = a.batch * a.rows * a.cols;
  const int lane = threadIdx.x % 32;
  for (int64_t at = ((int64_t)blockIdx.x * kThreads + threadIdx.x) / 32; at < pairs; at += warps) {
    const int64_t row = at / a.cols;
    if (a.pairs && at % a.cols <= row) continue;
    const T* p = static_cast<const T*>(a.x1) + row * a.n;
    const T* q = static_cast<const T*>(a.x2) + (row / a.rows * a.cols + at % a.cols) * a.n;
    T s = 0;
    for (int64_t k = lane; k < a.n; k += 32) s = added<norm>(s, p[k] - q[k], (T)a.p);
    s = norm == Norm::Greatest ? warp_reduce(s, LargerOrNan{}) : warp_sum(s);
    if (lane == 0)
      static_cast<T*>(a.y)[a.pairs ? pairs_row(row, a.rows) + at % a.cols : at] = finished<norm>(s, (T)a.p);
  }
}

template <class T, Norm norm>
__global__ void __launch_bounds__(kThreads) distance_backward(DistanceGrad a) {
  const int64_t step = (int64_t)gridDim.x * kThreads, elements = a.batch * a.rows * a.n;
  for (int64_t at = (int64_t)blockIdx.x * kThreads + threadIdx.x; at < elements; at += step) {
    const int64_t row = at / a.n, batch = row / a.rows;
    const T* q = static_cast<const T*>(a.x2) + batch * a.cols * a.n + at % a.n;
    const int64_t first = batch * a.rows * a.cols + row % a.rows * a.row_step;
    const T *dy = static_cast<const T*>(a.dy) + first, *y = static_cast<const T*>(a.y) + first;
    const T x = static_cast<const T*>(a.x1)[at];
    T s = 0;
    for (int64_t j = 0; j < a.cols; ++j)
      s += dy[j * a.col_step] * slope<norm>(x - q[j * a.n], y[j * a.col_step], (T)a.p);
    static_cast<T*>(a.dx1)[at] = s;
  }
}

template <Norm norm>
struct Kind {
  static constexpr Norm value = norm;
};
template <class F>
void with_norm(double p, const F& f) {
  if (p == 0) return f(Kind<Norm::Count>{});
  if (p == 1) return f(Kind<Norm::Manhattan>{});
  if (p == 2) return f(Kind<Norm::Euclid>{});
  if (p == __builtin_inf()) return f(Kind<Norm::Greatest>{});
  f(Kind<Norm::Power>{});
}

void forward(const Distance& a) {
  const unsigned grid = grid_for(a.batch * a.rows * a.cols, kThreads / 32);
  with_norm(a.p, [&](auto kind) {
    constexpr Norm norm = decltype(kind)::value;
    if (a.dtype == DType::Float64)
      WEFT_LAUNCH((distance_forward<double, norm>), grid, kThreads, 0, a);
    else
      WEFT_LAUNCH((distance_forward<float, norm>), grid, kThreads, 0, a);
  });
}

void backward(const DistanceGrad& a) {
  const unsigned grid = grid_for(a.batch * a.rows * a.n, kThreads);
  with_norm(a.p, [&](auto kind) {
    constexpr Norm norm = decltype(kind)::value;
    if (a.dtype == DType::Float64)
      WEFT_LAUNCH((distance_backward<double, norm>), grid, kThreads, 0, a);
    else
      WEFT_LAUNCH((distance_backward<float, norm>), grid, kThreads, 0, a);
  });
}

}  // namespace

void fill(DistanceKernels& k) {
  k.forward = forward;
  k.backward = backward;
}

}  // namespace weft::cuda
