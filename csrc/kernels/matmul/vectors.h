// One row of A: what counts is that B is read once, in the order of memory, which the processor fetches ahead. Where
// the columns alone make too few pieces, the sum is cut in parts, which are added in their order.
#pragma once

#include "kernels/matmul/small.h"

namespace weft::WEFT_ISA::mm {

// The rows of B are contiguous.
constexpr int64_t kRowColumns = 4096;  // of a piece: their sums stay in the first-level cache
constexpr int64_t kRowPieces = 16, kRowWork = kPieceWork / 2, kRowDepth = 8192;

struct RowCut {
  int64_t blocks, parts;  // of columns and of the sum
};
WEFT_INLINE RowCut cut_row(int64_t n, int64_t k) {
  RowCut c{ceil_div(n, kRowColumns), smaller(1 + n * k / kRowWork, 1 + k / 64)};
  c.parts = smaller(c.parts, ceil_div(kRowPieces, c.blocks));
  if (c.parts < ceil_div(k, kRowDepth)) c.parts = ceil_div(k, kRowDepth);
  return c;
}
template <class T>
WEFT_INLINE int64_t row_scratch(int64_t n, int64_t k) {
  return cut_row(n, k).parts * whole_lines<T>(n);
}

// sum[j] += a[0] b[0, j] + ... of R rows of B.
template <int R, class T>
WEFT_INLINE void add_rows(T* sum, const T* a, int64_t a_k, const T* b, int64_t b_k, int64_t n) {
  using V = vec_of<T>;
  V x[R];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) x[r] = splat<V>(a[r * a_k]);
  each_vector<V>(n, [=](int64_t j, auto io) __attribute__((always_inline)) {
    V s = io.load(sum + j);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) s += x[r] * io.load(b + r * b_k + j);
    io.store(sum + j, s);
  });
}

template <class T, class Run>
void gemm_row(const Gemm<T>& g, T* scratch, const Run& run) {
  const RowCut c = cut_row(g.n, g.k);
  const int64_t width = whole_lines<T>(g.n);
  run(c.blocks * c.parts, [&](int64_t piece, int) {
    const int64_t j = piece / c.parts * kRowColumns, n = smaller(kRowColumns, g.n - j), p = piece % c.parts;
    T* const sum = scratch + p * width + j;
    for (int64_t i = 0; i < n; ++i) sum[i] = 0;
    int64_t k = part(g.k, c.parts, p);
    const int64_t end = part(g.k, c.parts, p + 1);
    for (; k + 4 <= end; k += 4) add_rows<4>(sum, g.a + k * g.a_k, g.a_k, g.b + k * g.b_k + j, g.b_k, n);
    for (; k < end; ++k) add_rows<1>(sum, g.a + k * g.a_k, g.a_k, g.b + k * g.b_k + j, g.b_k, n);
  });
  for (int64_t p = 1; p < c.parts; ++p)
    for (int64_t j = 0; j < g.n; ++j) scratch[j] += scratch[p * width + j];
  finish(scratch, width, 1, g.n, g.out);
}

// B is one column, and both are contiguous.
constexpr int64_t kDotPart = 1 << 16;
WEFT_INLINE int64_t dot_parts(int64_t k) { return k > kDotPart ? ceil_div(k, kDotPart) : 1; }

template <class T>
T dot_part(const T* a, const T* b, int64_t k) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V s[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) s[i] = V{};
  for (; k >= 8 * L; k -= 8 * L, a += 8 * L, b += 8 * L)
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) s[i] += load<V>(a + i * L) * load<V>(b + i * L);
  const V rest = sum_over<V>(
      k, [=](V& sum, int64_t j, auto io) __attribute__((always_inline)) { sum += io.load(a + j) * io.load(b + j); });
  return hsum(((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7])) + rest);
}

template <class T, class Run>
void gemm_dot(const Gemm<T>& g, T* scratch, const Run& run) {
  const int64_t parts = dot_parts(g.k);
  run(parts, [&](int64_t p, int) {
    const int64_t begin = p * kDotPart;
    scratch[p] = dot_part(g.a + begin, g.b + begin, smaller(kDotPart, g.k - begin));
  });
  for (int64_t p = 1; p < parts; ++p) scratch[0] += scratch[p];
  finish(scratch, 1, 1, 1, g.out);
}

}  // namespace weft::WEFT_ISA::mm
