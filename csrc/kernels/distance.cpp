#include "kernels/distance.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece of work

template <class V>
WEFT_INLINE V sign_of(V d) {
  return d > 0 ? splat<V>(1) : d < 0 ? splat<V>(-1) : d;
}
WEFT_INLINE float root_of(float s) { return __builtin_sqrtf(s); }
WEFT_INLINE double root_of(double s) { return __builtin_sqrt(s); }
WEFT_INLINE float power_of(float s, float p) { return __builtin_powf(s, p); }
WEFT_INLINE double power_of(double s, double p) { return __builtin_pow(s, p); }

// A norm: what a difference adds, how partial results join, the last step, and d norm / d difference.
template <class V>
struct Norm {
  using A = scalar_of<V>;
  static V join(V a, V b) { return a + b; }
  static A across(V s) { return hsum(s); }
};
template <class V>
struct Count : Norm<V> {
  using A = scalar_of<V>;
  static V add(V s, V d) { return s + (d != 0 ? splat<V>(1) : V{}); }
  static A finish(A s) { return s; }
  static V slope(V, A) { return V{}; }
};
template <class V>
struct Manhattan : Norm<V> {
  using A = scalar_of<V>;
  static V add(V s, V d) { return s + vabs(d); }
  static A finish(A s) { return s; }
  static V slope(V d, A) { return sign_of(d); }
};
template <class V>
struct Euclid : Norm<V> {
  using A = scalar_of<V>;
  static V add(V s, V d) { return s + d * d; }
  static A finish(A s) { return root_of(s); }
  static V slope(V d, A distance) { return d * (distance == 0 ? 0 : 1 / distance); }
};
template <class V>
struct Greatest : Norm<V> {
  using A = scalar_of<V>;
  static V join(V a, V b) { return vmax(a, b); }
  static A across(V s) { return hmax(s); }
  static V add(V s, V d) { return vmax(s, vabs(d)); }
  static A finish(A s) { return s; }
  static V slope(V d, A distance) { return vabs(d) == splat<V>(distance) ? sign_of(d) : V{}; }
};
template <class V>
struct Power : Norm<V> {
  using A = scalar_of<V>;
  A p;
  int whole;  // p, if it is a small whole number
  explicit Power(double p) : p((A)p), whole(p <= 16 && p == (int)p ? (int)p : 0) {}
  V raised(V x, int less) const {  // x^(p - less)
    if (!whole) return vpow(x, splat<V>(p - (A)less));
    V y = splat<V>(1);
    for (int bits = whole - less; bits > 0; bits >>= 1, x *= x)
      if (bits & 1) y *= x;
    return y;
  }
  V add(V s, V d) const { return s + raised(vabs(d), 0); }
  A finish(A s) const { return power_of(s, 1 / p); }
  V slope(V d, A distance) const { return d == 0 ? V{} : vcopysign(raised(vabs(d) / distance, 1), d); }
};

template <class T, class V, class N>
WEFT_INLINE T distance(const T* p, const T* q, int64_t n, const N& norm) {
  return norm.finish(N::across(fold_over<V>(
      n, V{}, [](V u, V v) { return N::join(u, v); },
      [=](V& sum, int64_t k, auto io) { sum = norm.add(sum, io.load(p + k) - io.load(q + k)); })));
}

template <class T, class V, class N>
void forward_in(const Distance& a, const N& norm) {
  const T *x1 = (const T*)a.x1, *x2 = (const T*)a.x2;
  const int64_t n = a.n;
  if (a.pairs) {
    parallel_ranges(a.rows, kGrain / (a.rows * (n + 16)) + 1, [=, &a](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t j = i + 1; j < a.rows; ++j)
          ((T*)a.y)[pairs_row(i, a.rows) + j] = distance<T, V>(x1 + i * n, x1 + j * n, n, norm);
    });
    return;
  }
  parallel_ranges(a.batch * a.rows * a.cols, kGrain / (n + 1) + 1, [=, &a](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const int64_t row = at / a.cols;
      ((T*)a.y)[at] = distance<T, V>(x1 + row * n, x2 + (row / a.rows * a.cols + at % a.cols) * n, n, norm);
    }
  });
}

template <class T, class V, class N>
void backward_in(const DistanceGrad& a, const N& norm) {
  const int64_t n = a.n;
  parallel_ranges(a.batch * a.rows, kGrain / (n * a.cols + 1) + 1, [=, &a](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      T* dx = (T*)a.dx1 + row * n;
      const T* p = (const T*)a.x1 + row * n;
      const T* q = (const T*)a.x2 + row / a.rows * a.cols * n;
      const int64_t first = row / a.rows * a.rows * a.cols + row % a.rows * a.row_step;
      __builtin_memset(dx, 0, sizeof(T) * (size_t)n);
      for (int64_t j = 0; j < a.cols; ++j, q += n) {
        const T dy = ((const T*)a.dy)[first + j * a.col_step], y = ((const T*)a.y)[first + j * a.col_step];
        each_vector<V>(n, [=](int64_t k, auto io) {
          io.store(dx + k, io.load(dx + k) + dy * norm.slope(io.load(p + k) - io.load(q + k), y));
        });
      }
    }
  });
}

template <class T, class Args, class Run>
void with_norm(const Args& a, const Run& run) {
  using V = row_vec<T>;
  if (a.p == 0) return run(Count<V>{});
  if (a.p == 1) return run(Manhattan<V>{});
  if (a.p == 2) return run(Euclid<V>{});
  if (a.p == __builtin_inf()) return run(Greatest<V>{});
  run(Power<V>(a.p));
}

void forward(const Distance& a) {
  if (a.dtype == DType::Float32)
    with_norm<float>(a, [&](auto norm) { forward_in<float, f32v>(a, norm); });
  else
    with_norm<double>(a, [&](auto norm) { forward_in<double, f64v>(a, norm); });
}

void backward(const DistanceGrad& a) {
  if (a.dtype == DType::Float32)
    with_norm<float>(a, [&](auto norm) { backward_in<float, f32v>(a, norm); });
  else
    with_norm<double>(a, [&](auto norm) { backward_in<double, f64v>(a, norm); });
}

}  // namespace

void fill(DistanceKernels& k) {
  k.forward = forward;
  k.backward = backward;
}

}  // namespace weft::WEFT_ISA
