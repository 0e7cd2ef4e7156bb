// Pieces of a pass whose lanes run along output channels: boxes of grid positions, and for each the table that says
// where every tap of every output reads. The source is read where it is if its channels are last in memory; otherwise
// a piece turns what it needs into that order first.
#pragma once

#include "kernels/conv/planes.h"
#include "kernels/matmul/pack.h"

namespace weft::WEFT_ISA::conv {

// Elements between neighbours along each axis.
struct Strides {
  int64_t image, depth, row, col, channel;
};
WEFT_INLINE Strides strides_of(bool last, int64_t channels, int64_t depths, int64_t rows, int64_t cols) {
  const int64_t plane = rows * cols, volume = depths * plane;
  if (last) return {volume * channels, plane * channels, cols * channels, channels, 1};
  return {volume * channels, plane, cols, 1, volume};
}
WEFT_INLINE Strides source_strides(const Pass& p, bool last) {
  return strides_of(last, p.groups * p.channels, p.axes.depths.source(), p.axes.rows.source(), p.axes.cols.source());
}
WEFT_INLINE Strides output_strides(const Pass& p, bool last) {
  return strides_of(last, p.groups * p.m, p.axes.depths.outputs(), p.axes.rows.outputs(), p.axes.cols.outputs());
}

struct Box {
  Range images, depths, rows, cols;
};
struct Boxes {
  int64_t images, depths, rows, cols;  // of the largest box
  int64_t image_parts, depth_parts, row_parts, col_parts;
  int64_t count() const { return image_parts * depth_parts * row_parts * col_parts; }
};

WEFT_INLINE Range share(int64_t index, int64_t parts, int64_t n) {
  return {n * index / parts, n * (index + 1) / parts};
}

// Boxes of about `most` positions of a grid: parts of an image, or several images.
WEFT_INLINE Boxes cut_grid(int64_t images, int64_t depths, int64_t rows, int64_t cols, int64_t most) {
  Boxes b{};
  b.image_parts = divide_up(images, larger(1, most / (depths * rows * cols)));
  b.depth_parts = divide_up(depths, larger(1, most / (rows * cols)));
  b.row_parts = divide_up(rows, larger(1, most / cols));
  b.col_parts = divide_up(cols, most);
  b.images = divide_up(images, b.image_parts);
  b.depths = divide_up(depths, b.depth_parts);
  b.rows = divide_up(rows, b.row_parts);
  b.cols = divide_up(cols, b.col_parts);
  return b;
}
// Of about `outputs` outputs.
WEFT_INLINE Boxes cut_boxes(const Pass& p, int64_t outputs) {
  const Axes& a = p.axes;
  return cut_grid(p.images, a.depths.grid, a.rows.grid, a.cols.grid, larger(1, outputs / a.phases()));
}
// Box i of a grid of the given sizes.
WEFT_INLINE Box box_at(const Boxes& b, int64_t images, int64_t depths, int64_t rows, int64_t cols, int64_t i) {
  const Range c = share(i % b.col_parts, b.col_parts, cols);
  i /= b.col_parts;
  const Range r = share(i % b.row_parts, b.row_parts, rows);
  i /= b.row_parts;
  return {share(i / b.depth_parts, b.image_parts, images), share(i % b.depth_parts, b.depth_parts, depths), r, c};
}
WEFT_INLINE Box box_at(const Pass& p, const Boxes& b, int64_t i) {
  return box_at(b, p.images, p.axes.depths.grid, p.axes.rows.grid, p.axes.cols.grid, i);
}

// With few channels, the columns of a filter row are one run: source elements in channels-last memory, padding and all,
// are neighbours.
WEFT_INLINE bool merges_columns(const Pass& p) {
  const ConvAxis& cols = p.axes.cols.a;
  return !p.axes.cols.backward && p.channels < 16 && cols.kernel > 1 && cols.dilation == 1;
}

// A source in channels-last order: element (image, depth, row, col) of a group's first channel.
template <class T>
struct Source {
  const T* data;
  Strides s;
  int64_t image, depth, row, col;  // what `data` points to
  const T* at(int64_t n, int64_t d, int64_t r, int64_t c) const {
    return data + (n - image) * s.image + (d - depth) * s.depth + (r - row) * s.row + (c - col) * s.col;
  }
};

WEFT_INLINE Range clip(Range r, int64_t n) { return {larger(0, r.begin), smaller(n, r.end)}; }
// What a box holds of an axis: all that it reads, the padding only of columns that are merged.
WEFT_INLINE Range held(const Axis& a, Range grid, bool padding) {
  return padding ? a.reads(grid) : clip(a.reads(grid), a.source());
}
WEFT_INLINE int64_t most_held(const Axis& a, int64_t size) {
  return a.backward ? size + a.reach : (size - 1) * a.a.stride + (a.a.kernel - 1) * a.a.dilation + 1;
}
WEFT_INLINE int64_t source_room(const Pass& p, const Boxes& b, bool last) {
  if (last && !merges_columns(p)) return 0;
  const Axes& a = p.axes;
  return b.images * most_held(a.depths, b.depths) * most_held(a.rows, b.rows) * most_held(a.cols, b.cols) * p.channels;
}

// [n] elements of `channels` each, channels last.
template <class T>
WEFT_INLINE void copy_line(T* to, const T* from, int64_t n, int64_t channels, const Strides& s) {
  if (s.channel == 1 && s.col == channels) return copy_run(to, from, n * channels);
  if (s.channel != 1) return mm::pack_panel(to, (int)channels, from, s.col, s.channel, n, (int)channels);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t c = 0; c < channels; ++c) to[i * channels + c] = from[i * s.col + c];
}

