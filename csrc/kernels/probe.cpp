#include "kernels/probe.h"

#include <cstddef>

#include "base/threads.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace weft::WEFT_ISA {
namespace {

#if defined(WEFT_ISA_v4)
constexpr int kWidth = 16;
#elif defined(WEFT_ISA_v3)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
typedef float Vector __attribute__((vector_size(kWidth * 4)));

// Multiply-adds have a latency of four or five cycles and two start in each: twelve independent ones keep them busy,
// and fit sixteen registers with the two factors.
constexpr int kChains = 12;

void probe_fma(const ProbeFma& a) {
  parallel(a.pieces, [&](int64_t piece, int) {
    Vector sum[kChains], x = {}, y = {};
    // Not constants to the compiler, so that they stay in registers.
    for (int i = 0; i < kWidth; ++i) x[i] = a.pieces > 0 ? 0.5f : 0.25f, y[i] = a.pieces > 0 ? 1.0f : 2.0f;
    for (int c = 0; c < kChains; ++c) sum[c] = x * (float)c;
    for (int64_t r = 0; r < a.rounds; ++r)
      for (int c = 0; c < kChains; ++c) sum[c] = sum[c] * x + y;
    float total = 0;
    for (int c = 0; c < kChains; ++c)
      for (int i = 0; i < kWidth; ++i) total += sum[c][i];
    a.sink[piece] = total;
  });
}

// A store that does not read its line first, where there is such a thing.
WEFT_INLINE void store_past(float* to, Vector v) {
#if defined(WEFT_ISA_v4)
  _mm512_stream_ps(to, (__m512)v);
#elif defined(WEFT_ISA_v3)
  _mm256_stream_ps(to, (__m256)v);
#elif defined(__x86_64__)
  _mm_stream_ps(to, (__m128)v);
#else
  *(Vector*)to = v;
#endif
}

void probe_stream(const ProbeStream& a) {
  parallel_ranges(a.n, kProbeGrain, [&](int64_t begin, int64_t end) {
    float* WEFT_RESTRICT y = a.y;
    const float *x = a.x, *z = a.z;
    if (z && a.past)
      for (int64_t i = begin; i < end; i += kWidth)
        store_past(y + i, *(const Vector*)(x + i) + 3.0f * *(const Vector*)(z + i));
    else if (z)
      for (int64_t i = begin; i < end; ++i) y[i] = x[i] + 3.0f * z[i];
    else
      __builtin_memcpy(y + begin, x + begin, (size_t)(end - begin) * sizeof(float));
  });
}

void probe_read(const ProbeRead& a) {
  parallel_ranges(a.n, kProbeGrain, [&](int64_t begin, int64_t end) {
    Vector sum[8] = {};
    const Vector* x = reinterpret_cast<const Vector*>(a.x + begin);
    for (int64_t i = 0, n = (end - begin) / kWidth; i + 8 <= n; i += 8)
      for (int c = 0; c < 8; ++c) sum[c] += x[i + c];
    float total = 0;
    for (int c = 0; c < 8; ++c)
      for (int i = 0; i < kWidth; ++i) total += sum[c][i];
    a.sink[begin / kProbeGrain] = total;
  });
}

}  // namespace

void fill(ProbeKernels& k) {
  k.fma = probe_fma;
  k.stream = probe_stream;
  k.read = probe_read;
  k.fma_flops = 2 * kWidth * kChains;
}

}  // namespace weft::WEFT_ISA
