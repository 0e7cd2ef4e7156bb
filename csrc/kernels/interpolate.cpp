#include "kernels/interpolate.h"

#include "base/threads.h"
#include "simd/lanes.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // elements of a piece of work

// ---- elements of a line are neighbours ----

// Outputs [from, to) of a line. Taps > 0 is known to the compiler.
template <class T, int Taps>
void line_part(const InterpolateAxis& c, T* y, const T* x, int64_t from, int64_t to) {
  const T* w = static_cast<const T*>(c.weights);
  for (int64_t j = from; j < to; ++j) {
    T sum = 0;
    for (int64_t k = 0, n = Taps ? Taps : c.count(j); k < n; ++k) {
      const int64_t t = Taps ? k * c.out + j : c.tap(j, k);
      if (c.at[t] >= 0) sum += w[t] * x[c.at[t]];
    }
    y[j] = sum;
  }
}

#if WEFT_AVX512 || WEFT_AVX2
constexpr int kLanes = lanes<f32v>;

// Lane i is element at[i] - base of a and b, one behind the other, or 0 where at[i] is -1.
WEFT_INLINE f32v pick(f32v a, f32v b, i32v from, int32_t base) {
  const i32v at = from - base;
#if WEFT_AVX512
  return (f32v)_mm512_maskz_permutex2var_ps(~_mm512_movepi32_mask((__m512i)from), (__m512)a, (__m512i)at, (__m512)b);
#else
  const __m256 low = _mm256_permutevar8x32_ps((__m256)a, (__m256i)at);
  const __m256 high = _mm256_permutevar8x32_ps((__m256)b, (__m256i)at);
  return (f32v)_mm256_andnot_ps((__m256)(from < 0), _mm256_blendv_ps(low, high, (__m256)(at << 28)));
#endif
}

// For each vector of outputs the first input that it reads; -1 where two vectors do not hold them all.
void find_bases(const Interpolate& a) {
  const InterpolateAxis& c = a.cols;
  for (int64_t j = 0; j < c.out; j += kLanes) {
    const int64_t end = j + kLanes < c.out ? j + kLanes : c.out;
    int32_t low = INT32_MAX, high = 0;
    for (int64_t k = 0; k < c.taps; ++k)
      for (int64_t i = j; i < end; ++i) {
        const int32_t at = c.at[k * c.out + i];
        low = at >= 0 && at < low ? at : low;
        high = at > high ? at : high;
      }
    low = low < high ? low : high;
    a.workspace[j / kLanes] = high - low < 2 * kLanes ? low : -1;
  }
}

template <int Taps>
void line_of(const Interpolate& a, float* y, const float* x) {
  const InterpolateAxis& c = a.cols;
  const float* w = static_cast<const float*>(c.weights);
  const int64_t taps = Taps ? Taps : c.taps;
  for (int64_t j = 0; j < c.out; j += kLanes) {
    const int64_t n = c.out - j < kLanes ? c.out - j : kLanes;
    const int32_t base = a.workspace[j / kLanes];
    if (base < 0) {
      line_part<float, Taps>(c, y, x, j, j + n);
      continue;
    }
    const int64_t left = c.in - base;
    const f32v low = left < kLanes ? load_n<f32v>(x + base, left) : load<f32v>(x + base);
    f32v high{}, sum{};
    if (left >= 2 * kLanes)
      high = load<f32v>(x + base + kLanes);
    else if (left > kLanes)
      high = load_n<f32v>(x + base + kLanes, left - kLanes);
    if (n == kLanes) {
      for (int64_t k = 0; k < taps; ++k) {
        const int64_t t = k * c.out + j;
        sum += load<f32v>(w + t) * pick(low, high, load<i32v>(c.at + t), base);
      }
      store<f32v>(y + j, sum);
    } else {
      for (int64_t k = 0; k < taps; ++k) {
        const int64_t t = k * c.out + j;
        sum += load_n<f32v>(w + t, n) * pick(low, high, load_n<i32v>(c.at + t, n), base);
      }
      store_n<f32v>(y + j, sum, n);
    }
  }
}
#else
void find_bases(const Interpolate&) {}
template <int Taps>
void line_of(const Interpolate& a, float* y, const float* x) {
  line_part<float, Taps>(a.cols, y, x, 0, a.cols.out);
}
#endif