// `room` has source_room() elements.
template <class T>
Source<T> take_source(const Pass& p, const Box& b, const T* from, bool last, int64_t group, T* room) {
  const Strides s = source_strides(p, last);
  from += group * p.channels * s.channel;
  if (last && !merges_columns(p)) return {from, s, 0, 0, 0, 0};
  const Axes& a = p.axes;
  const bool padding = merges_columns(p);
  const Range depths = held(a.depths, b.depths, false), rows = held(a.rows, b.rows, false);
  const Range cols = held(a.cols, b.cols, padding), inside = clip(cols, a.cols.source());
  const int64_t channels = p.channels;
  T* to = room;
  for (int64_t n = b.images.begin; n < b.images.end; ++n)
    for (int64_t d = depths.begin; d < depths.end; ++d)
      for (int64_t r = rows.begin; r < rows.end; ++r, to += cols.size() * channels) {
        T* line = to;
        if (padding) {
          for (int64_t i = 0; i < (inside.begin - cols.begin) * channels; ++i) *line++ = 0;
          for (int64_t i = (inside.end - cols.begin) * channels; i < cols.size() * channels; ++i) to[i] = 0;
        }
        if (inside.size())
          copy_line(line, from + n * s.image + d * s.depth + r * s.row + inside.begin * s.col, inside.size(), channels,
                    s);
      }
  const Strides t = {depths.size() * rows.size() * cols.size() * channels, rows.size() * cols.size() * channels,
                     cols.size() * channels, channels, 1};
  return {room, t, b.images.begin, depths.begin, rows.begin, cols.begin};
}

// How the terms of a phase's sums are read: `count` runs of `length` neighbouring elements.
struct Runs {
  int64_t count, length;
};
WEFT_INLINE Runs runs_of(const Pass& p, const Phase& phase) {
  const Axes& a = p.axes;
  const int64_t lines =
      a.depths.taps_from(a.depths.first_tap(phase.depth)) * a.rows.taps_from(a.rows.first_tap(phase.row));
  if (merges_columns(p)) return {lines, a.cols.a.kernel * p.channels};
  return {lines * a.cols.taps_from(a.cols.first_tap(phase.col)), p.channels};
}

