// The arithmetic of reductions, without their shapes: bringing elements into accumulators, and folding those.
#pragma once

#include "kernels/reduce.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int kChains = 4;  // independent vectors of partial results of a row
constexpr int kShort = 8;   // vectors of a line that is folded beside others

WEFT_INLINE int64_t least_of(int64_t a, int64_t b) { return a < b ? a : b; }

// ---- elements: brought into a small buffer of accumulators unless they lie there as such already ----

template <class T>
WEFT_INLINE auto number(T x) {
  if constexpr (is_half(dtype_of<T>))
    return to_float(x);
  else
    return x;
}

template <class Acc, class T, bool Nonzero>
void stage(Acc* WEFT_RESTRICT to, const void* from, int64_t rows, int64_t row, int64_t columns, int64_t column) {
  for (int64_t i = 0; i < rows; ++i, to += columns) {
    const T* x = (const T*)from + i * row;
    int64_t j = 0;
    if constexpr (is_half(dtype_of<T>) && !Nonzero) {
      constexpr int w = lanes<f32v>;
      if (column == 1)
        for (; j + w <= columns; j += w) store<f32v>(to + j, load_f32(x + j));
    }
    for (; j < columns; ++j) to[j] = Nonzero ? (Acc)(number(x[j * column]) != 0) : (Acc)number(x[j * column]);
  }
}

template <class Acc>
using Stage = void (*)(Acc*, const void*, int64_t rows, int64_t row, int64_t columns, int64_t column);

template <class Acc>
Stage<Acc> stage_of(DType dtype) {
  if constexpr (dtype_of<Acc> == DType::Float32) {
    if (dtype == DType::Float16) return stage<float, float16, false>;
    if (dtype == DType::BFloat16) return stage<float, bfloat16, false>;
    return stage<float, float, false>;
  } else if constexpr (dtype_of<Acc> == DType::Float64) {
    return stage<double, double, false>;
  } else {
    switch (dtype) {
      case DType::Int8: return stage<int64_t, int8_t, false>;
      case DType::Int16: return stage<int64_t, int16_t, false>;
      case DType::Int32: return stage<int64_t, int32_t, false>;
      case DType::Int64: return stage<int64_t, int64_t, false>;
      default: return stage<int64_t, uint8_t, false>;
    }
  }
}
Stage<int64_t> stage_nonzero(DType dtype) {
  switch (dtype) {
    case DType::Int16: return stage<int64_t, int16_t, true>;
    case DType::Int32: return stage<int64_t, int32_t, true>;
    case DType::Int64: return stage<int64_t, int64_t, true>;
    case DType::Float16: return stage<int64_t, float16, true>;
    case DType::BFloat16: return stage<int64_t, bfloat16, true>;
    case DType::Float32: return stage<int64_t, float, true>;
    case DType::Float64: return stage<int64_t, double, true>;
    default: return stage<int64_t, uint8_t, true>;
  }
}

// ---- operations on vectors: where an accumulator starts, what an element contributes, how two combine ----

template <class A>
struct Sum {
  using Acc = A;
  using V = vec_of<A>;
  static constexpr A start = 0;
  static constexpr bool centered = false;
  WEFT_INLINE V of(V x, V) { return x; }
  template <class T>
  WEFT_INLINE T combine(T a, T b) {
    return a + b;
  }
};
template <class A>
struct AbsSum : Sum<A> {
  using typename Sum<A>::V;
  WEFT_INLINE V of(V x, V) { return vabs(x); }
};
template <class A>
struct SquareSum : Sum<A> {
  using typename Sum<A>::V;
  WEFT_INLINE V of(V x, V) { return x * x; }
};
template <class A>
struct CenteredSquareSum : Sum<A> {
  using typename Sum<A>::V;
  static constexpr bool centered = true;
  WEFT_INLINE V of(V x, V center) { return (x - center) * (x - center); }
};
template <class A>
struct Prod : Sum<A> {
  static constexpr A start = 1;
  template <class T>
  WEFT_INLINE T combine(T a, T b) {
    return a * b;
  }
};
template <class A>
struct Max : Sum<A> {
  static constexpr A start = is_floating(dtype_of<A>) ? -(A)__builtin_inf() : (A)((uint64_t)1 << 63);
  template <class T>
  WEFT_INLINE T combine(T a, T b) {
    return vmax(a, b);
  }
};
template <class A>
struct Min : Sum<A> {
  static constexpr A start = is_floating(dtype_of<A>) ? (A)__builtin_inf() : (A)(~((uint64_t)1 << 63));
  template <class T>
  WEFT_INLINE T combine(T a, T b) {
    return vmin(a, b);
  }
};
template <class A>
struct Any : Sum<A> {
  template <class T>
  WEFT_INLINE T combine(T a, T b) {
    return a | b;
  }
};
template <class A>
struct All : Sum<A> {
  static constexpr A start = 1;
  template <class T>
  WEFT_INLINE T combine(T a, T b) {
    return a & b;
  }
};

template <class Op, class Acc>
void combine_into(Acc* a, const Acc* b, int64_t n) {
  each_vector<vec_of<Acc>>(n,
                           [=](int64_t j, auto io) { io.store(a + j, Op::combine(io.load(a + j), io.load(b + j))); });
}

