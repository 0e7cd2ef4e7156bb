// Where a kernel touches more than the caches hold, its result is stored past them: an ordinary store would read its
// line first, and the line would be gone before the end. The result is computed a chunk at a time in a small buffer,
// and leaves it in whole lines; whoever is done says so before others read.
//
//   each_part(y, n, past, [=](int64_t from, T* to, int64_t count) { y[from] to y[from + count], to be written to `to`
//   }); if (past) end_past();
#pragma once

#include "simd/register.h"

namespace weft::WEFT_ISA {

constexpr int64_t kPast = 32 << 20;   // bytes that such a kernel touches, or more
constexpr int64_t kPastChunk = 2048;  // of a buffer

#if defined(__SSE2__)
static __attribute__((noinline, unused)) void store_past(void* to, const void* from, int64_t bytes) {
  char* p = static_cast<char*>(to);
  const char* q = static_cast<const char*>(from);
  int64_t i = -(uintptr_t)p & (WEFT_VEC_BYTES - 1);
  if (i > bytes) i = bytes;
  __builtin_memcpy(p, q, (size_t)i);
  for (; i + WEFT_VEC_BYTES <= bytes; i += WEFT_VEC_BYTES) {
#if WEFT_AVX512
    _mm512_stream_si512((__m512i*)(p + i), _mm512_loadu_si512(q + i));
#elif WEFT_AVX2
    _mm256_stream_si256((__m256i*)(p + i), _mm256_loadu_si256((const __m256i*)(q + i)));
#else
    _mm_stream_si128((__m128i*)(p + i), _mm_loadu_si128((const __m128i*)(q + i)));
#endif
  }
  __builtin_memcpy(p + i, q + i, (size_t)(bytes - i));
}
WEFT_INLINE void end_past() { _mm_sfence(); }
#else
WEFT_INLINE void store_past(void* to, const void* from, int64_t bytes) { __builtin_memcpy(to, from, (size_t)bytes); }
WEFT_INLINE void end_past() {}
#endif

template <class T, class Part>
WEFT_INLINE void each_part(T* y, int64_t n, bool past, const Part& part) {
  constexpr int64_t chunk = kPastChunk / (int64_t)sizeof(T);
  alignas(64) T buffer[chunk];
  for (int64_t from = 0, step = past ? chunk : n; from < n; from += step) {
    int64_t m = n - from < step ? n - from : step;
    part(from, past ? buffer : y + from, m);
    if (past) store_past(y + from, buffer, m * (int64_t)sizeof(T));
  }
}

}  // namespace weft::WEFT_ISA
