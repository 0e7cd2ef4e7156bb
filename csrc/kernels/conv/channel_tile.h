// The register tile whose lanes run along output channels.
#pragma once

#include "kernels/matmul/activation.h"

namespace weft::WEFT_ISA::conv {

// Vectors of a panel of filters, and the outputs that a tile has: a pointer each. Wider panels would have to come from
// the second-level cache faster than it delivers.
constexpr int kPanelVecs = 2;
#if WEFT_AVX512
constexpr int kTileRows = 8;
#elif WEFT_AVX2
constexpr int kTileRows = 6;
#else
constexpr int kTileRows = 4;
#endif

// Rows of the tiles that n outputs are cut into: images of sizes that are multiples of seven are common.
WEFT_INLINE int64_t tile_rows([[maybe_unused]] int64_t n) {
#if WEFT_AVX512
  if ((n + 6) / 7 * 7 < (n + 7) / 8 * 8) return 7;
#endif
  return kTileRows;
}

// out[i][j] = (add ? out[i][j] : bias[j]) + the sum over runs r < runs and c < length of
// in[i + r * run][from + c] * weight[(r * length + c) * NV vectors + j], for i < rows and j < channels, which the NV
// vectors hold; with `clip` the larger of that and 0. out[i] is out + at[i], or out + i * NV vectors.
template <class T>
struct ChannelTile {
  const T* const* in;
  const T* zeros;  // runs that begin here add nothing; or null
  int64_t run, runs, from, length;
  const T* weight;
  const T* ahead;  // what to fetch into the cache meanwhile, `ahead_step` further for each row of weights; or null
  int64_t ahead_step;
  const T* bias;  // or null
  bool add, clip;
  T* out;
  const int64_t* at;  // or null
  int rows;
  int64_t channels;
};

// Whether run r is padding for all outputs.
template <class T>
WEFT_INLINE bool meets_nothing(const ChannelTile<T>& t, int64_t r) {
  int i = 0;
  while (i < t.rows && t.in[i + r * t.run] == t.zeros) ++i;
  return i == t.rows;
}

template <class T, int NV, int MR>
void channel_tile(const ChannelTile<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V acc[MR][NV];
  T* to[MR];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) to[i] = t.out + (i >= t.rows ? 0 : t.at ? t.at[i] : i * NV * L);
  const int64_t tail = t.channels - (NV - 1) * L;
  if (t.add) {
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = j < NV - 1 ? load<V>(to[i] + j * L) : load_n<V>(to[i] + j * L, tail);
  } else {
#pragma GCC unroll 4
    for (int j = 0; j < NV; ++j) {
      const V b = !t.bias ? V{} : j < NV - 1 ? load<V>(t.bias + j * L) : load_n<V>(t.bias + j * L, tail);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) acc[i][j] = b;
    }
  }
  const T* w = t.weight;
  const T* ahead = t.ahead ? t.ahead : w;
  const int64_t length = t.length, from = t.from, ahead_step = t.ahead_step;
  for (int64_t r = 0; r < t.runs; ++r) {
    if (meets_nothing(t, r)) {
      w += length * NV * L;
      ahead += length * ahead_step;
      continue;
    }
    const T* a[MR];
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) a[i] = t.in[(i < t.rows ? i : 0) + r * t.run] + from;
    for (int64_t c = 0; c < length; ++c, w += NV * L, ahead += ahead_step) {
      __builtin_prefetch(ahead);
      V row[NV];
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) row[j] = load<V>(w + j * L);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        const V x = splat<V>(a[i][c]);
#pragma GCC unroll 4
        for (int j = 0; j < NV; ++j) acc[i][j] += x * row[j];
      }
    }
  }
  if (t.clip)
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < NV; ++j) acc[i][j] = mm::relu(acc[i][j]);
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) {
    if (i >= t.rows) break;
#pragma GCC unroll 4
    for (int j = 0; j < NV - 1; ++j) store<V>(to[i] + j * L, acc[i][j]);
    if (tail >= L)
      store<V>(to[i] + (NV - 1) * L, acc[i][NV - 1]);
    else
      store_n<V>(to[i] + (NV - 1) * L, acc[i][NV - 1], tail);
  }
}

template <class T>
WEFT_INLINE void run_channel_tile(int vecs, const ChannelTile<T>& t) {
#if WEFT_AVX512
  if (t.rows == 7) return vecs == 1 ? channel_tile<T, 1, 7>(t) : channel_tile<T, 2, 7>(t);
#endif
  vecs == 1 ? channel_tile<T, 1, kTileRows>(t) : channel_tile<T, 2, kTileRows>(t);
}

}  // namespace weft::WEFT_ISA::conv
