// Walking a row of floating or int64 elements, one vector at a time; half precision becomes float.
//
//   each_vector<V>(n, [=](int64_t j, auto io) { io.store(y + j, vexp(io.load(x + j))); });
//   V total = sum_over<V>(n, [=](V& sum, int64_t j, auto io) { sum += io.keep(vexp(io.load(x + j))); });
//
// io stands for all lanes of a vector or, at the end of the row, for the first few: load() gives 0 beyond them, store()
// leaves memory beyond them alone, keep(v) is v with 0 (or what is given) beyond them.
#pragma once

#include "simd/math.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {

// What elements are computed in.
template <class T>
struct ComputeOf {
  using type = float;
};
template <>
struct ComputeOf<double> {
  using type = double;
};
template <>
struct ComputeOf<int64_t> {
  using type = int64_t;
};
template <class T>
using compute_of = typename ComputeOf<T>::type;
template <class T>
using row_vec = vec_of<compute_of<T>>;

WEFT_INLINE float to_compute(float x) { return x; }
WEFT_INLINE float to_compute(float16 x) { return to_float(x); }
WEFT_INLINE float to_compute(bfloat16 x) { return to_float(x); }
WEFT_INLINE double to_compute(double x) { return x; }
WEFT_INLINE int64_t to_compute(int64_t x) { return x; }
WEFT_INLINE void from_compute(double* p, double x) { *p = x; }
template <class T>
WEFT_INLINE void from_compute(T* p, float x) {
  from_float(p, x);
}

struct AllLanes {
  WEFT_INLINE f64v load(const double* p) { return weft::WEFT_ISA::load<f64v>(p); }
  WEFT_INLINE i64v load(const int64_t* p) { return weft::WEFT_ISA::load<i64v>(p); }
  WEFT_INLINE void store(double* p, f64v v) { weft::WEFT_ISA::store<f64v>(p, v); }
  WEFT_INLINE void store(int64_t* p, i64v v) { weft::WEFT_ISA::store<i64v>(p, v); }
  template <class T>
  WEFT_INLINE f32v load(const T* p) {
    return load_f32(p);
  }
  template <class T>
  WEFT_INLINE void store(T* p, f32v v) {
    store_f32(p, v);
  }
  template <class V>
  WEFT_INLINE V keep(V v, scalar_of<V> = 0) {
    return v;
  }
};

struct FirstLanes {
  int64_t n;
  __attribute__((always_inline)) f64v load(const double* p) const { return load_n<f64v>(p, n); }
  __attribute__((always_inline)) i64v load(const int64_t* p) const { return load_n<i64v>(p, n); }
  __attribute__((always_inline)) void store(double* p, f64v v) const { store_n<f64v>(p, v, n); }
  __attribute__((always_inline)) void store(int64_t* p, i64v v) const { store_n<i64v>(p, v, n); }
  template <class T>
  __attribute__((always_inline)) f32v load(const T* p) const {
    return load_f32_n(p, n);
  }
  template <class T>
  __attribute__((always_inline)) void store(T* p, f32v v) const {
    store_f32_n(p, v, n);
  }
  template <class V>
  __attribute__((always_inline)) V keep(V v, scalar_of<V> other = 0) const {
    using Mask = mask_of<V>;
    return iota<Mask>() < (scalar_of<Mask>)n ? v : splat<V>(other);
  }
};

// Rows that follow each other: what is wanted some thousand bytes later is asked for now, as the processor's own guess
// ends with a page.
constexpr int64_t kAhead = 8192;
WEFT_INLINE void fetch_ahead(const void* p) { __builtin_prefetch((const char*)p + kAhead); }
WEFT_INLINE void fetch_to_write(void* p) { __builtin_prefetch((char*)p + kAhead, 1); }

template <class V, class Body>
WEFT_INLINE void each_vector(int64_t n, const Body& body) {
  int64_t j = 0;
  for (; j + lanes<V> <= n; j += lanes<V>) body(j, AllLanes{});
  if (j < n) body(j, FirstLanes{n - j});
}

// Two sums taken in one pass.
template <class V>
struct Sums {
  V a, b;
};
template <class V>
WEFT_INLINE Sums<V> operator+(Sums<V> x, Sums<V> y) {
  return {x.a + y.a, x.b + y.b};
}

// Four independent chains, combined every few thousand elements: short dependencies and a short rounding path.
template <class V, class S, class Combine, class Body>
WEFT_INLINE S fold_over(int64_t n, S start, const Combine& combine, const Body& body) {
  constexpr int w = lanes<V>;
  constexpr int64_t block = 256 * w;
  S total = start;
  for (int64_t begin = 0; begin < n; begin += block) {
    int64_t j = begin, end = begin + block < n ? begin + block : n;
    S s0 = start, s1 = start, s2 = start, s3 = start;
    for (; j + 4 * w <= end; j += 4 * w) {
      body(s0, j, AllLanes{});
      body(s1, j + w, AllLanes{});
      body(s2, j + 2 * w, AllLanes{});
      body(s3, j + 3 * w, AllLanes{});
    }
    for (; j + w <= end; j += w) body(s0, j, AllLanes{});
    if (j < end) body(s1, j, FirstLanes{end - j});
    total = combine(total, combine(combine(s0, s1), combine(s2, s3)));
  }
  return total;
}
template <class V, class S = V, class Body>
WEFT_INLINE S sum_over(int64_t n, const Body& body) {
  return fold_over<V>(n, S{}, [](S p, S q) { return p + q; }, body);
}
template <class T>
WEFT_INLINE compute_of<T> max_over(const T* x, int64_t n) {
  using V = row_vec<T>;
  constexpr compute_of<T> lowest = -(compute_of<T>)__builtin_inf();
  return hmax(fold_over<V>(
      n, splat<V>(lowest), [](V p, V q) { return vmax(p, q); },
      [=](V& m, int64_t j, auto io) { m = vmax(m, io.keep(io.load(x + j), lowest)); }));
}

// The largest number of a row, and -inf if all are NaN: what softmax subtracts. A NaN then shows in the exponentials.
template <class T>
WEFT_INLINE compute_of<T> largest_number(const T* x, int64_t n) {
  using V = row_vec<T>;
  constexpr compute_of<T> lowest = -(compute_of<T>)__builtin_inf();
  return hmax(fold_over<V>(
      n, splat<V>(lowest), [](V p, V q) { return max_of_numbers(p, q); },
      [=](V& m, int64_t j, auto io) { m = max_of_numbers(io.keep(io.load(x + j), lowest), m); }));
}

}  // namespace weft::WEFT_ISA
