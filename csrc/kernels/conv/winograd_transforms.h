// 3x3 convolutions of stride 1 by Winograd's F(4x4, 3x3): 36 multiplications for 16 outputs instead of 144 (Lavin,
// Gray, Fast algorithms for convolutional neural networks, 2016). Tiles of 6x6 inputs and all filters are transformed,
// 36 products over the channels follow, and their results are transformed back. The gradient of the filters is the same
// read backwards: the transposed transformations of dy and of the sums over the tiles. Points 0, 5/8, -5/8, 3/2, -3/2
// and infinity: errors a third of those with 1 and 2, some three times those of the direct way. Float alone.
#pragma once

#include "kernels/conv/box.h"
#include "kernels/conv/filters.h"

namespace weft::WEFT_ISA::conv {

constexpr int kPoints = 36;

// Elements from one point to the next: not a multiple of a page, for all points of a tile are written together and
// would meet in one set of the cache.
WEFT_INLINE int64_t point_size(int64_t rows, int64_t width) { return rows * width + 16; }

WEFT_INLINE int64_t tile_rows_of(const Pass& p) { return divide_up(p.axes.rows.grid, 4); }
WEFT_INLINE int64_t tile_cols_of(const Pass& p) { return divide_up(p.axes.cols.grid, 4); }

WEFT_INLINE double winograd_tiles(const Pass& p) {
  return (double)p.images * p.axes.depths.grid * tile_rows_of(p) * tile_cols_of(p);
}

// The outputs of a box of tiles.
WEFT_INLINE Box pixels_of(const Pass& p, const Box& b) {
  return {b.images,
          b.depths,
          {b.rows.begin * 4, smaller(p.axes.rows.grid, b.rows.end * 4)},
          {b.cols.begin * 4, smaller(p.axes.cols.grid, b.cols.end * 4)}};
}
WEFT_INLINE Boxes pixels_of(Boxes b) {
  b.rows *= 4;
  b.cols *= 4;
  return b;
}

template <class T>
bool winograd_fits(const Pass& p) {
  auto fits = [](const ConvAxis& a) { return a.kernel == 3 && a.stride == 1 && a.dilation == 1; };
  const ConvAxis& depths = p.axes.depths.a;
  return sizeof(T) == 4 && p.groups == 1 && p.channels >= 32 && p.m >= 32 && depths.stride == 1 &&
         depths.dilation == 1 && fits(p.axes.rows.a) && fits(p.axes.cols.a);
}
WEFT_INLINE bool is_planar(const Pass& p) { return p.axes.depths.a.kernel == 1 && p.axes.depths.a.pad == 0; }

// Points a, -a, b, -b, and the numbers that filters are divided by. All but the last two are exact.
constexpr float kA = 0.625f, kB = 1.5f, kA2 = kA * kA, kB2 = kB * kB, kA2B2 = kA2 * kB2;
constexpr float kScaleA = 1 / (2 * kA2 * (kA2 - kB2)), kScaleB = 1 / (2 * kB2 * (kB2 - kA2));

// Along one axis: elements are `step` apart.
template <class V>
WEFT_INLINE void transform_input(V* t, const V* d, int step) {
  const V u = d[4 * step] - kB2 * d[2 * step], v = d[3 * step] - kB2 * d[step];
  const V e = d[4 * step] - kA2 * d[2 * step], f = d[3 * step] - kA2 * d[step];
  t[0] = d[4 * step] + (kA2B2 * d[0] - (kA2 + kB2) * d[2 * step]);
  t[step] = u + kA * v;
  t[2 * step] = u - kA * v;
  t[3 * step] = e + kB * f;
  t[4 * step] = e - kB * f;
  t[5 * step] = d[5 * step] + (kA2B2 * d[step] - (kA2 + kB2) * d[3 * step]);
}
template <class V>
WEFT_INLINE void transform_filter(V* t, const V* g, int step) {
  const V even = kScaleA * g[0] + kA2 * kScaleA * g[2 * step], odd = kA * kScaleA * g[step];
  const V even2 = kScaleB * g[0] + kB2 * kScaleB * g[2 * step], odd2 = kB * kScaleB * g[step];
  t[0] = g[0] * (1 / kA2B2);
  t[step] = even + odd;
  t[2 * step] = even - odd;
  t[3 * step] = even2 + odd2;
  t[4 * step] = even2 - odd2;
  t[5 * step] = g[2 * step];
}
template <class V>
WEFT_INLINE void transform_output(V* y, const V* m, int step, int y_step) {
  const V s = m[step] + m[2 * step], d = m[step] - m[2 * step];
  const V s2 = m[3 * step] + m[4 * step], d2 = m[3 * step] - m[4 * step];
  y[0] = m[0] + s + s2;
  y[y_step] = kA * d + kB * d2;
  y[2 * y_step] = kA2 * s + kB2 * s2;
  y[3 * y_step] = kA2 * kA * d + (kB2 * kB * d2 + m[5 * step]);
}

// And transposed: outputs to points, points to filters.
template <class V>
WEFT_INLINE void transform_gradient(V* m, const V* y, int step, int y_step) {
  const V even = y[0] + kA2 * y[2 * y_step], odd = kA * y[y_step] + kA2 * kA * y[3 * y_step];
  const V even2 = y[0] + kB2 * y[2 * y_step], odd2 = kB * y[y_step] + kB2 * kB * y[3 * y_step];
  m[0] = y[0];
  m[step] = even + odd;
  m[2 * step] = even - odd;
  m[3 * step] = even2 + odd2;
  m[4 * step] = even2 - odd2;
  m[5 * step] = y[3 * y_step];
}
template <class V>
WEFT_INLINE void transform_sum(V* g, const V* t, int step, int g_step) {
  const V s = kScaleA * (t[step] + t[2 * step]), d = kScaleA * (t[step] - t[2 * step]);
  const V s2 = kScaleB * (t[3 * step] + t[4 * step]), d2 = kScaleB * (t[3 * step] - t[4 * step]);
  g[0] = t[0] * (1 / kA2B2) + (s + s2);
  g[g_step] = kA * d + kB * d2;
  g[2 * g_step] = kA2 * s + (kB2 * s2 + t[5 * step]);
}

// Where a tile's transformed values go: point p, vector v of channels to p * point + v * vec. Whole: there is room for
// whole vectors.
struct PointStrides {
  int64_t point, vec;
  bool whole;
};

// What the tiles of a box read, transformed; tiles are `tile` apart. Depths are those of the source, padding too.
template <class T>
WEFT_ONE_COPY void transform_inputs(const Pass& p, T* to, int64_t tile, const PointStrides& s, const Box& box,
                                    const Source<T>& source, const T* zeros) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Axis &rows = p.axes.rows, &cols = p.axes.cols;
  const int64_t first_tap = rows.backward ? 2 : 0;
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t z = box.depths.begin; z < box.depths.end; ++z)
      for (int64_t i = box.rows.begin; i < box.rows.end; ++i)
        for (int64_t j = box.cols.begin; j < box.cols.end; ++j, to += tile) {
          const T* from[kPoints];
          const int64_t r0 = rows.at(i * 4, first_tap), c0 = cols.at(j * 4, first_tap);
          for (int k = 0; k < kPoints; ++k) {
            const int64_t r = r0 + k / 6, c = c0 + k % 6;
            const bool in = (uint64_t)z < (uint64_t)p.axes.depths.source() && (uint64_t)r < (uint64_t)rows.source() &&
                            (uint64_t)c < (uint64_t)cols.source();
            from[k] = in ? source.at(n, z, r, c) : zeros;
          }
          for (int64_t c = 0; c < p.channels; c += L) {
            const int64_t left = smaller(L, p.channels - c);
            V half[kPoints];
#pragma GCC unroll 6
            for (int k = 0; k < 6; ++k) {
              V d[6];
#pragma GCC unroll 6
              for (int l = 0; l < 6; ++l)
                d[l] = left == L ? load<V>(from[k * 6 + l] + c) : load_n<V>(from[k * 6 + l] + c, left);
              transform_input(half + k * 6, d, 1);
            }
#pragma GCC unroll 6
            for (int l = 0; l < 6; ++l) {
              V t[kPoints];
              transform_input(t + l, half + l, 6);
#pragma GCC unroll 6
              for (int k = 0; k < 6; ++k) {
                T* at = to + (k * 6 + l) * s.point + c / L * s.vec;
                s.whole || left == L ? store<V>(at, t[k * 6 + l]) : store_n<V>(at, t[k * 6 + l], left);
              }
            }
          }
        }
}

}  // namespace weft::WEFT_ISA::conv
