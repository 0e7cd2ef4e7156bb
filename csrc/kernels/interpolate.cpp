#include "kernels/interpolate.h"

#include "base/threads.h"
#include "simd/lanes.h"

namespace weft::WEFT_ISA {
namespace {

// A line whose elements are neighbours. Taps > 0 is known to the compiler.
template <class T, int Taps>
void line(const Interpolate& a, T* y, const T* x) {
  const T* w = static_cast<const T*>(a.weights);
  for (int64_t j = 0; j < a.out; ++j) {
    int64_t k = Taps ? j * Taps : a.starts[j], end = Taps ? k + Taps : a.starts[j + 1];
    T sum = 0;
    for (; k < end; ++k) sum += w[k] * x[a.at[k]];
    y[j] = sum;
  }
}

template <class T>
void lines(const Interpolate& a) {
  parallel_ranges(a.outer, 16 * 1024 / (a.in + a.out) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      T* y = static_cast<T*>(a.y) + o * a.out;
      const T* x = static_cast<const T*>(a.x) + o * a.in;
      switch (a.taps) {
        case 1: line<T, 1>(a, y, x); break;
        case 2: line<T, 2>(a, y, x); break;
        case 4: line<T, 4>(a, y, x); break;
        default: line<T, 0>(a, y, x);
      }
    }
  });
}

// Whole rows of `inner` neighbours have the same taps.
template <class T>
void rows(const Interpolate& a) {
  using V = typename Lanes<T>::V;
  const T* w = static_cast<const T*>(a.weights);
  parallel_ranges(a.outer * a.out, 16 * 1024 / a.inner + 1, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      int64_t o = r / a.out, j = r % a.out;
      T* y = static_cast<T*>(a.y) + r * a.inner;
      const T* x = static_cast<const T*>(a.x) + o * a.in * a.inner;
      int64_t first = a.starts[j], last = a.starts[j + 1];
      over_vectors<T>(0, a.inner, [&](auto get, auto put) {
        V sum{};
        for (int64_t k = first; k < last; ++k) sum += get(x + a.at[k] * a.inner) * w[k];
        put(y, sum);
      });
    }
  });
}

void apply(const Interpolate& a) {
  if (a.dtype == DType::Float64)
    a.inner == 1 ? lines<double>(a) : rows<double>(a);
  else
    a.inner == 1 ? lines<float>(a) : rows<float>(a);
}

}  // namespace

void fill(InterpolateKernels& k) { k.apply = apply; }

}  // namespace weft::WEFT_ISA
