// bfloat16 in pairs along k, as the dot product instruction takes them: an element of a panel is the pair of terms 2x
// and 2x + 1, kept in the bits of a float.
#pragma once

#include "kernels/matmul/pack.h"

#if WEFT_AVX512 && defined(__AVX512BF16__)
#define WEFT_BF16_DOTS 1
#else
#define WEFT_BF16_DOTS 0
#endif

namespace weft::WEFT_ISA::mm {

#if WEFT_BF16_DOTS
WEFT_INLINE f32v load_pairs(const bfloat16* p, int64_t terms) {  // along k
  return (f32v)_mm512_maskz_loadu_epi16(terms >= 32 ? ~0u : (1u << terms) - 1, p);
}
WEFT_INLINE __m512i load_wide(const bfloat16* p, int64_t n) {
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16((__mmask16)(n >= 16 ? 0xffff : (1u << n) - 1), p));
}

// pack_panels() for pairs: xs counts terms; an odd last one is paired with zero.
template <class S>
WEFT_ONE_COPY void pack_pairs(float* dst, int width, const S* src, int64_t x_stride, int64_t y_stride, int64_t xs,
                              int64_t count) {
  const int64_t pairs = (xs + 1) / 2;
  for (int64_t y0 = 0; y0 < count; y0 += width, dst += width * pairs, src += width * y_stride) {
    const int64_t here = count - y0 < width ? count - y0 : width;
    for (int y = 0; y < width; y += 16) {
      const int room = width - y < 16 ? width - y : 16;
      if (x_stride == 1 && y_stride != 1) {
        for (int64_t x = 0; x < pairs; x += 16) {
          f32v v[16];
          for (int i = 0; i < 16; ++i)
            v[i] = y + i < here ? load_pairs(src + 2 * x + (y + i) * y_stride, xs - 2 * x) : f32v{};
          transpose(v);
          for (int i = 0; i < 16; ++i)
            if (x + i < pairs) store_n<f32v>(dst + (x + i) * width + y, v[i], room);
        }
      } else if (y_stride == 1) {
        for (int64_t x = 0; x < pairs; ++x) {
          const S* from = src + 2 * x * x_stride + y;
          __m512i first = load_wide(from, here - y), second = _mm512_setzero_si512();
          if (2 * x + 1 < xs) second = load_wide(from + x_stride, here - y);
          store_n<f32v>(dst + x * width + y, (f32v)_mm512_or_si512(first, _mm512_slli_epi32(second, 16)), room);
        }
      } else {
        for (int64_t x = 0; x < pairs; ++x)
          for (int i = 0; i < room; ++i) {
            const S* from = src + 2 * x * x_stride + (y + i) * y_stride;
            uint32_t bits = y + i < here ? from->bits : 0;
            if (y + i < here && 2 * x + 1 < xs) bits |= (uint32_t)from[x_stride].bits << 16;
            dst[x * width + y + i] = __builtin_bit_cast(float, bits);
          }
      }
    }
  }
}
#endif

// How operands of type S are packed: `terms` of the sum in one element of T. as_is: in memory they are the same; flips:
// the micro-kernel turns the sign of each term of A.
template <class T, class S>
struct Packing {
  static constexpr bool pairs = WEFT_BF16_DOTS && dtype_of<S> == DType::BFloat16;
  static constexpr int terms = pairs ? 2 : 1;
  static constexpr bool as_is = terms * sizeof(S) == sizeof(T), flips = false;
  static void pack(T* dst, int width, const S* src, int64_t x_stride, int64_t y_stride, int64_t xs, int64_t count) {
#if WEFT_BF16_DOTS
    if constexpr (pairs) return pack_pairs(dst, width, src, x_stride, y_stride, xs, count);
#endif
    pack_panels(dst, width, src, x_stride, y_stride, xs, count);
  }
};

// An element of A. Several terms in one are read from where they are, at any address.
template <class T, bool Pairs>
WEFT_INLINE T a_term(const void* at) {
  if constexpr (!Pairs) return *(const T*)at;
  T x;
  __builtin_memcpy(&x, at, sizeof x);
  return x;
}

}  // namespace weft::WEFT_ISA::mm
