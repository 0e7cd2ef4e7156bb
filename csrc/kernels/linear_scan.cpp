#include "kernels/linear_scan.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {
namespace {

// Steps are counted in the direction of the scan.
struct Steps {
  int64_t from, to;
};

WEFT_INLINE int64_t time_of(const LinearScan& a, int64_t step) { return a.reverse ? a.n - 1 - step : step; }
WEFT_INLINE int64_t factor_time(const LinearScan& a, int64_t step) { return time_of(a, a.delayed ? step - 1 : step); }

// kVectors vectors of neighbouring columns of one sequence: from `state`, into y or (products given) only to the last
// state and the product of the factors.
template <class T, int kVectors, class Io>
WEFT_INLINE void scan_columns(const LinearScan& a, int64_t o, int64_t column, Io io, Steps steps, compute_of<T>* state,
                              compute_of<T>* products) {
  using V = row_vec<T>;
  constexpr int w = lanes<V>;
  int64_t base = o * a.n * a.inner + column;
  const T *factors = static_cast<const T*>(a.a) + base, *b = static_cast<const T*>(a.b) + base;
  T* y = static_cast<T*>(a.y) + base;
  V h[kVectors], product[kVectors];
  for (int v = 0; v < kVectors; ++v) {
    h[v] = io.load(state + column + v * w);
    product[v] = splat<V>(1);
  }
  for (int64_t step = steps.from; step < steps.to; ++step) {
    int64_t at = time_of(a, step) * a.inner, factor_at = factor_time(a, step) * a.inner;
    for (int v = 0; v < kVectors; ++v) {
      V factor = a.delayed && step == 0 ? V{} : io.load(factors + factor_at + v * w);
      h[v] = factor * h[v] + io.load(b + at + v * w);
      if (products)
        product[v] *= factor;
      else
        io.store(y + at + v * w, h[v]);
    }
  }
  for (int v = 0; products && v < kVectors; ++v) {
    io.store(state + column + v * w, h[v]);
    io.store(products + column + v * w, product[v]);
  }
}

// kSequences of one column each, interleaved: a recurrence alone would wait for its own multiplications.
template <class T, int kSequences>
WEFT_INLINE void scan_sequences(const LinearScan& a, int64_t first, Steps steps, compute_of<T>* state,
                                compute_of<T>* products) {
  using C = compute_of<T>;
  const T *factors = static_cast<const T*>(a.a) + first * a.n, *b = static_cast<const T*>(a.b) + first * a.n;
  T* y = static_cast<T*>(a.y) + first * a.n;
  C h[kSequences], product[kSequences];
  for (int s = 0; s < kSequences; ++s) {
    h[s] = state[first + s];
    product[s] = 1;
  }
  for (int64_t step = steps.from; step < steps.to; ++step) {
    int64_t at = time_of(a, step), factor_at = factor_time(a, step);
    for (int s = 0; s < kSequences; ++s) {
      C factor = a.delayed && step == 0 ? 0 : to_compute(factors[s * a.n + factor_at]);
      h[s] = factor * h[s] + to_compute(b[s * a.n + at]);
      if (products)
        product[s] *= factor;
      else
        from_compute(y + s * a.n + at, h[s]);
    }
  }
  for (int s = 0; products && s < kSequences; ++s) {
    state[first + s] = h[s];
    products[first + s] = product[s];
  }
}

constexpr int kSide = 8;  // sequences side by side

template <class T>
constexpr int64_t tile_width() {
  return 4 * lanes<row_vec<T>>;
}
template <class T>
WEFT_INLINE int64_t tiles_of(const LinearScan& a) {
  if (a.inner == 1) return (a.outer + kSide - 1) / kSide;
  return a.outer * ((a.inner + tile_width<T>() - 1) / tile_width<T>());
}

// The lanes [first, first + count) of outer * inner that a tile has.
struct LaneRange {
  int64_t first, count;
};
template <class T>
WEFT_INLINE LaneRange lanes_of(const LinearScan& a, int64_t tile) {
  if (a.inner == 1) {
    int64_t first = tile * kSide;
    return {first, a.outer - first < kSide ? a.outer - first : kSide};
  }
  int64_t width = tile_width<T>(), across = (a.inner + width - 1) / width, column = tile % across * width;
  return {tile / across * a.inner + column, a.inner - column < width ? a.inner - column : width};
}

// state and products have outer * inner places.
template <class T>
WEFT_INLINE void scan_tile(const LinearScan& a, LaneRange r, Steps steps, compute_of<T>* state,
                           compute_of<T>* products) {
  constexpr int w = lanes<row_vec<T>>;
  if (a.inner == 1) {
    if (r.count == kSide) return scan_sequences<T, kSide>(a, r.first, steps, state, products);
    for (int64_t s = 0; s < r.count; ++s) scan_sequences<T, 1>(a, r.first + s, steps, state, products);
    return;
  }
  int64_t o = r.first / a.inner, j = r.first % a.inner, end = j + r.count;
  state += o * a.inner;
  if (products) products += o * a.inner;
  if (r.count == 4 * w) return scan_columns<T, 4>(a, o, j, AllLanes{}, steps, state, products);
  for (; j + w <= end; j += w) scan_columns<T, 1>(a, o, j, AllLanes{}, steps, state, products);
  if (j < end) scan_columns<T, 1>(a, o, j, FirstLanes{end - j}, steps, state, products);
}

template <class T>
WEFT_INLINE compute_of<T> initial_of(const LinearScan& a, int64_t lane) {
  return a.initial ? to_compute(static_cast<const T*>(a.initial)[lane]) : compute_of<T>(0);
}

template <class T>
void scan_typed(const LinearScan& a) {
  using C = compute_of<T>;
  int64_t tiles = tiles_of<T>(a), chunks = linear_scan_chunks(a.outer, a.n, a.inner), all = a.outer * a.inner;
  int64_t length = (a.n + chunks - 1) / chunks;
  auto steps_of = [&](int64_t chunk) {
    int64_t from = chunk * length;
    return Steps{from < a.n ? from : a.n, from + length < a.n ? from + length : a.n};
  };
  C *states = static_cast<C*>(a.workspace), *products = states + chunks * all;
  parallel_ranges(tiles * (chunks - 1), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t chunk = i / tiles;
      LaneRange r = lanes_of<T>(a, i % tiles);
      for (int64_t k = 0; k < r.count; ++k) states[chunk * all + r.first + k] = 0;
      scan_tile<T>(a, r, steps_of(chunk), states + chunk * all, products + chunk * all);
    }
  });
  int64_t work = length * (a.inner == 1 ? kSide : a.inner < 64 ? a.inner : 64);
  parallel_ranges(tiles * chunks, 16 * 1024 / (work + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t chunk = i / tiles;
      LaneRange r = lanes_of<T>(a, i % tiles);
      C start[4 * WEFT_VEC_BYTES / sizeof(C) > kSide ? 4 * WEFT_VEC_BYTES / sizeof(C) : kSide];
      for (int64_t k = 0; k < r.count; ++k) {
        int64_t lane = r.first + k;
        start[k] = initial_of<T>(a, lane);
        for (int64_t before = 0; before < chunk; ++before)
          start[k] = products[before * all + lane] * start[k] + states[before * all + lane];
      }
      scan_tile<T>(a, r, steps_of(chunk), start - r.first, nullptr);
    }
  });
}

void scan(const LinearScan& a) {
  switch (a.dtype) {
    case DType::Float16: return scan_typed<float16>(a);
    case DType::BFloat16: return scan_typed<bfloat16>(a);
    case DType::Float64: return scan_typed<double>(a);
    default: return scan_typed<float>(a);
  }
}

}  // namespace

void fill(LinearScanKernels& k) { k.scan = scan; }

}  // namespace weft::WEFT_ISA
