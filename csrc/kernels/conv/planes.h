// A block of the source, padded and dealt out to planes, one per channel and pair of slots; and the table that says
// where in it each weight of a filter reads.
#pragma once

#include "kernels/conv/axis.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA::conv {

// A rectangle of grid positions.
struct Block {
  Range rows, cols;
};

template <class T>
struct Planes {
  const T* data;                  // grid position (0, 0) of the block, channel 0
  int64_t width, plane, channel;  // strides between rows, planes and channels
};

template <class T>
WEFT_INLINE void copy_run(T* to, const T* from, int64_t n) {
  using V = vec_of<T>;
  int64_t i = 0;
  for (; i + lanes<V> <= n; i += lanes<V>) store<V>(to + i, load<V>(from + i));
  if (i < n) store_n<V>(to + i, load_n<V>(from + i, n - i), n - i);
}
template <class T>
WEFT_INLINE void zero_run(T* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = 0;
}

WEFT_INLINE int64_t plane_width(const Axis& cols, const Block& b) { return b.cols.size() + cols.reach; }
// A power of two between the channels would put them all into a few sets of the cache.
constexpr int64_t kCrowded = 128;
WEFT_INLINE int64_t plane_size(const Axis& rows, const Axis& cols, const Block& b) {
  int64_t n = (b.rows.size() + rows.reach) * plane_width(cols, b);
  return n % kCrowded ? n : n + 16;
}
// Whether the source serves as it is.
WEFT_INLINE bool in_place(const Axis& rows, const Axis& cols) {
  return rows.in_place() && cols.in_place() && rows.source() * cols.source() % kCrowded;
}

template <class T>
void pack_plane(T* to, const T* from, const Axis& rows, const Axis& cols, const Block& b, int64_t row_slot,
                int64_t col_slot) {
  const int64_t height = b.rows.size() + rows.reach, width = plane_width(cols, b);
  const int64_t row0 = rows.start(row_slot) + b.rows.begin * rows.step();
  const int64_t col0 = cols.start(col_slot) + b.cols.begin * cols.step(), step = cols.step();
  const Range in_rows = inside(row0, rows.step(), rows.source(), height);
  const Range in_cols = inside(col0, step, cols.source(), width);
  if (in_rows.size() == 0 || in_cols.size() == 0) return zero_run(to, height * width);
  zero_run(to, in_rows.begin * width);
  for (int64_t r = in_rows.begin; r < in_rows.end; ++r) {
    T* line = to + r * width;
    const T* src = from + (row0 + r * rows.step()) * cols.source() + col0;
    zero_run(line, in_cols.begin);
    if (step == 1)
      copy_run(line + in_cols.begin, src + in_cols.begin, in_cols.size());
    else if (step == 2)
      for (int64_t c = in_cols.begin; c < in_cols.end; ++c) line[c] = src[c * 2];
    else
      for (int64_t c = in_cols.begin; c < in_cols.end; ++c) line[c] = src[c * step];
    zero_run(line + in_cols.end, width - in_cols.end);
  }
  zero_run(to + in_rows.end * width, (height - in_rows.end) * width);
}

// Planes of `channels` channels whose images start at `from`; `room` holds channels * slots * plane_size elements.
template <class T>
Planes<T> make_planes(T* room, const T* from, int64_t channels, const Axis& rows, const Axis& cols, const Block& b) {
  const int64_t image = rows.source() * cols.source();
  if (in_place(rows, cols)) {
    int64_t row0 = rows.start(0) + b.rows.begin, col0 = cols.start(0) + b.cols.begin;
    return {from + row0 * cols.source() + col0, cols.source(), 0, image};
  }
  const int64_t plane = plane_size(rows, cols, b);
  T* to = room;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < rows.slots(); ++i)
      for (int64_t j = 0; j < cols.slots(); ++j, to += plane) pack_plane(to, from + c * image, rows, cols, b, i, j);
  return {room, plane_width(cols, b), plane, plane * rows.slots() * cols.slots()};
}

// offset[(channel, tap row, tap column)], taps of the given phases; returns how many.
template <class T>
int64_t make_offsets(int64_t* offset, const Planes<T>& p, int64_t channels, const Axis& rows, const Axis& cols,
                     int64_t row_phase, int64_t col_phase) {
  const int64_t row_tap = rows.first_tap(row_phase), col_tap = cols.first_tap(col_phase);
  int64_t n = 0;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t k = row_tap; k < rows.a.kernel; k += rows.tap_step())
      for (int64_t l = col_tap; l < cols.a.kernel; l += cols.tap_step())
        offset[n++] = c * p.channel + (rows.slot(k) * cols.slots() + cols.slot(l)) * p.plane + rows.shift(k) * p.width +
                      cols.shift(l);
  return n;
}

}  // namespace weft::WEFT_ISA::conv
