// The gradient of depthwise filters: a filter row at a time, its sums in registers. Pieces own strips of channels and
// some of the blocks; their sums are added up in order.
#pragma once

#include "kernels/conv/depth_pass.h"

namespace weft::WEFT_ISA::conv {

// Blocks of few rows and strips of few vectors, which stay in the first-level cache while the rows of a filter pass.
template <class T>
DepthCut cut_depth_weight(const ConvShape& s, bool x_last, bool dy_last) {
  constexpr int64_t kRoom = 24 * 1024 / sizeof(T) / kLane<T>;
  DepthCut c{{s.depths, false}, {s.rows, false}, {s.cols, false}, s.images, s.groups, 0, 0, 0, 0, 0, 0, 0};
  const int64_t per_row = s.cols.out + s.cols.in * s.depths.kernel * s.rows.stride;
  c.block_rows = smaller(s.rows.out, larger(4, kRoom / per_row));
  set_rooms<T>(c, s, x_last, dy_last);
  const int64_t lines = s.depths.kernel * s.rows.kernel, wide = larger(1, kRoom / (lines * s.cols.in));
  c.strips = divide_up(Vectors<T>(s.groups).whole, wide);
  return c;
}
// The parts that the blocks of a strip are divided into.
WEFT_INLINE int64_t depth_splits(const DepthCut& c) { return smaller(c.blocks, divide_up(8, c.strips)); }

template <class T>
void sum_line_pairs(const DepthSums<T>& t) {
  if constexpr (sizeof(T) == 4) {
    if (t.dilation == 1 && t.stride == 1) {
      if (t.taps == 3) return depth_sums<T, 3, 1>(t);
      if (t.taps == 5) return depth_sums<T, 5, 1>(t);
      if (t.taps == 7) return depth_sums<T, 7, 1>(t);
    }
    if (t.dilation == 1 && t.stride == 2) {
      if (t.taps == 3) return depth_sums<T, 3, 2>(t);
      if (t.taps == 5) return depth_sums<T, 5, 2>(t);
    }
  }
  depth_sums_from(t, 0);
}

// sums: [splits, vectors, taps, lanes]
template <class T>
void sum_depth_weights(const DepthCut& c, T* sums, const T* x, bool x_last, const T* dy, bool dy_last, char* scratch,
                       int workers) {
  constexpr int L = kLane<T>;
  const ConvAxis& cols = c.cols.a;
  const Strides from = strides_of(x_last, c.channels, c.depths.source(), c.rows.source(), c.cols.source());
  const Strides other = strides_of(dy_last, c.channels, c.depths.outputs(), c.rows.outputs(), c.cols.outputs());
  const Vectors<T> vecs(c.channels);
  const int64_t filter_lines = c.depths.a.kernel * c.rows.a.kernel, width = c.cols.outputs();
  const int64_t taps = filter_lines * cols.kernel, splits = depth_splits(c);
  parallel(
      c.strips * splits,
      [&](int64_t index, int worker) {
        T* room = (T*)(scratch + worker * c.worker_room);
        T* buffer = room + c.source_room;
        LinePair<T>* pairs = (LinePair<T>*)(room + divide_up(c.source_room + c.other_room, 16) * 16);
        const int64_t split = index / c.strips;
        const Range strip = vecs.range(index % c.strips, c.strips), blocks = share(split, splits, c.blocks);
        T* to = sums + split * vecs.count * taps * L;
        for (int64_t i = strip.begin * taps * L; i < strip.end * taps * L; ++i) to[i] = 0;
        DepthSums<T> t{};
        t.pairs = pairs;
        t.source_cols = c.cols.source();
        t.dy_step = dy_last ? other.col : L;
        t.cols = width;
        t.taps = cols.kernel;
        t.pad = cols.pad;
        t.stride = cols.stride;
        t.dilation = cols.dilation;
        for (int64_t n = blocks.begin; n < blocks.end; ++n) {
          const DepthBlock b = depth_block(c, n);
          for (int64_t i = strip.begin; i < strip.end; ++i) {
            const int64_t channel = vecs.at(i), row = dy_last ? other.row : width * L;
            const DepthLines<T> lines = take_lines(c, b, x + channel * from.channel, from, room);
            const T* first =
                dy + channel * other.channel + b.image * other.image + b.depth * other.depth + b.rows.begin * other.row;
            if (!dy_last) {
              mm::pack_panel(buffer, L, first, 1, other.channel, b.rows.size() * width, L);
              first = buffer;
            }
            t.source_step = lines.step;
            for (int64_t line = 0; line < filter_lines; ++line) {
              const int64_t h = line / c.rows.a.kernel, d = c.depths.met(b.depth, h);
              if (d < 0) continue;
              t.count = 0;
              for (int64_t y = b.rows.begin; y < b.rows.end; ++y)
                if (const int64_t r = c.rows.met(y, line % c.rows.a.kernel); r >= 0)
                  pairs[t.count++] = {lines.at(x_last ? d : h, r), first + (y - b.rows.begin) * row};
              const bool first_rows = line % c.rows.a.kernel < c.rows.a.stride;
              t.source_ahead = x_last && first_rows ? c.block_rows * c.rows.a.stride * from.row : 0;
              t.dy_ahead = dy_last && line == 0 ? c.block_rows * other.row : 0;
              t.sums = to + (i * filter_lines + line) * t.taps * L;
              sum_line_pairs(t);
            }
          }
        }
      },
      workers);
}

// dweight[channel, tap] = the sum over splits of sums[split, vector, tap, lane]
template <class T>
void combine_depth_weights(const DepthCut& c, T* dweight, const T* sums) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Vectors<T> vecs(c.channels);
  const int64_t taps = c.depths.a.kernel * c.rows.a.kernel * c.cols.a.kernel, splits = depth_splits(c);
  for (int64_t i = 0; i < vecs.count; ++i)
    for (int64_t tap = 0; tap < taps; tap += L) {
      V v[L];
      const int64_t n = smaller(L, taps - tap);
      for (int64_t j = 0; j < L; ++j) {
        v[j] = V{};
        const T* from = sums + (i * taps + tap + j) * L;
        for (int64_t split = 0; split < splits && j < n; ++split) v[j] += load<V>(from + split * vecs.count * taps * L);
      }
      mm::transpose(v);
      for (int64_t j = 0; j < L; ++j) store_n<V>(dweight + (vecs.at(i) + j) * taps + tap, v[j], n);
    }
}

}  // namespace weft::WEFT_ISA::conv
