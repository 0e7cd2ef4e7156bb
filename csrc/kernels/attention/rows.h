// Rows of scores, in units of log2: masks, softmax, dropout and their gradient.
#pragma once

#include "kernels/attention/block.h"
#include "simd/philox.h"

namespace weft::WEFT_ISA::attention {

// Not NaN, where b is not.
WEFT_INLINE f32v larger(f32v a, f32v b) {
#if WEFT_AVX512
  return (f32v)_mm512_max_ps((__m512)a, (__m512)b);
#elif WEFT_AVX2
  return (f32v)_mm256_max_ps((__m256)a, (__m256)b);
#else
  return a > b ? a : b;
#endif
}
WEFT_INLINE f64v larger(f64v a, f64v b) { return a > b ? a : b; }
template <class V>
WEFT_INLINE scalar_of<V> largest(V v) {
  return fold<scalar_of<V>, WEFT_VEC_BYTES>(v, [](auto a, auto b) { return a > b ? a : b; });
}

// 2^x for x that is at most about 0; below the normal numbers 0 is as good as any. NaN stays.
WEFT_INLINE f32v exp2_below(f32v x) {
#if WEFT_AVX512
  x = larger(splat<f32v>(-151.0f), x);
#else
  x = larger(splat<f32v>(-127.0f), x);  // the exponent of -127 is that of zero
#endif
  const f32v n = vrint(x), f = x - n;
  f32v p = f * 0.001326472731307149f + 0.009671512991189957f;
  p = p * f + 0.05550733581185341f;
  p = p * f + 0.24022242426872253f;
  p = p * f + 0.6931470036506653f;
  p = p * f + 1.0f;
#if WEFT_AVX512
  return scale_pow2(p, n);
#else
  return p * pow2_whole(n);
#endif
}
WEFT_INLINE f64v exp2_below(f64v x) { return vexp2(x); }

// A row of a block: query i of head h and batch item b, and its keys from j0 on.
struct Place {
  int64_t b, h, i, j0;
};

// Applies the mask to n scores, which come in to be multiplied by `scale`.
template <class T>
WEFT_INLINE void mask_row(const AttentionShape& s, const void* mask, const Place& at, T scale, T* row, int64_t n) {
  const int64_t step = s.mask_col;
  const int64_t first = at.b * s.mask_batch + at.h * s.mask_head + at.i * s.mask_row + at.j0 * step;
  if (s.mask_is_bool) {
    const uint8_t* allowed = (const uint8_t*)mask + first;
    if (step == 1)
      for (int64_t j = 0; j < n; ++j) row[j] = allowed[j] ? row[j] * scale : -kInfinity<T>;
    else
      for (int64_t j = 0; j < n; ++j) row[j] = allowed[j * step] ? row[j] * scale : -kInfinity<T>;
  } else {
    const T* bias = (const T*)mask + first;
    if (step == 1)
      for (int64_t j = 0; j < n; ++j) row[j] = row[j] * scale + bias[j] * (T)kLog2E;
    else
      for (int64_t j = 0; j < n; ++j) row[j] = row[j] * scale + bias[j * step] * (T)kLog2E;
  }
}

// factor[j] for keys j0 to j0 + n of row `row` = (b * heads + h) * queries + i; j0 is a multiple of 4. Room for n +
// kPhiloxWords.
template <class T>
WEFT_INLINE void dropout_factors(const AttentionShape& s, int64_t row, int64_t j0, int64_t n, T* factor) {
  const uint64_t block = (uint64_t)row * (uint64_t)ceil_div(s.keys, 4) + (uint64_t)j0 / 4;
  const T keep = (T)s.keep_scale;
  const uint32_t drop_below = s.drop_below;
  for (int64_t j = 0; j < n; j += kPhiloxWords) {
    PhiloxWords words = philox_words(seed_of(s.stream), offset_of(s.stream), block + (uint64_t)j / 4);
    uint32_t w[kPhiloxWords];
    store<u32v>(w, words.v[0]);
    store<u32v>(w + lanes<u32v>, words.v[1]);
    for (int l = 0; l < kPhiloxWords; ++l) factor[j + l] = w[l] < drop_below ? T(0) : keep;
  }
}

// Rows are worked on in steps of two vectors, of which pairs make one.
template <class T>
constexpr int kStep = 2 * lanes<vec_of<T>>;
static_assert(kScoreRow >= (kKeys + kStep<float> - 1) / kStep<float> * kStep<float>);

// Rows whose sums across lanes are made side by side.
constexpr int kRowsAtOnce = lanes<f32v> == 16 ? 2 : 1;  // fewer registers would not hold them

// Turns the scores of R rows, of which row r has n[r], into probabilities relative to its running maximum, and what
// follows up to `width`, whole steps, into zeros. keep gets what earlier sums are to be multiplied by.
template <int R, class T>
WEFT_INLINE void softmax_rows(T* scores, const int64_t* n, int64_t width, T* top, T* total, T* keep) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  T* row[R];
  V most[R][2], sum[R][2], shift[R];
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) {
    row[r] = scores + r * kScoreRow;
    for (int64_t j = n[r]; j < width; ++j) row[r][j] = -kInfinity<T>;
    most[r][0] = most[r][1] = splat<V>(-kInfinity<T>);
    sum[r][0] = sum[r][1] = V{};
  }
  for (int64_t j = 0; j < width; j += 2 * L)
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) most[r][h] = larger(load<V>(row[r] + j + h * L), most[r][h]);
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) {
    const T before = top[r], here = largest(larger(most[r][0], most[r][1])), now = here > before ? here : before;
    shift[r] = splat<V>(now == -kInfinity<T> ? T(0) : now);  // nothing allowed so far
    keep[r] = exp2_below(before - shift[r])[0];              // whether the maximum moves is hard to foretell
    top[r] = now;
  }
  for (int64_t j = 0; j < width; j += 2 * L)