// n addresses from `from` on; steps: 0, 1, … times the bytes from one to the next.
template <class T>
WEFT_INLINE void count_up(const T** to, const T* from, i64v steps, int64_t n) {
  constexpr int64_t L = lanes<i64v>;
  i64v at = splat<i64v>((int64_t)from) + steps;
  for (; n >= L; n -= L, to += L, at += steps[1] * L) store<i64v>((int64_t*)to, at);
  if (n) store_n<i64v>((int64_t*)to, at, n);
}

// The outputs of one phase in a box: table[r * step + i] is where run r of output i begins (`zeros` where that is
// padding), at[i] where its first channel is written. Returns their number.
template <class T>
int64_t make_table(const T** table, int64_t step, int64_t* at, const Pass& p, const Box& b, const Phase& phase,
                   const Source<T>& source, const T* zeros, const Strides& out) {
  const Axis &depths = p.axes.depths, &rows = p.axes.rows, &cols = p.axes.cols;
  auto within = [](Range r, Range limit) { return Range{larger(r.begin, limit.begin), smaller(r.end, limit.end)}; };
  const Range ds = within(depths.positions(phase.depth), b.depths), rs = within(rows.positions(phase.row), b.rows);
  const Range cs = within(cols.positions(phase.col), b.cols);
  const int64_t depth_tap = depths.first_tap(phase.depth), row_tap = rows.first_tap(phase.row);
  const bool merged = merges_columns(p);
  const int64_t col_tap = cols.first_tap(phase.col), col_taps = merged ? 1 : cols.a.kernel, width = cs.size();
  const int64_t next = cols.step() * source.s.col;
  const i64v none{}, steps = iota<i64v>() * (next * (int64_t)sizeof(T));
  // Backward, taps count down, so that what they read counts up.
  const T** line = table + (cols.backward ? (runs_of(p, phase).count - 1) * step : 0);
  for (int64_t t = depth_tap; t < depths.a.kernel; t += depths.tap_step())
    for (int64_t k = row_tap; k < rows.a.kernel; k += rows.tap_step())
      for (int64_t l = col_tap; l < col_taps; l += cols.tap_step(), line += cols.backward ? -step : step) {
        const int64_t col = cols.at(cs.begin, l);  // merged runs hold their padding
        const Range met = merged ? Range{0, width} : inside(col, cols.step(), cols.source(), width);
        const T** to = line;
        for (int64_t n = b.images.begin; n < b.images.end; ++n)
          for (int64_t z = ds.begin; z < ds.end; ++z) {
            const int64_t d = depths.at(z, t);
            for (int64_t y = rs.begin; y < rs.end; ++y, to += width) {
              const int64_t r = rows.at(y, k);
              const bool in = d >= 0 && d < depths.source() && r >= 0 && r < rows.source();
              const int64_t begin = in ? met.begin : width, end = in ? met.end : width;
              count_up(to, zeros, none, begin);
              count_up(to + begin, source.at(n, d, r, col) + begin * next, steps, end - begin);
              count_up(to + end, zeros, none, width - end);
            }
          }
      }
  int64_t count = 0;
  for (int64_t n = b.images.begin; n < b.images.end; ++n)
    for (int64_t z = ds.begin; z < ds.end; ++z)
      for (int64_t y = rs.begin; y < rs.end; ++y) {
        int64_t to = n * out.image + (z * depths.output_step() + depths.output_start(phase.depth)) * out.depth +
                     (y * rows.output_step() + rows.output_start(phase.row)) * out.row +
                     (cs.begin * cols.output_step() + cols.output_start(phase.col)) * out.col;
        for (int64_t x = 0; x < width; ++x, to += cols.output_step() * out.col) at[count++] = to;
      }
  return count;
}

}  // namespace weft::WEFT_ISA::conv
