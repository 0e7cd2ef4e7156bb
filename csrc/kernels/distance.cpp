#include "kernels/distance.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece of work
constexpr int64_t kTile = 4096;    // elements of x2 turned around at a time, and how many features of it
constexpr int64_t kDeep = 64;
constexpr int64_t kBand = 128;  // rows of x1 that meet such a tile

template <class V>
WEFT_INLINE V sign_of(V d) {
  return d > 0 ? splat<V>(1) : d < 0 ? splat<V>(-1) : d;
}

// A norm: what a difference adds, how partial results join, the last step, and d norm / d difference.
template <class V>
struct Norm {
  using A = scalar_of<V>;
  static constexpr int vectors = 4;  // of results side by side
  static V join(V a, V b) { return a + b; }
  static V finish(V s) { return s; }
};
template <class V>
struct Count : Norm<V> {
  using A = scalar_of<V>;
  static V add(V s, V d) { return s + (d != 0 ? splat<V>(1) : V{}); }
  static V slope(V, A) { return V{}; }
};
template <class V>
struct Manhattan : Norm<V> {
  using A = scalar_of<V>;
  static V add(V s, V d) { return s + vabs(d); }
  static V slope(V d, A) { return sign_of(d); }
};
template <class V>
struct Euclid : Norm<V> {
  using A = scalar_of<V>;
  static V add(V s, V d) { return s + d * d; }
  static V finish(V s) { return vsqrt(s); }
  static V slope(V d, A distance) { return d * (distance == 0 ? 0 : 1 / distance); }
};
template <class V>
struct Greatest : Norm<V> {
  using A = scalar_of<V>;
  static V join(V a, V b) { return vmax(a, b); }
  static V add(V s, V d) { return vmax(s, vabs(d)); }
  static V slope(V d, A distance) { return vabs(d) == splat<V>(distance) ? sign_of(d) : V{}; }
};
template <class V>
struct Power : Norm<V> {
  using A = scalar_of<V>;
  static constexpr int vectors = 1;
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
  V finish(V s) const { return vpow(s, splat<V>(1 / p)); }
  V slope(V d, A distance) const { return d == 0 ? V{} : vcopysign(raised(vabs(d) / distance, 1), d); }
};

// Some columns of y, which are rows of x2, beside each other, and features begin to begin + deep of them.
struct Tile {
  int64_t first, count, padded;  // columns; in memory a multiple of what is computed at once
  int64_t begin, deep;
  bool last;  // features
};

// Those columns turned around, so that vectors lie along them.
template <class T>
void turn(T* tile, const T* x2, int64_t n, const Tile& t) {
  for (int64_t k = 0; k < t.deep; ++k)
    for (int64_t j = 0; j < t.padded; ++j)
      tile[k * t.padded + j] = j < t.count ? x2[(t.first + j) * n + t.begin + k] : 0;
}

// What the features in the tile add to the distances of p from columns low to high of it.
template <class T, class V, class N>
WEFT_INLINE void meet(T* y, int64_t step, const T* p, const T* tile, const Tile& t, int64_t low, int64_t high,
                      const N& norm) {
  constexpr int w = lanes<V>, vectors = N::vectors;
  T part[vectors * w];
  for (int64_t j = low / (vectors * w) * (vectors * w); j < high; j += vectors * w) {
    V s[vectors] = {};
    for (int64_t k = 0; k < t.deep; ++k)
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v)
        s[v] = norm.add(s[v], splat<V>(p[t.begin + k]) - load<V>(tile + k * t.padded + j + v * w));
    const bool whole = step == 1 && j >= low && j + vectors * w <= high;
    const int64_t from = j > low ? j : low, to = j + vectors * w < high ? j + vectors * w : high;
    T* sums = whole ? y + j : part;
    if (!whole && t.begin > 0)
      for (int64_t i = from; i < to; ++i) part[i - j] = y[i * step];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) {
      V sum = t.begin > 0 ? norm.join(load<V>(sums + v * w), s[v]) : s[v];
      store<V>(sums + v * w, t.last ? norm.finish(sum) : sum);
    }
    if (!whole)
      for (int64_t i = from; i < to; ++i) y[i * step] = part[i - j];
  }
}

template <class T, class V, class N>
void forward_in(const Distance& given, const N& norm) {
  constexpr int64_t width = N::vectors * lanes<V>;
  Distance a = given;
  int64_t row_step = a.cols, col_step = 1;
  if (!a.pairs && a.cols < width && a.cols < a.rows) {  // distances are the same from the other side
    a.x1 = given.x2, a.x2 = given.x1, a.rows = given.cols, a.cols = given.rows;
    row_step = 1, col_step = given.cols;
  }
  const int64_t deep = a.n < kDeep ? a.n : kDeep, fit = kTile / (deep ? deep : 1) / width * width;
  const int64_t wide = a.cols < fit ? (a.cols + width - 1) / width * width : fit;
  const int64_t tiles = (a.cols + wide - 1) / wide, bands = (a.rows + kBand - 1) / kBand;
  const int64_t rows = a.rows < kBand ? a.rows : kBand;
  parallel_ranges(a.batch * bands * tiles, 4 * kGrain / (rows * wide * (a.n + 4)) + 1, [=](int64_t begin, int64_t end) {
    alignas(WEFT_VEC_BYTES) T tile[kTile];
    for (int64_t u = begin; u < end; ++u) {
      const int64_t batch = u / (tiles * bands), top = u / tiles % bands * kBand, left = u % tiles * wide;
      const int64_t bottom = top + rows < a.rows ? top + rows : a.rows, first = a.pairs ? top + 1 : 0;
      Tile t{left, a.cols - left < wide ? a.cols - left : wide, 0, 0, 0, false};
      if (t.first + t.count <= first) continue;
      t.padded = (t.count + width - 1) / width * width;
      for (; !t.last; t.begin += t.deep) {
        t.deep = a.n - t.begin < deep ? a.n - t.begin : deep;
        t.last = t.begin + t.deep == a.n;
        turn(tile, (const T*)a.x2 + batch * a.cols * a.n, a.n, t);
        for (int64_t i = top; i < bottom; ++i) {
          const int64_t at = a.pairs ? pairs_row(i, a.rows) : batch * a.rows * a.cols + i * row_step;
          const int64_t low = a.pairs && i + 1 > left ? i + 1 - left : 0;
          meet<T, V>((T*)a.y + (at + left * col_step), col_step, (const T*)a.x1 + (batch * a.rows + i) * a.n, tile, t,
                     low, t.count, norm);
        }
      }
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