#pragma GCC unroll 2
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const V p = exp2_below(load<V>(row[r] + j + h * L) - shift[r]);
        store<V>(row[r] + j + h * L, p);
        sum[r][h] += p;
      }
#pragma GCC unroll 2
  for (int r = 0; r < R; ++r) total[r] = total[r] * keep[r] + hsum(sum[r][0] + sum[r][1]);
}

// n products q k become, times `scale`, the probabilities after dropout; d comes in as dout v and becomes the gradient
// of q k; from n to `width` both become zero. delta comes in times d_scale.
template <class T>
WEFT_INLINE void gradient_row(T* p, T* d, int64_t n, int64_t width, T scale, T lse, T d_scale, T delta,
                              const T* factor) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  for (int64_t j = 0; j < n; j += L) {
    const V prob = exp2_below(load<V>(p + j) * scale - lse);
    V dprob = load<V>(d + j), dropped = prob;
    if (factor) {
      const V f = load<V>(factor + j);
      dprob *= f;
      dropped *= f;
    }
    store<V>(p + j, dropped);
    // Where nothing is attended to, dprob may be anything.
    store<V>(d + j, prob == 0 ? V{} : prob * (dprob * d_scale - delta));
  }
  for (const int64_t end = rounded(n, L); n < end; ++n) p[n] = d[n] = 0;
  for (; n < width; n += L) {
    store<V>(p + n, V{});
    store<V>(d + n, V{});
  }
}

#if WEFT_BF16_DOTS
WEFT_INLINE __m512i narrowed(const float* low, const float* high) {
  return (__m512i)_mm512_cvtne2ps_pbh((__m512)load<f32v>(high), (__m512)load<f32v>(low));
}
// A row becomes pairs of its own elements, in its own place.
WEFT_INLINE void pair_along(float* row, int64_t width) {
  for (int64_t j = 0; j < width; j += 32) store<f32v>(row + j / 2, (f32v)narrowed(row + j, row + j + 16));
}
// Element j of two rows becomes pair j.
WEFT_INLINE void pair_across(float* to, const float* first, const float* second, int64_t width) {
  alignas(64) static const uint16_t order[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                                 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
  const __m512i mixed = _mm512_load_si512(order);
  for (int64_t j = 0; j < width; j += 16)
    store<f32v>(to + j, (f32v)_mm512_permutexvar_epi16(mixed, narrowed(first + j, second + j)));
}
#endif

}  // namespace weft::WEFT_ISA::attention
