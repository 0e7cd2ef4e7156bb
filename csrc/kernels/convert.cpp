// Conversions between dtypes, contiguous to contiguous, and gathering of single strided rows.
#include "kernels/strided.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {

constexpr int kChunk = 256;

template <class T>
constexpr bool half = false;
template <>
constexpr bool half<float16> = true;
template <>
constexpr bool half<bfloat16> = true;

// float to small integers by way of int64: the low bits, whatever the compiler.
template <class D, class S>
WEFT_INLINE D convert_one(S x) {
  if constexpr (dtype_of<D> == DType::Bool)
    return x != S(0);
  else if constexpr (is_floating(dtype_of<S>) && !is_floating(dtype_of<D>) && sizeof(D) < 4)
    return (D)(int32_t)x;
  else
    return (D)x;
}

template <class D, class S>
static void convert(void* dst, const void* src, int64_t n) {
  D* WEFT_RESTRICT d = static_cast<D*>(dst);
  const S* WEFT_RESTRICT s = static_cast<const S*>(src);
  if constexpr (dtype_of<D> == dtype_of<S>) {
    if (n > 0) __builtin_memcpy(dst, src, n * sizeof(D));
  } else if constexpr ((half<D> && dtype_of<S> == DType::Float32) || (half<S> && dtype_of<D> == DType::Float32)) {
    constexpr int L = lanes<f32v>;
    int64_t i = 0;
    for (; i + L <= n; i += L) store_f32(d + i, load_f32(s + i));
    if (i < n) store_f32_n(d + i, load_f32_n(s + i, n - i), n - i);
  } else if constexpr (half<D> || half<S>) {
    float between[kChunk];
    for (int64_t i = 0; i < n; i += kChunk) {
      int64_t m = n - i < kChunk ? n - i : kChunk;
      convert<float, S>(between, s + i, m);
      convert<D, float>(d + i, between, m);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) d[i] = convert_one<D>(s[i]);
  }
}

#define WEFT_EACH_DTYPE(T) \
  T(bool), T(uint8_t), T(int8_t), T(int16_t), T(int32_t), T(int64_t), T(float16), T(bfloat16), T(float), T(double)

template <class S>
struct From {
#define TO(D) convert<D, S>
  static constexpr Convert to[kDTypes] = {WEFT_EACH_DTYPE(TO)};
#undef TO
};

Convert converter(DType dst, DType src) {
#define FROM(S) From<S>::to
  static const Convert* const table[kDTypes] = {WEFT_EACH_DTYPE(FROM)};
#undef FROM
  return table[(int)src][(int)dst];
}

// One element again and again, given as eight bytes of it: vectors, of which the last two may overlap.
static void repeat(char* dst, uint64_t bytes, int64_t n) {
  typedef uint64_t Bytes __attribute__((vector_size(WEFT_VEC_BYTES), aligned(1), may_alias));
  constexpr int64_t width = sizeof(Bytes);
  const Bytes v = bytes - Bytes{};
  for (int64_t i = 0; i + width < n; i += width) *(Bytes*)(dst + i) = v;
  *(Bytes*)(dst + n - width) = v;
}
template <class T>
static void gather_as(void* dst, const void* src, int64_t stride, int64_t n) {
  T* WEFT_RESTRICT d = static_cast<T*>(dst);
  const T* WEFT_RESTRICT s = static_cast<const T*>(src);
  constexpr int64_t size = sizeof(T);
  if (stride == 0 && n * size >= WEFT_VEC_BYTES) return repeat((char*)dst, ~uint64_t(0) / (T)~T(0) * *s, n * size);
  for (int64_t i = 0; i < n; ++i) d[i] = s[i * stride];
}
void gather(void* dst, const void* src, int64_t stride, int64_t n, int64_t size) {
  switch (size) {
    case 1: return gather_as<uint8_t>(dst, src, stride, n);
    case 2: return gather_as<uint16_t>(dst, src, stride, n);
    case 4: return gather_as<uint32_t>(dst, src, stride, n);
    default: return gather_as<uint64_t>(dst, src, stride, n);
  }
}
template <class T>
static void scatter_as(void* dst, int64_t stride, const void* src, int64_t n) {
  T* WEFT_RESTRICT d = static_cast<T*>(dst);
  const T* WEFT_RESTRICT s = static_cast<const T*>(src);
  for (int64_t i = 0; i < n; ++i) d[i * stride] = s[i];
}
void scatter(void* dst, int64_t stride, const void* src, int64_t n, int64_t size) {
  switch (size) {
    case 1: return scatter_as<uint8_t>(dst, stride, src, n);
    case 2: return scatter_as<uint16_t>(dst, stride, src, n);
    case 4: return scatter_as<uint32_t>(dst, stride, src, n);
    default: return scatter_as<uint64_t>(dst, stride, src, n);
  }
}

}  // namespace weft::WEFT_ISA
