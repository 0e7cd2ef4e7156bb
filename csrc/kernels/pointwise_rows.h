// One functor over one contiguous row, and the driver that makes contiguous rows out of strided operands of any dtype.
#pragma once

#define WEFT_FUNCTORS weft::WEFT_ISA

#include "kernels/pointwise.h"
#include "simd/math.h"

namespace weft::WEFT_ISA {

// What kernels/pointwise_functors.h asks for, beyond simd/math.h.

template <class V>
inline constexpr bool is_integer = false;
template <>
inline constexpr bool is_integer<i64v> = true;

template <class V>
WEFT_INLINE V lit(double x) {
  if constexpr (is_integer<V>)
    return splat<V>(x >= 0x1p63 ? INT64_MAX : x <= -0x1p63 ? INT64_MIN : (int64_t)x);
  else
    return splat<V>((scalar_of<V>)x);
}
WEFT_INLINE i64v vselect(i64v m, i64v a, i64v b) { return m ? a : b; }
WEFT_INLINE i64v vabs(i64v x) { return x < 0 ? -x : x; }
WEFT_INLINE i64v vquotient(i64v a, i64v b) {  // neither 0 nor -1 may reach the divider: both trap
  for (int i = 0; i < lanes<i64v>; ++i) a[i] = b[i] == 0 ? 0 : b[i] == -1 ? (int64_t)(0 - (uint64_t)a[i]) : a[i] / b[i];
  return a;
}
WEFT_INLINE i64v vgcd(i64v a, i64v b) {
  for (int i = 0; i < lanes<i64v>; ++i) {
    uint64_t x = a[i] < 0 ? 0 - (uint64_t)a[i] : a[i], y = b[i] < 0 ? 0 - (uint64_t)b[i] : b[i];
    while (y != 0) {
      uint64_t r = x % y;
      x = y;
      y = r;
    }
    a[i] = (int64_t)x;
  }
  return a;
}
WEFT_INLINE i64v vpow(i64v a, i64v b) {
  for (int i = 0; i < lanes<i64v>; ++i) {
    uint64_t base = (uint64_t)a[i], r = 1;
    if (b[i] < 0)
      r = a[i] == 1 ? 1 : a[i] == -1 ? (b[i] & 1 ? -1 : 1) : 0;
    else
      for (uint64_t e = (uint64_t)b[i]; e; e >>= 1, base *= base)
        if (e & 1) r *= base;
    a[i] = (int64_t)r;
  }
  return a;
}

}  // namespace weft::WEFT_ISA

#include "kernels/pointwise_functors.h"

namespace weft::WEFT_ISA {

// out[i] = f(in[k][i & mask[k]]...): an operand is contiguous (mask -1), or one vector of a repeated value (mask 0).
// The result is of the type of computation, or bools where the function is a test.
using Row = void (*)(void* out, const void* const* in, const int64_t* mask, int64_t n, const Params& params);

template <class F, int N, class V, class L>
WEFT_INLINE V apply(L operand, const Params& p) {
  if constexpr (N == 1)
    return F::template value<V>(operand(0), p);
  else if constexpr (N == 2)
    return F::template value<V>(operand(0), operand(1), p);
  else
    return F::template value<V>(operand(0), operand(1), operand(2), p);
}

template <class V>
WEFT_INLINE void put(scalar_of<V>* out, V v) {
  store<V>(out, v);
}
template <class V>
WEFT_INLINE void put(bool* out, V v) {
  store_bools(out, v);
}
template <class V>
WEFT_INLINE void put_n(scalar_of<V>* out, V v, int64_t n) {
  store_n<V>(out, v, n);
}
template <class V>
WEFT_INLINE void put_n(bool* out, V v, int64_t n) {
  bool all[lanes<V>];
  store_bools(all, v);
  for (int64_t i = 0; i < n; ++i) out[i] = all[i];
}

template <class F, int N, class T, class R>
static void row(void* to, const void* const* in, const int64_t* mask, int64_t n, const Params& params) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  const Params p = params;
  R* out = static_cast<R*>(to);
  const T* x[N];
  int64_t m[N];
  for (int k = 0; k < N; ++k) x[k] = static_cast<const T*>(in[k]), m[k] = mask[k];
  int64_t i = 0;
  for (; i + L <= n; i += L)
    put<V>(out + i,
           apply<F, N, V>([&](int k) __attribute__((always_inline)) { return load<V>(x[k] + (i & m[k])); }, p));
  if (i < n)
    put_n<V>(
        out + i,
        apply<F, N, V>(
            [&](int k) __attribute__((always_inline)) { return m[k] ? load_n<V>(x[k] + i, n - i) : load<V>(x[k]); }, p),
        n - i);
}

void drive(const Pointwise& a, Row row, DType computed, DType result);

template <class T, Domain>
struct ResultOf {
  using type = T;
};
template <class T>
struct ResultOf<T, Domain::Test> {
  using type = bool;
};
template <class F, int N, class T, Domain domain>
static void kernel(const Pointwise& a) {
  using R = typename ResultOf<T, domain>::type;
  drive(a, &row<F, N, T, R>, dtype_of<T>, dtype_of<R>);
}

// Registers F for the computations of its domain.
template <class F, int N, Domain domain>
WEFT_INLINE void add(PointwiseKernels& k, PointwiseOp op) {
  PointwiseKernel* entry = k.table[(int)op];
  if constexpr (domain != Domain::Whole) {
    entry[(int)Compute::Float32] = kernel<F, N, float, domain>;
    entry[(int)Compute::Float64] = kernel<F, N, double, domain>;
  }
  if constexpr (domain != Domain::Real) entry[(int)Compute::Int64] = kernel<F, N, int64_t, domain>;
}

void fill_unary(PointwiseKernels& k);
void fill_grad(PointwiseKernels& k);
void fill_binary(PointwiseKernels& k);

}  // namespace weft::WEFT_ISA
