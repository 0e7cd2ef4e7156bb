// Products whose right side is used at every step: packed once, in blocks of up to kWide vectors of columns.
#pragma once

#include "kernels/matmul/pairs.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA::rnn {

constexpr int kWide = 4;         // vectors of columns of a block
constexpr int64_t kDepth = 128;  // terms between two visits to memory: that much of a block lies in the first cache
constexpr int kGroup = 64;       // rows that share a pass over the weights

#if WEFT_AVX512
constexpr int rows_for(int vectors) { return vectors == kWide ? 6 : 8; }
#else
constexpr int rows_for(int vectors) { return vectors == kWide ? 3 : 4; }
#endif

WEFT_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
WEFT_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

template <class T>
constexpr int kLanes = lanes<vec_of<T>>;

// sum + x * y, or with Pairs the products of both bfloat16 in an element.
template <bool Pairs, class V>
WEFT_INLINE V multiply_add(V sum, V x, V y) {
#if WEFT_BF16_DOTS
  if constexpr (Pairs) return (V)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
#endif
  return sum + x * y;
}

// R rows (from a[i] + at) times N vectors of a block `width` elements wide: c[i][j] = or += sum over k.
template <class T, int N, int R, bool Pairs>
void tile(T* c, const T* const* a, int64_t at, int64_t k, const T* b, int64_t width, bool add, const T* ahead) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V sum[R][N];
  const T* row[R];
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i) {
    row[i] = a[i] + at;
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) sum[i][j] = add ? load<V>(c + i * width + j * L) : V{};
  }
  for (int64_t x = 0; x < k; ++x, b += width, ahead += L) {
    V w[N];
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) w[j] = load<V>(b + j * L);
    __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 8
    for (int i = 0; i < R; ++i) {
      V v = splat<V>(mm::a_term<T, Pairs>(row[i] + x));
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) sum[i][j] = multiply_add<Pairs>(sum[i][j], v, w[j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < N; ++j) store<V>(c + i * width + j * L, sum[i][j]);
}

template <class T, int N, bool Pairs>
void run_tile(int rows, T* c, const T* const* a, int64_t at, int64_t k, const T* b, int64_t width, bool add,
              const T* ahead) {
#define ROWS(R) \
  case R:       \
    if constexpr (R <= rows_for(N)) return tile<T, N, R, Pairs>(c, a, at, k, b, width, add, ahead);
  switch (rows) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) }
#undef ROWS
}

// All rows: c is [rows, N vectors]. The rows of one tile after the other read the block, and fetch their share of the
// part behind it. Rows that fit one tile of half the width go through either half, and what comes from far away is
// read once.
template <class T, int N, bool Pairs>
void product(T* c, const T* const* a, int rows, int64_t k, const T* b) {
  constexpr int64_t width = N * kLanes<T>;
  const int tiles = (int)ceil_div(rows, rows_for(N));
  for (int64_t at = 0; at < k; at += kDepth, b += kDepth * width) {
    const int64_t depth = smaller(kDepth, k - at);
    const T* behind = b + depth * width;
    if (N == kWide && rows > rows_for(kWide) && rows <= rows_for(kWide / 2)) {
      for (int half = 0; half < 2; ++half)
        run_tile<T, kWide / 2, Pairs>(rows, c + half * width / 2, a, at, depth, b + half * width / 2, width, at > 0,
                                      behind + half * depth * kLanes<T>);
      continue;
    }
    for (int t = 0; t < tiles; ++t) {
      const int i = rows * t / tiles, to = rows * (t + 1) / tiles;
      run_tile<T, N, Pairs>(to - i, c + i * width, a + i, at, depth, b, width, at > 0,
                            behind + t % N * depth * kLanes<T>);
    }
  }
}
template <class T, bool Pairs = false>
void product(int vectors, T* c, const T* const* a, int rows, int64_t k, const T* b) {
  switch (vectors) {
    case 1: return product<T, 1, Pairs>(c, a, rows, k, b);
    case 2: return product<T, 2, Pairs>(c, a, rows, k, b);
    case 3: return product<T, 3, Pairs>(c, a, rows, k, b);
    default: return product<T, 4, Pairs>(c, a, rows, k, b);
  }
}
template <class T>
WEFT_INLINE void product([[maybe_unused]] bool pairs, int vectors, T* c, const T* const* a, int rows, int64_t k,
                         const T* b) {
#if WEFT_BF16_DOTS
  if constexpr (sizeof(T) == 4)
    if (pairs) return product<T, true>(vectors, c, a, rows, k, b);
#endif
  product<T>(vectors, c, a, rows, k, b);
}