template <int Taps>
void line_of(const Interpolate& a, double* y, const double* x) {
  line_part<double, Taps>(a.cols, y, x, 0, a.cols.out);
}

template <class T>
void line(const Interpolate& a, T* y, const T* x) {
  switch (a.cols.taps) {
    case 0: return line_part<T, 0>(a.cols, y, x, 0, a.cols.out);
    case 1: return line_of<1>(a, y, x);
    case 2: return line_of<2>(a, y, x);
    case 4: return line_of<4>(a, y, x);
    default: return line_of<0>(a, y, x);
  }
}

// The rows that output row p reads, combined into one: the row itself where it is one alone, null where there is none.
template <class T>
const T* row_of(const Interpolate& a, int64_t p, const T* x, T* room) {
  const InterpolateAxis& r = a.rows;
  const T* w = static_cast<const T*>(r.weights);
  const int64_t taps = r.count(p), width = a.cols.in * a.inner;
  if (taps == 0 || (taps == 1 && r.at[r.tap(p, 0)] < 0)) return nullptr;
  if (taps == 1 && w[r.tap(p, 0)] == 1) return x + r.at[r.tap(p, 0)] * width;
  over_vectors<T>(0, width, [&](auto get, auto put) __attribute__((always_inline)) {
    typename Lanes<T>::V sum{};
    for (int64_t k = 0; k < taps; ++k)
      if (const int64_t at = r.at[r.tap(p, k)]; at >= 0) sum += get(x + at * width) * w[r.tap(p, k)];
    put(room, sum);
  });
  return room;
}

// ---- `inner` neighbours have the same taps ----

template <class T, int Taps>
void pixels_of(const Interpolate& a, T* y, const T* x) {
  const InterpolateAxis& c = a.cols;
  const T* w = static_cast<const T*>(c.weights);
  const int64_t inner = a.inner;
  for (int64_t j = 0; j < c.out; ++j, y += inner) {
    const int64_t taps = Taps ? Taps : c.count(j);
    over_vectors<T>(0, inner, [=, &c](auto get, auto put) __attribute__((always_inline)) {
      typename Lanes<T>::V sum{};
      for (int64_t k = 0; k < taps; ++k) {
        const int64_t t = Taps ? k * c.out + j : c.tap(j, k);
        if (c.at[t] >= 0) sum += get(x + c.at[t] * inner) * w[t];
      }
      put(y, sum);
    });
  }
}
template <class T>
void pixels(const Interpolate& a, T* y, const T* x) {
  switch (a.cols.taps) {
    case 1: return pixels_of<T, 1>(a, y, x);
    case 2: return pixels_of<T, 2>(a, y, x);
    case 4: return pixels_of<T, 4>(a, y, x);
    default: return pixels_of<T, 0>(a, y, x);
  }
}

template <class T>
void resample(const Interpolate& a) {
  const int64_t in = a.cols.in * a.inner, out = a.cols.out * a.inner;
  if (a.inner == 1 && a.cols.taps) find_bases(a);
  parallel_ranges(a.outer * a.rows.out, kGrain / (in + out) + 1, [&](int64_t begin, int64_t end) {
    T room[kInterpolateWidest];
    for (int64_t r = begin; r < end; ++r) {
      const T* plane = static_cast<const T*>(a.x) + r / a.rows.out * a.rows.in * in;
      const T* x = row_of(a, r % a.rows.out, plane, room);
      T* y = static_cast<T*>(a.y) + r * out;
      if (!x)
        __builtin_memset(y, 0, sizeof(T) * (size_t)out);
      else
        a.inner == 1 ? line(a, y, x) : pixels(a, y, x);
    }
  });
}

void apply(const Interpolate& a) { a.dtype == DType::Float64 ? resample<double>(a) : resample<float>(a); }

}  // namespace

void fill(InterpolateKernels& k) { k.apply = apply; }

}  // namespace weft::WEFT_ISA
