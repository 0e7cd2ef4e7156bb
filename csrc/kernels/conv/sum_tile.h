// The register tile of a weight's gradient: rows are terms of a filter (input channels under a tap), lanes run along
// output channels, and the sum along those outputs where the tap does not meet padding. Both operands lie in vectors:
// of one output, a vector of neighbouring terms and a vector of neighbouring output channels, and the next output's
// behind it, so that whatever a tile reads is in neighbouring lines of the cache.
#pragma once

#include "simd/vec.h"

namespace weft::WEFT_ISA::conv {

#if WEFT_AVX512
constexpr int kSumRows = 8;
#else
constexpr int kSumRows = 4;
#endif

// A term of the sum: where its vectors begin, in elements.
struct Met {
  int32_t a, b;
};

// sums[i * row + j] = (add ? sums[i * row + j] : 0) + the sum over k < count of
// a[met[k].a + i] * b[met[k].b + j % L + j / L * b_vec], for i < MR and j < NV vectors of L.
template <class T>
struct SumTile {
  const Met* met;
  int64_t count;
  const T *a, *b;
  int64_t b_vec;
  T* sums;
  int64_t row;
  bool add;
};

template <class T, int MR, int NV>
void sum_tile(const SumTile<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V acc[MR][NV];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) acc[i][j] = t.add ? load<V>(t.sums + i * t.row + j * L) : V{};
  const T *all_a = t.a, *all_b = t.b, *all_b1 = t.b + (NV - 1) * t.b_vec;
  for (const Met *met = t.met, *end = met + t.count; met < end; ++met) {
    const T* a = all_a + met->a;
    V row[NV];
    row[0] = load<V>(all_b + met->b);
    if constexpr (NV == 2) row[1] = load<V>(all_b1 + met->b);
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      const V x = splat<V>(a[i]);
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] += x * row[j];
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) store<V>(t.sums + i * t.row + j * L, acc[i][j]);
}

// `rows` (at most a vector's) terms; sums has room for the whole vector. A tile of four rows is no slower than one of
// fewer: its eight sums are what keeps the processor's pipelines filled.
template <class T, int NV>
WEFT_INLINE void sum_rows(int64_t rows, SumTile<T> t) {
  constexpr int L = lanes<vec_of<T>>, most = kSumRows < L ? kSumRows : L, least = most < 4 ? most : 4;
  for (; rows > 0; rows -= most, t.a += most, t.sums += most * t.row)
    rows > least ? sum_tile<T, most, NV>(t) : sum_tile<T, least, NV>(t);
}
template <class T>
WEFT_INLINE void run_sum_tiles(int vecs, int64_t rows, const SumTile<T>& t) {
  vecs == 1 ? sum_rows<T, 1>(rows, t) : sum_rows<T, 2>(rows, t);
}

}  // namespace weft::WEFT_ISA::conv
