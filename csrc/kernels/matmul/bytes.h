// Products of bytes, summed exactly as 32-bit integers. An element of a panel holds neighbouring terms of the sum as
// the processor multiplies and adds them: four bytes where it has VNNI, else two 16-bit numbers. VNNI's left factors
// are unsigned: there the micro-kernel takes a signed A 128 larger, and 128 times the sums of B's columns are taken off
// again. What wraps in between wraps back.
#pragma once

#include "kernels/matmul/pairs.h"

namespace weft::WEFT_ISA::mm {

#if WEFT_AVX512 && defined(__AVX512VNNI__)
#define WEFT_BYTE_DOTS 1
constexpr int kByteTerms = 4;
#else
#define WEFT_BYTE_DOTS 0
constexpr int kByteTerms = 2;
#endif
constexpr int kByteBits = 32 / kByteTerms;

#if WEFT_BYTE_DOTS
// The signs of four bytes. The compiler may not know them, or it turns the signs before it spreads four bytes over a
// vector: an instruction for one that is free then takes three.
WEFT_INLINE i32v byte_signs() {
  i32v signs = splat<i32v>((int32_t)0x80808080u);
  asm("" : "+v"(signs));
  return signs;
}
#else
WEFT_INLINE i32v byte_signs() { return i32v{}; }
#endif

WEFT_INLINE i32v add_bytes(i32v sum, i32v x, i32v y) {
#if WEFT_BYTE_DOTS
  return (i32v)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)y);
#elif WEFT_AVX2
  return sum + (i32v)_mm256_madd_epi16((__m256i)x, (__m256i)y);
#elif defined(__SSE2__) && !WEFT_AVX512
  return sum + (i32v)_mm_madd_epi16((__m128i)x, (__m128i)y);
#else
  return sum + (x << 16 >> 16) * (y << 16 >> 16) + (x >> 16) * (y >> 16);
#endif
}

// A byte in an element of a panel.
template <class S>
WEFT_INLINE uint32_t byte_bits(S x) {
  return (uint32_t)(int32_t)x & ((1u << kByteBits) - 1);
}

// pack_panels() for bytes: xs counts terms, those past the end are zeros.
template <class S>
WEFT_ONE_COPY void pack_bytes(int32_t* dst, int width, const S* src, int64_t x_stride, int64_t y_stride, int64_t xs,
                              int64_t count) {
  const int64_t groups = (xs + kByteTerms - 1) / kByteTerms;
  for (int64_t y0 = 0; y0 < count; y0 += width, dst += width * groups, src += width * y_stride) {
    const int here = (int)(count - y0 < width ? count - y0 : width);
#if WEFT_BYTE_DOTS
    if (width == 16 && x_stride == 1) {
      for (int64_t x = 0; x < groups; x += 16) {
        const int64_t left = xs - 4 * x;
        const __mmask64 there = left >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << left) - 1;
        i32v v[16];
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i)
          v[i] = i < here ? (i32v)_mm512_maskz_loadu_epi8(there, src + 4 * x + i * y_stride) : i32v{};
        transpose(v);
        const int rows = groups - x < 16 ? (int)(groups - x) : 16;
        for (int i = 0; i < rows; ++i) store<i32v>(dst + (x + i) * 16, v[i]);
      }
      continue;
    }
    if (width == 16 && y_stride == 1) {
      const __mmask16 there = (__mmask16)((1u << here) - 1);
      for (int64_t x = 0; x < groups; ++x) {
        __m512i bits = _mm512_setzero_si512();
        for (int t = 0; t < 4 && 4 * x + t < xs; ++t) {
          const __m512i row = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(there, src + (4 * x + t) * x_stride));
          bits = _mm512_or_si512(bits, _mm512_slli_epi32(row, (unsigned)(8 * t)));
        }
        store<i32v>(dst + x * 16, (i32v)bits);
      }
      continue;
    }
#endif
    for (int64_t x = 0; x < groups; ++x)
      for (int y = 0; y < width; ++y) {
        uint32_t bits = 0;
        for (int t = 0; t < kByteTerms && y < here && kByteTerms * x + t < xs; ++t)
          bits |= byte_bits(src[(kByteTerms * x + t) * x_stride + y * y_stride]) << (kByteBits * t);
        dst[x * width + y] = (int32_t)bits;
      }
  }
}

// S: of A. B is packed by itself.
template <class S>
struct Packing<int32_t, S> {
  static constexpr bool pairs = true;
  static constexpr int terms = kByteTerms;
  static constexpr bool as_is = WEFT_BYTE_DOTS, flips = WEFT_BYTE_DOTS && (S)-1 < 0;
  static void pack(int32_t* dst, int width, const S* src, int64_t x_stride, int64_t y_stride, int64_t xs,
                   int64_t count) {
    pack_bytes(dst, width, src, x_stride, y_stride, xs, count);
  }
};

}  // namespace weft::WEFT_ISA::mm