// How `columns` outputs over k terms are packed: blocks of `wide` vectors, of which the last may have fewer.
template <class T>
struct Packed {
  const T* data;
  int64_t k, columns;
  int gates, wide;  // gates > 1: a block is one vector of units, with that vector of each gate

  WEFT_INLINE Packed plain(const T* data, int64_t k, int64_t columns) { return {data, k, columns, 1, kWide}; }
  WEFT_INLINE Packed gated(const T* data, int64_t k, int64_t units, int gates) {
    return gates == 1 ? plain(data, k, units) : Packed{data, k, units, gates, gates};
  }
  int64_t vectors() const { return ceil_div(columns, kLanes<T>) * gates; }
  int64_t blocks() const { return ceil_div(vectors(), wide); }
  int64_t size() const { return vectors() * kLanes<T> * k; }
  int vectors_of(int64_t block) const { return (int)smaller(wide, vectors() - block * wide); }
  const T* block(int64_t i) const { return data + i * wide * kLanes<T> * k; }
  // Units of a block.
  int units() const { return wide / gates * kLanes<T>; }
};

// The first n elements of a row along k, or of one along the columns: numbers, or pairs of what follows along k.
template <class T>
WEFT_INLINE vec_of<T> along_k(const T* p, int64_t n, [[maybe_unused]] bool pairs) {
#if WEFT_BF16_DOTS
  if constexpr (sizeof(T) == 4)
    if (pairs) {
      const f32v low = load_n<f32v>(p, smaller(2 * n, 16)), high = n > 8 ? load_n<f32v>(p + 16, 2 * n - 16) : f32v{};
      return (f32v)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
    }
#endif
  return load_n<vec_of<T>>(p, n);
}
template <class T>
WEFT_INLINE vec_of<T> along_columns(const T* p, [[maybe_unused]] int64_t stride, int64_t n,
                                    [[maybe_unused]] bool pairs) {
#if WEFT_BF16_DOTS
  if constexpr (sizeof(T) == 4)
    if (pairs) {
      auto wide = [&](const T* row) __attribute__((always_inline)) {
        return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)load_n<f32v>(row, n)));
      };
      return (f32v)_mm512_or_si512(wide(p), _mm512_slli_epi32(wide(p + stride), 16));
    }
#endif
  return load_n<vec_of<T>>(p, n);
}

// Packs block i of p. The weight of term x for column y of gate g is w[x * stride + g * columns + y], or, Turned, w[x +
// (g * columns + y) * stride]. Lanes past the end are 0. With `pairs` element x is terms 2x and 2x + 1.
template <bool Turned, class T>
void pack_block(T* data, const Packed<T>& p, int64_t i, const T* w, int64_t stride, bool pairs = false) {
  using V = vec_of<T>;
  constexpr int L = kLanes<T>;
  const int vectors = p.vectors_of(i), each = pairs ? 2 : 1;
  T* const to = data + (p.block(i) - p.data);
  for (int j = 0; j < vectors; ++j) {
    const int64_t y = p.gates > 1 ? i * L : (i * p.wide + j) * L, n = smaller(L, p.columns - y);
    const T* from = w + ((p.gates > 1 ? j * p.columns : 0) + y) * (Turned ? stride : 1);
    for (int64_t x = 0; x < p.k; x += Turned ? L : 1) {
      T* row = to + (x * vectors + j) * L;
      if constexpr (Turned) {
        const int64_t terms = smaller(L, p.k - x);
        V v[L];
#pragma GCC unroll 16
        for (int l = 0; l < L; ++l) v[l] = l < n ? along_k(from + l * stride + x * each, terms, pairs) : V{};
        mm::transpose(v);
#pragma GCC unroll 16
        for (int l = 0; l < L; ++l)
          if (l < terms) store<V>(row + l * vectors * L, v[l]);
      } else {
        store<V>(row, along_columns(from + x * each * stride, stride, n, pairs));
      }
    }
  }
}

}  // namespace weft::WEFT_ISA::rnn
