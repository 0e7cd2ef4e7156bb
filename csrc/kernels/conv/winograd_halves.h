// Convolutions with filters of 4x4 and stride 2 by Winograd's F(4x4, 2x2). Forward they are four convolutions with
// filters of 2x2 and stride 1, added up: one for each half of the rows that are read (even and odd ones) with each half
// of the columns. Backward each half of the outputs is such a convolution of its own. A tile of 4x4 outputs takes 25
// products for each half, 100 instead of 256; forward, the halves are added up as if they were channels.
//
// Points 1/2, -1/2, 5/4, -5/4 and infinity: errors hardly larger than those of the direct way. Channels in whole
// vectors of any instruction set, and planes alone.
#pragma once

#include "kernels/conv/box.h"
#include "kernels/conv/filters.h"
#include "kernels/conv/winograd_transforms.h"

namespace weft::WEFT_ISA::conv::halves {

constexpr int kPoints = 25;
constexpr float kA = 0.5f, kB = 1.25f, kA2 = kA * kA, kB2 = kB * kB, kScaleA = 1 / (2 * kA * (kA2 - kB2)),
                kScaleB = 1 / (2 * kB * (kB2 - kA2));

template <class T>
bool fits(const Pass& p) {
  auto axis = [](const Axis& a) { return a.a.kernel == 4 && a.a.stride == 2 && a.a.dilation == 1 && a.outputs() > 1; };
  const ConvAxis& depths = p.axes.depths.a;
  return sizeof(T) == 4 && p.groups == 1 && p.channels % 16 == 0 && p.m % 16 == 0 && depths.in == 1 &&
         depths.out == 1 && depths.kernel == 1 && depths.pad == 0 && axis(p.axes.rows) && axis(p.axes.cols);
}

// ---- one axis ----

// Outputs of a half: first_output, first_output + output_step(), …; forward, both halves have all.
WEFT_INLINE int64_t first_output(const Axis& a, int64_t half) { return a.backward ? a.output_start(half) & 1 : 0; }
WEFT_INLINE int64_t outputs_of(const Axis& a, int64_t half) {
  return divide_up(a.outputs() - first_output(a, half), a.output_step());
}
WEFT_INLINE int64_t tiles_along(const Axis& a) { return divide_up(divide_up(a.outputs(), a.output_step()), 4); }

// The five elements that tile i of a half reads: source_start, source_start + step(), …
WEFT_INLINE int64_t source_start(const Axis& a, int64_t half, int64_t i) {
  if (!a.backward) return i * 8 + half - a.a.pad;
  return a.first + i * 4 + (first_output(a, half) - a.output_start(half)) / 2 - 1;
}
// The grid positions of tiles in either half.
WEFT_INLINE Range positions_of(const Axis& a, Range tiles) {
  return {tiles.begin * 4, smaller(a.grid, tiles.end * 4 + (a.backward ? 1 : 0))};
}

WEFT_INLINE double tiles_of(const Pass& p) {
  return (double)p.images * tiles_along(p.axes.rows) * tiles_along(p.axes.cols);
}
WEFT_INLINE Box positions_of(const Pass& p, const Box& b) {
  return {b.images, b.depths, positions_of(p.axes.rows, b.rows), positions_of(p.axes.cols, b.cols)};
}
WEFT_INLINE Boxes positions_of(Boxes b) {
  b.rows = b.rows * 4 + 1;
  b.cols = b.cols * 4 + 1;
  return b;
}

// ---- transformations along one axis; elements are `step` apart ----

template <class V>
WEFT_INLINE void transform_input(V* t, const V* d, int step) {
  const V u = d[3 * step] - kB2 * d[step], v = d[2 * step] - kB2 * d[0];
  const V e = d[3 * step] - kA2 * d[step], f = d[2 * step] - kA2 * d[0];
  t[0] = u + kA * v;
  t[step] = u - kA * v;
  t[2 * step] = e + kB * f;
  t[3 * step] = e - kB * f;
  t[4 * step] = d[4 * step] + (kA2 * kB2 * d[0] - (kA2 + kB2) * d[2 * step]);
}
template <class V>
WEFT_INLINE void transform_filter(V* t, const V* g, int step) {
  const V a0 = kScaleA * g[0], a1 = kA * kScaleA * g[step], b0 = kScaleB * g[0], b1 = kB * kScaleB * g[step];
  t[0] = a1 + a0;
  t[step] = a1 - a0;
  t[2 * step] = b1 + b0;
  t[3 * step] = b1 - b0;
  t[4 * step] = g[step];
}
template <class V>
WEFT_INLINE void transform_output(V* y, const V* m, int step, int y_step) {
  const V s = m[0] + m[step], d = m[0] - m[step];
  const V s2 = m[2 * step] + m[3 * step], d2 = m[2 * step] - m[3 * step];
  y[0] = s + s2;
  y[y_step] = kA * d + kB * d2;
  y[2 * y_step] = kA2 * s + kB2 * s2;
  y[3 * y_step] = kA2 * kA * d + (kB2 * kB * d2 + m[4 * step]);
}
// And transposed: outputs to points, points to filters.
template <class V>
WEFT_INLINE void transform_gradient(V* m, const V* y, int step, int y_step) {
  const V even = y[0] + kA2 * y[2 * y_step], odd = kA * y[y_step] + kA2 * kA * y[3 * y_step];
  const V even2 = y[0] + kB2 * y[2 * y_step], odd2 = kB * y[y_step] + kB2 * kB * y[3 * y_step];
  m[0] = even + odd;
  m[step] = even - odd;
  m[2 * step] = even2 + odd2;
  m[3 * step] = even2 - odd2;
  m[4 * step] = y[3 * y_step];
}
template <class V>
WEFT_INLINE void transform_sum(V* g, const V* t, int step, int g_step) {
  g[0] = kScaleA * (t[0] - t[step]) + kScaleB * (t[2 * step] - t[3 * step]);
  g[g_step] = kA * kScaleA * (t[0] + t[step]) + (kB * kScaleB * (t[2 * step] + t[3 * step]) + t[4 * step]);
}

// ---- tiles ----

// Where what is transformed goes: of a half, a point, a vector of channels in a block of `vecs` of them, and a tile.
struct Spread {
  int64_t half, point, block, vecs, tile;
};

// What the tiles of a box read, for all four halves; what no output of the box needs counts as zeros.
template <class T>
WEFT_ONE_COPY void transform_inputs(const Pass& p, T* to, const Spread& s, const Box& box, const Source<T>& source,
                                    const T* zeros) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Axis &rows = p.axes.rows, &cols = p.axes.cols;
  const Box read = positions_of(p, box);
  const Range held_rows = held(rows, read.rows, false), held_cols = held(cols, read.cols, false);
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t i = box.rows.begin; i < box.rows.end; ++i)
      for (int64_t j = box.cols.begin; j < box.cols.end; ++j, to += s.tile)
        for (int64_t half = 0; half < 4; ++half) {
          const T* from[kPoints];
          const int64_t r0 = source_start(rows, half / 2, i), c0 = source_start(cols, half % 2, j);
          for (int k = 0; k < kPoints; ++k) {
            const int64_t r = r0 + k / 5 * rows.step(), c = c0 + k % 5 * cols.step();
            const bool in = r >= held_rows.begin && r < held_rows.end && c >= held_cols.begin && c < held_cols.end;
            from[k] = in ? source.at(n, 0, r, c) : zeros;
          }
          for (int64_t v = 0; v < p.channels / L; ++v) {
            V partly[kPoints];
#pragma GCC unroll 5
            for (int k = 0; k < 5; ++k) {
              V d[5];
#pragma GCC unroll 5
              for (int l = 0; l < 5; ++l) d[l] = load<V>(from[k * 5 + l] + v * L);
              transform_input(partly + k * 5, d, 1);
            }
            T* at = to + half * s.half + v / s.vecs * s.block + v % s.vecs * L;
#pragma GCC unroll 5
            for (int l = 0; l < 5; ++l) {
              V t[kPoints];
              transform_input(t + l, partly + l, 5);
#pragma GCC unroll 5
              for (int k = 0; k < 5; ++k) store<V>(at + (k * 5 + l) * s.point, t[k * 5 + l]);
            }
          }
        }
}