// acc[j] = combine over i of x[i * row + j]. Four rows at a time, so that acc is read and written less often.
template <class Op, class Acc>
void fold_rows(Acc* acc, const Acc* x, int64_t rows, int64_t row, int64_t columns, const Acc* center) {
  using V = vec_of<Acc>;
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4, x += 4 * row)
    each_vector<V>(columns, [=](int64_t j, auto io) {
      V c = Op::centered ? io.load(center + j) : V{};
#pragma GCC unroll 4
      for (int64_t k = 8; k < 12; ++k) __builtin_prefetch(x + k * row + j);
      V low = Op::combine(Op::of(io.load(x + j), c), Op::of(io.load(x + row + j), c));
      V high = Op::combine(Op::of(io.load(x + 2 * row + j), c), Op::of(io.load(x + 3 * row + j), c));
      io.store(acc + j, Op::combine(io.load(acc + j), Op::combine(low, high)));
    });
  for (; i < rows; ++i, x += row)
    each_vector<V>(columns, [=](int64_t j, auto io) {
      io.store(acc + j,
               Op::combine(io.load(acc + j), Op::of(io.load(x + j), Op::centered ? io.load(center + j) : V{})));
    });
}

// The last lanes of a line that are not a whole vector.
template <class Op, class Acc, class V>
WEFT_INLINE V fold_rest(V acc, const Acc* x, int64_t n, V center) {
  const auto inside = iota<mask_of<V>>() < (scalar_of<mask_of<V>>)n;
  return Op::combine(acc, inside ? Op::of(load_n<V>(x, n), center) : splat<V>(Op::start));
}

// n elements beside each other to one, in kChains vectors. What lies ahead is fetched: `more` elements follow that will
// be wanted next.
template <class Op, class Acc>
WEFT_INLINE Acc fold_long_line(const Acc* x, int64_t n, int64_t more, Acc center) {
  using V = vec_of<Acc>;
  constexpr int w = lanes<V>;
  V c = splat<V>(center), acc[kChains];
  int64_t i = 0;
#pragma GCC unroll 8
  for (int k = 0; k < kChains; ++k) acc[k] = splat<V>(Op::start);
  const int64_t fetched = least_of(n, n + more - kAhead / (int64_t)sizeof(Acc));
  for (; i + kChains * w <= fetched; i += kChains * w) {
#pragma GCC unroll 8
    for (int k = 0; k < kChains; k += 64 / (int)sizeof(V)) fetch_ahead(x + i + k * w);
#pragma GCC unroll 8
    for (int k = 0; k < kChains; ++k) acc[k] = Op::combine(acc[k], Op::of(load<V>(x + i + k * w), c));
  }
  for (; i + kChains * w <= n; i += kChains * w) {
#pragma GCC unroll 8
    for (int k = 0; k < kChains; ++k) acc[k] = Op::combine(acc[k], Op::of(load<V>(x + i + k * w), c));
  }
  for (; i + w <= n; i += w) acc[0] = Op::combine(acc[0], Op::of(load<V>(x + i), c));
  if (i < n) acc[1] = fold_rest<Op>(acc[1], x + i, n - i, c);
  V total = Op::combine(Op::combine(acc[0], acc[1]), Op::combine(acc[2], acc[3]));
  return fold<Acc, WEFT_VEC_BYTES>(total, [](auto p, auto q) { return Op::combine(p, q); });
}
// The same in one vector, which is left as it is.
template <class Op, class Acc>
WEFT_INLINE vec_of<Acc> fold_short_line(const Acc* x, int64_t n, Acc center) {
  using V = vec_of<Acc>;
  constexpr int w = lanes<V>;
  V c = splat<V>(center), acc = splat<V>(Op::start);
  int64_t i = 0;
  for (; i + w <= n; i += w) {
    fetch_ahead(x + i);
    acc = Op::combine(acc, Op::of(load<V>(x + i), c));
  }
  return i < n ? fold_rest<Op>(acc, x + i, n - i, c) : acc;
}
// Lines `row` elements apart, one result each; `more` follow the last one. Short lines as many at a time as a vector
// has lanes: across them they are folded together.
template <class Op, class Acc>
void fold_lines(Acc* acc, const Acc* x, int64_t lines, int64_t row, int64_t n, int64_t more, const Acc* center) {
  using V = vec_of<Acc>;
  constexpr int w = lanes<V>;
  const auto combine = [](auto p, auto q) { return Op::combine(p, q); };
  const auto center_of = [&](int64_t i) { return Op::centered ? center[i] : Acc{}; };
  int64_t i = 0;
  if (n > kShort * w) {
    for (; i < lines; ++i)
      acc[i] = fold_long_line<Op, Acc>(x + i * row, n, row == n ? (lines - 1 - i) * n + more : 0, center_of(i));
    return;
  }
  for (; is_floating(dtype_of<Acc>) && i + w <= lines; i += w) {
    V v[w];
#pragma GCC unroll 1
    for (int k = 0; k < w; ++k) v[k] = fold_short_line<Op, Acc>(x + (i + k) * row, n, center_of(i + k));
    store<V>(acc + i, fold_each(v, combine));
  }
  for (; i < lines; ++i)
    acc[i] = fold<Acc, WEFT_VEC_BYTES>(fold_short_line<Op, Acc>(x + i * row, n, center_of(i)), combine);
}

// All that the machinery below has to know of an operation, so that it is compiled once per accumulator.
template <class Acc>
struct Operation {
  Acc start;
  bool centered;
  void (*fold_rows)(Acc*, const Acc*, int64_t, int64_t, int64_t, const Acc*);
  void (*fold_lines)(Acc*, const Acc*, int64_t, int64_t, int64_t, int64_t, const Acc*);
  void (*combine)(Acc*, const Acc*, int64_t);
};
template <class Op, class Acc = typename Op::Acc>
constexpr Operation<Acc> operation{Op::start, Op::centered, fold_rows<Op, Acc>, fold_lines<Op, Acc>,
                                   combine_into<Op, Acc>};

}  // namespace

}  // namespace weft::WEFT_ISA
