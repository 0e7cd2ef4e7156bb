// The two register tiles of the convolutions. Both read an operand through a table of offsets, so that a shifted view
// of a padded plane serves as a matrix row and no column matrix is written.
#pragma once

#include "kernels/matmul/activation.h"

namespace weft::WEFT_ISA::conv {

#if WEFT_AVX512
constexpr int kRows = 8, kVecs = 3;  // 24 accumulators of 32 registers
#elif WEFT_AVX2
constexpr int kRows = 4, kVecs = 3;  // 12 of 16
#else
constexpr int kRows = 4, kVecs = 2;  // 8 of 16: without FMA a product needs a register
#endif

constexpr int kVecsOfOne = 6;  // a single row has registers for longer tiles

template <class T>
constexpr int kLanes = lanes<vec_of<T>>;
template <class T>
constexpr int kTile = kVecs * kLanes<T>;  // pixels across
template <class T>
constexpr int kLongTile = kVecsOfOne * kLanes<T>;

// out[i, j] = bias[i] + sum over k of a[i, k] * b[offset[k] + j], for i < MR and j < NV vectors. The last vector of b
// has `tail` elements (0: all); the columns behind them are 0 + bias. With `clip` the larger of out and 0.
template <class T>
struct PixelTile {
  const T* a;
  int64_t a_row, k;
  const T* b;
  const int64_t* offset;
  const T* bias;  // or null
  bool clip;
  T* out;
  int64_t out_row;
  int64_t tail;
};

template <class T, int MR, int NV, bool Tail>
void pixel_tile(const PixelTile<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V acc[MR][NV];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) acc[i][j] = splat<V>(t.bias ? t.bias[i] : T(0));
  const T* a = t.a;
  const int64_t* offset = t.offset;
  const int64_t a_row = t.a_row, tail = t.tail;
  for (int64_t k = t.k; k > 0; --k, ++a, ++offset) {
    const T* b = t.b + *offset;
    V row[NV];
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) row[j] = Tail && j == NV - 1 ? load_n<V>(b + j * L, tail) : load<V>(b + j * L);
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i) {
      V x = splat<V>(a[i * a_row]);
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) acc[i][j] += x * row[j];
    }
  }
  if (t.clip)
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) acc[i][j] = mm::relu(acc[i][j]);
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) store<V>(t.out + i * t.out_row + j * L, acc[i][j]);
}

template <class T, int MR, int NV>
WEFT_INLINE void pixel_tile_tail(const PixelTile<T>& t) {
  t.tail ? pixel_tile<T, MR, NV, true>(t) : pixel_tile<T, MR, NV, false>(t);
}
template <class T, int MR>
WEFT_INLINE void pixel_tile_of(int vecs, const PixelTile<T>& t) {
  constexpr int most = MR == 1 ? kVecsOfOne : kVecs;
  if (vecs == 1) return pixel_tile_tail<T, MR, 1>(t);
  if (vecs == 2) return pixel_tile_tail<T, MR, 2>(t);
  if constexpr (most >= 3)
    if (vecs == 3) return pixel_tile_tail<T, MR, 3>(t);
  if constexpr (most >= 4) {
    if (vecs == 4) return pixel_tile_tail<T, MR, 4>(t);
    if (vecs == 5) return pixel_tile_tail<T, MR, 5>(t);
    if (vecs == 6) return pixel_tile_tail<T, MR, 6>(t);
  }
}

// rows: 8 (AVX-512 alone), 4, 2 or 1.
template <class T>
void run_pixel_tile(int rows, int vecs, const PixelTile<T>& t) {
#if WEFT_AVX512
  if (rows == 8) return pixel_tile_of<T, 8>(vecs, t);
#endif
  if (rows == 4) return pixel_tile_of<T, 4>(vecs, t);
  if (rows == 2) return pixel_tile_of<T, 2>(vecs, t);
  return pixel_tile_of<T, 1>(vecs, t);
}

WEFT_INLINE int rows_of_tile(int64_t left) { return left >= kRows ? kRows : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

// c[i, j] += sum over the pixels (r, p) of a[offset[i] + r * a_width + p] * b[(r * cols + p) * b_row + j]:
// i < MR weights of a filter, j < NV vectors of output channels.
template <class T>
struct WeightTile {
  const T* a;
  const int64_t* offset;
  int64_t a_width, rows, cols;
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
};

template <class T, int MR, int NV>
void weight_tile(const WeightTile<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V acc[MR][NV];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) acc[i][j] = load<V>(t.c + i * t.c_row + j * L);
  const T* a[MR];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) a[i] = t.a + t.offset[i];
  const T* b = t.b;
  const int64_t b_row = t.b_row;
  for (int64_t r = 0; r < t.rows; ++r) {
    int64_t at = r * t.a_width;
    for (int64_t end = at + t.cols; at < end; ++at, b += b_row) {
      V row[NV];
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) row[j] = load<V>(b + j * L);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) {
        V x = splat<V>(a[i][at]);
#pragma GCC unroll 8
        for (int j = 0; j < NV; ++j) acc[i][j] += x * row[j];
      }
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) store<V>(t.c + i * t.c_row + j * L, acc[i][j]);
}

template <class T, int MR>
WEFT_INLINE void weight_tile_of(int vecs, const WeightTile<T>& t) {
  if (vecs == 1) return weight_tile<T, MR, 1>(t);
#if WEFT_AVX512 || WEFT_AVX2
  if (vecs == 3) return weight_tile<T, MR, 3>(t);
#endif
  return weight_tile<T, MR, 2>(t);
}
template <class T>
void run_weight_tile(int rows, int vecs, const WeightTile<T>& t) {
#if WEFT_AVX512
  if (rows == 8) return weight_tile_of<T, 8>(vecs, t);
#endif
  if (rows == 4) return weight_tile_of<T, 4>(vecs, t);
  if (rows == 2) return weight_tile_of<T, 2>(vecs, t);
  return weight_tile_of<T, 1>(vecs, t);
}

// For few output channels, lanes along the pixels: c[i * c_row] += sum over (r, p) of a[offset[i] + r * a_width + p] *
// dy[r * dy_width + p].
template <class T, int MR>
void weight_dots(const T* plane, const int64_t* offset, int64_t a_width, const T* dy, int64_t dy_width, int64_t rows,
                 int64_t cols, T* c, int64_t c_row) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V acc[MR];
  const T* a[MR];
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) {
    acc[i] = V{};
    a[i] = plane + offset[i];
  }
  for (int64_t r = 0; r < rows; ++r, dy += dy_width) {
    int64_t at = r * a_width, p = 0;
    for (; p + L <= cols; p += L) {
      V y = load<V>(dy + p);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) acc[i] += y * load<V>(a[i] + at + p);
    }
    if (p < cols) {
      V y = load_n<V>(dy + p, cols - p);
#pragma GCC unroll 8
      for (int i = 0; i < MR; ++i) acc[i] += y * load_n<V>(a[i] + at + p, cols - p);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MR; ++i) c[i * c_row] += hsum(acc[i]);
}

}  // namespace weft::WEFT_ISA::conv
