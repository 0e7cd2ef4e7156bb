// A block of the source, padded and dealt out to stacks of planes, one stack per channel and triple of slots; and the
// table that says where in it each weight of a filter reads.
#pragma once

#include "kernels/conv/axis.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA::conv {

// A box of grid positions.
struct Block {
  Range depths, rows, cols;
};

template <class T>
struct Planes {
  const T* data;                         // grid position (0, 0, 0) of the block, channel 0
  int64_t width, plane, stack, channel;  // strides between rows, planes, stacks and channels
};

template <class T>
WEFT_INLINE void copy_run(T* to, const T* from, int64_t n) {
  using V = vec_of<T>;
  int64_t i = 0;
  for (; i + lanes<V> <= n; i += lanes<V>) store<V>(to + i, load<V>(from + i));
  if (i == n) return;
  if (i)  // some of it twice
    store<V>(to + n - lanes<V>, load<V>(from + n - lanes<V>));
  else
    store_n<V>(to, load_n<V>(from, n), n);
}
// By vectors: compilers make a call of a plain loop.
template <class T>
WEFT_INLINE void zero_run(T* to, int64_t n) {
  using V = vec_of<T>;
  int64_t i = 0;
  for (; i + lanes<V> <= n; i += lanes<V>) store<V>(to + i, V{});
  if (i < n) store_n<V>(to + i, V{}, n - i);
}

WEFT_INLINE int64_t plane_width(const Axes& a, const Block& b) { return b.cols.size() + a.cols.reach; }
WEFT_INLINE int64_t plane_size(const Axes& a, const Block& b) {
  return (b.rows.size() + a.rows.reach) * plane_width(a, b);
}
// A power of two between the channels would put them all into a few sets of the cache.
constexpr int64_t kCrowded = 128;
WEFT_INLINE int64_t stack_size(const Axes& a, const Block& b) {
  int64_t n = (b.depths.size() + a.depths.reach) * plane_size(a, b);
  return n % kCrowded ? n : n + 16;
}
// The most that a stack takes in any block no larger than b: one with a row less may be the one that is moved apart.
WEFT_INLINE int64_t stack_room(const Axes& a, const Block& b) { return stack_size(a, b) + 16; }
// Whether the source serves as it is.
WEFT_INLINE bool in_place(const Axes& a) {
  return a.depths.in_place() && a.rows.in_place() && a.cols.in_place() && a.source() % kCrowded;
}

template <class T>
void pack_plane(T* to, const T* from, const Axis& rows, const Axis& cols, const Block& b, int64_t row_slot,
                int64_t col_slot) {
  const int64_t height = b.rows.size() + rows.reach, width = b.cols.size() + cols.reach;
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

template <class T>
void pack_stack(T* to, const T* from, const Axes& a, const Block& b, int64_t depth_slot, int64_t row_slot,
                int64_t col_slot) {
  const int64_t plane = plane_size(a, b), n = b.depths.size() + a.depths.reach, step = a.depths.step();
  const int64_t depth0 = a.depths.start(depth_slot) + b.depths.begin * step;
  const Range in = inside(depth0, step, a.depths.source(), n);
  for (int64_t z = 0; z < n; ++z, to += plane) {
    if (z < in.begin || z >= in.end)
      zero_run(to, plane);
    else
      pack_plane(to, from + (depth0 + z * step) * a.rows.source() * a.cols.source(), a.rows, a.cols, b, row_slot,
                 col_slot);
  }
}

// Planes of `channels` channels whose volumes start at `from`; `room` holds channels * slots * stack_room elements.
template <class T>
Planes<T> copy_planes(T* room, const T* from, int64_t channels, const Axes& a, const Block& b) {
  const int64_t stack = stack_size(a, b);
  T* to = room;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t h = 0; h < a.depths.slots(); ++h)
      for (int64_t i = 0; i < a.rows.slots(); ++i)
        for (int64_t j = 0; j < a.cols.slots(); ++j, to += stack) pack_stack(to, from + c * a.source(), a, b, h, i, j);
  return {room, plane_width(a, b), plane_size(a, b), stack, stack * a.slots()};
}
// The source itself where it serves.
template <class T>
Planes<T> make_planes(T* room, const T* from, int64_t channels, const Axes& a, const Block& b) {
  if (!in_place(a)) return copy_planes(room, from, channels, a, b);
  const int64_t width = a.cols.source(), plane = a.rows.source() * width;
  const int64_t depth0 = a.depths.start(0) + b.depths.begin, row0 = a.rows.start(0) + b.rows.begin;
  return {from + depth0 * plane + row0 * width + a.cols.start(0) + b.cols.begin, width, plane, 0, a.source()};
}

// offset[(channel, tap depth, tap row, tap column)], taps of the given phases; returns how many.
template <class T>
int64_t make_offsets(int64_t* offset, const Planes<T>& p, int64_t channels, const Axes& a, const Phase& phase) {
  const Axis &depths = a.depths, &rows = a.rows, &cols = a.cols;
  const int64_t depth_tap = depths.first_tap(phase.depth), row_tap = rows.first_tap(phase.row);
  const int64_t col_tap = cols.first_tap(phase.col);
  int64_t n = 0;
  for (int64_t t = depth_tap; t < depths.a.kernel; t += depths.tap_step())
    for (int64_t k = row_tap; k < rows.a.kernel; k += rows.tap_step())
      for (int64_t l = col_tap; l < cols.a.kernel; l += cols.tap_step()) {
        const int64_t slot = (depths.slot(t) * rows.slots() + rows.slot(k)) * cols.slots() + cols.slot(l);
        offset[n++] = slot * p.stack + depths.shift(t) * p.plane + rows.shift(k) * p.width + cols.shift(l);
      }
  const int64_t taps = n;
  for (; n < channels * taps; ++n) offset[n] = offset[n - taps] + p.channel;
  return n;
}

}  // namespace weft::WEFT_ISA::conv