// n elements of each of four neighbouring taps, to points that lie `point` apart.
template <class T>
void transform_filters(T* to, int64_t point, const T* const* taps, int64_t n) {
  using V = vec_of<T>;
  for (int64_t i = 0; i < n; i += kLane<T>) {
    V g[4], partly[10];
#pragma GCC unroll 4
    for (int tap = 0; tap < 4; ++tap) g[tap] = load<V>(taps[tap] + i);
    transform_filter(partly, g, 2);
    transform_filter(partly + 1, g + 1, 2);
#pragma GCC unroll 5
    for (int k = 0; k < 5; ++k) {
      V t[5];
      transform_filter(t, partly + k * 2, 1);
#pragma GCC unroll 5
      for (int l = 0; l < 5; ++l) store<V>(to + (k * 5 + l) * point + i, t[l]);
    }
  }
}

// Where outputs lie: (n, y, x) at data + n * image + y * row + x * col.
template <class T>
struct Place {
  T* data;
  int64_t image, row, col;
};

// The products of a panel for one half, [25 points, tiles, width], back to its outputs.
template <class T>
void transform_outputs(const Pass& p, const T* from, int64_t point, const Box& box, int64_t half, int64_t width,
                       const T* bias, bool relu, const Place<T>& to) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Axis &rows = p.axes.rows, &cols = p.axes.cols;
  const int64_t step = rows.output_step(), row = to.row * step, col = to.col * step;
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t i = box.rows.begin; i < box.rows.end; ++i)
      for (int64_t j = box.cols.begin; j < box.cols.end; ++j, from += width) {
        const int64_t height = smaller(4, outputs_of(rows, half / 2) - i * 4);
        const int64_t line = smaller(4, outputs_of(cols, half % 2) - j * 4);
        T* base = to.data + n * to.image + (first_output(rows, half / 2) + i * 4 * step) * to.row +
                  (first_output(cols, half % 2) + j * 4 * step) * to.col;
        for (int64_t c = 0; c < width; c += L) {
          V partly[20], y[16];
#pragma GCC unroll 5
          for (int l = 0; l < 5; ++l) {
            V m[5];
#pragma GCC unroll 5
            for (int k = 0; k < 5; ++k) m[k] = load<V>(from + (k * 5 + l) * point + c);
            transform_output(partly + l, m, 1, 5);
          }
          const V shift = bias ? load<V>(bias + c) : V{};
#pragma GCC unroll 4
          for (int k = 0; k < 4; ++k) transform_output(y + k * 4, partly + k * 5, 1, 1);
          for (int64_t r = 0; r < height; ++r)
            for (int64_t l = 0; l < line; ++l) {
              const V v = y[r * 4 + l] + shift;
              store<V>(base + r * row + l * col + c, relu ? mm::relu(v) : v);
            }
        }
      }
}

}  // namespace weft::WEFT_ISA::conv::halves
