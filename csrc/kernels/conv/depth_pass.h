// Depthwise convolutions, whose groups have one channel each: lanes run along the channels, and the filter's taps stay
// in registers for several outputs of a line. Channels-last memory is read and written where it is; otherwise a block
// of the planes of one vector of channels is turned into that order first.
#pragma once

#include "kernels/conv/box.h"
#include "kernels/conv/channel_pass.h"
#include "kernels/conv/depth_tile.h"
#include "kernels/conv/filters.h"

namespace weft::WEFT_ISA::conv {

template <class T>
WEFT_INLINE bool is_depthwise(const ConvShape& s) {
  return s.in_channels == 1 && s.out_channels == 1 && s.groups >= kLane<T>;
}

// One axis of a pass from `source` to `outputs` elements.
struct DepthAxis {
  ConvAxis a;
  bool back = false;
  int64_t outputs() const { return back ? a.in : a.out; }
  int64_t source() const { return back ? a.out : a.in; }
  // What output i meets at tap k, or -1.
  int64_t met(int64_t i, int64_t k) const {
    const int64_t at = back ? i + a.pad - k * a.dilation : i * a.stride + k * a.dilation - a.pad;
    if (at < 0 || (back && at % a.stride)) return -1;
    const int64_t s = back ? at / a.stride : at;
    return s < source() ? s : -1;
  }
  // All that some outputs meet.
  Range reads(Range r) const {
    const int64_t span = (a.kernel - 1) * a.dilation;
    if (!back) return clip({r.begin * a.stride - a.pad, (r.end - 1) * a.stride - a.pad + span + 1}, a.in);
    return clip({divide_up(larger(0, r.begin + a.pad - span), a.stride), (r.end - 1 + a.pad) / a.stride + 1}, a.out);
  }
  int64_t most_read(int64_t n) const {
    const int64_t span = (a.kernel - 1) * a.dilation;
    return smaller(source(), back ? (n + span) / a.stride + 1 : (n - 1) * a.stride + span + 1);
  }
};

// The vectors of channels: the last one may overlap its neighbour, which then belongs to the same strip.
template <class T>
struct Vectors {
  int64_t channels, count, whole;
  explicit Vectors(int64_t n) : channels(n), count(divide_up(n, kLane<T>)), whole(n / kLane<T>) {}
  int64_t at(int64_t vec) const { return smaller(vec * kLane<T>, channels - kLane<T>); }
  Range range(int64_t i, int64_t strips) const {
    const Range r = share(i, strips, whole);
    return {r.begin, r.end == whole ? count : r.end};
  }
  Strip strip(Range r) const { return {r.size(), channels - kLane<T> - at(r.begin)}; }
};

struct DepthCut {
  DepthAxis depths, rows, cols;
  int64_t images, channels;
  int64_t strips;                                // of vectors
  int64_t block_rows, row_blocks;                // a block is so many rows of one depth of one image
  int64_t blocks;                                // of one strip
  int64_t source_room, other_room, worker_room;  // elements, bytes
};

template <class T>
void set_rooms(DepthCut& c, const ConvShape& s, bool source_last, bool other_last) {
  constexpr int64_t L = kLane<T>;
  c.row_blocks = divide_up(c.rows.outputs(), c.block_rows);
  c.blocks = s.images * c.depths.outputs() * c.row_blocks;
  c.source_room = source_last ? 0 : s.depths.kernel * c.rows.most_read(c.block_rows) * c.cols.source() * L;
  c.other_room = other_last ? 0 : c.block_rows * c.cols.outputs() * L;
  const int64_t columns = divide_up(c.cols.outputs(), kAcross) * kAcross * s.cols.kernel;
  const int64_t pairs = larger(s.depths.kernel * s.rows.kernel, c.block_rows);
  c.worker_room = divide_up(c.source_room + c.other_room, 16) * 16 * (int64_t)sizeof(T) +
                  divide_up(pairs * (int64_t)sizeof(LinePair<T>) + columns * 4, 64) * 64;
}

// Memory that is not channels-last is copied a vector of channels and a block at a time, so that it stays in the
// second-level cache.
template <class T>
DepthCut cut_depth(const ConvShape& s, bool back, bool source_last, bool out_last) {
  constexpr int64_t kRoom = 256 * 1024 / sizeof(T) / kLane<T>;
  DepthCut c{{s.depths, back}, {s.rows, back}, {s.cols, back}, s.images, s.groups, 0, 0, 0, 0, 0, 0, 0};
  const int64_t cols = c.cols.outputs(), rows = c.rows.outputs(), planes = s.images * c.depths.outputs();
  const int64_t taps = s.depths.kernel * s.rows.kernel * s.cols.kernel, whole = Vectors<T>(s.groups).whole;

  // Pieces of half a million multiply-adds, up to 32: by rows, or by strips where rows would be copied twice.
  const double all = (double)planes * rows * cols * s.groups * taps / (1 << 19);
  const int64_t pieces = all < 1 ? 1 : all > 32 ? 32 : (int64_t)all, wanted = divide_up(pieces, planes);
  const bool copies = !source_last || !out_last;
  const int64_t parts = copies ? divide_up(wanted, smaller(wanted, whole)) : smaller(wanted, divide_up(rows, 4));
  c.block_rows = larger(4, divide_up(rows, parts));
  const int64_t per_row = cols + c.cols.source() * s.depths.kernel * (back ? 1 : s.rows.stride);
  if (copies) c.block_rows = smaller(c.block_rows, larger(4, kRoom / per_row));
  c.block_rows = smaller(rows, c.block_rows);
  set_rooms<T>(c, s, source_last, out_last);
  c.strips = smaller(whole, divide_up(pieces, copies ? planes : c.blocks));
  return c;
}

struct DepthBlock {
  int64_t image, depth;
  Range rows;
};
WEFT_INLINE DepthBlock depth_block(const DepthCut& c, int64_t i) {
  const Range rows = share(i % c.row_blocks, c.row_blocks, c.rows.outputs());
  i /= c.row_blocks;
  return {i / c.depths.outputs(), i % c.depths.outputs(), rows};
}

// Where the lines of a source lie, for one block and vector of channels: column 0 of line (tap of the depth, row).
template <class T>
struct DepthLines {
  const T* data;
  int64_t depth, row, step;  // elements between what follows one another
  int64_t first_row;
  const T* at(int64_t d, int64_t r) const { return data + d * depth + (r - first_row) * row; }
};

// `from` is the first of a vector's channels; `depths` are counted by the depth that each tap meets if they lie where
// they are, otherwise by the tap.
template <class T>
DepthLines<T> take_lines(const DepthCut& c, const DepthBlock& b, const T* from, const Strides& s, T* room) {
  constexpr int L = kLane<T>;
  if (s.channel == 1) return {from + b.image * s.image, s.depth, s.row, s.col, 0};
  const Range rows = c.rows.reads(b.rows);
  const int64_t pixels = rows.size() * c.cols.source();
  for (int64_t t = 0; t < c.depths.a.kernel; ++t)
    if (const int64_t d = c.depths.met(b.depth, t); d >= 0 && pixels)
      mm::pack_panel(room + t * pixels * L, L, from + b.image * s.image + d * s.depth + rows.begin * s.row, 1,
                     s.channel, pixels, L);
  return {room, pixels * L, c.cols.source() * L, L, rows.begin};
}

// [vectors, taps, lanes]; `flip` counts the columns' taps from the last.
template <class T>
void pack_depth_filters(const ConvShape& s, T* packed, const T* weight, bool flip) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const int64_t line = s.cols.kernel, taps = s.depths.kernel * s.rows.kernel * line;
  const Vectors<T> vecs(s.groups);
  for (int64_t i = 0; i < vecs.count; ++i, packed += taps * L)
    turn(weight + vecs.at(i) * taps, taps, L, taps,
         [&](int64_t tap, V v) { store<V>(packed + (flip ? tap + line - 1 - 2 * (tap % line) : tap) * L, v); });
}
template <class T>
WEFT_INLINE int64_t depth_filters_size(const ConvShape& s) {
  return Vectors<T>(s.groups).count * kLane<T> * s.depths.kernel * s.rows.kernel * s.cols.kernel;
}

template <class T>
using DepthKernel = void (*)(const DepthLine<T>&);

// The unrolled tiles are for float alone.
template <class T>
DepthKernel<T> depth_kernel(const ConvAxis& a, bool back) {
  if constexpr (sizeof(T) == 4) {
    if (a.dilation == 1 && a.stride == 1) {
      if (a.kernel == 3) return depth_line<T, 3, 1, false>;
      if (a.kernel == 5) return depth_line<T, 5, 1, false>;
      if (a.kernel == 7) return depth_line<T, 7, 1, false>;
    }
    if (a.dilation == 1 && a.stride == 2) {
      if (a.kernel == 3) return back ? depth_line<T, 3, 2, true> : depth_line<T, 3, 2, false>;
      if (a.kernel == 5) return back ? depth_line<T, 5, 2, true> : depth_line<T, 5, 2, false>;
    }
  }
  return depth_line_any<T>;
}
// Backward with a stride of 1 is forward with its filter's columns flipped.
template <class T>
WEFT_INLINE bool flips(const ConvAxis& a, bool back) {
  return back && a.stride == 1 && depth_kernel<T>(a, back) != depth_line_any<T>;
}

// `filters` as pack_depth_filters() writes them.
template <class T>
void depth_pass(const DepthCut& c, const ChannelArgs<T>& a, const T* filters, char* scratch, int workers) {
  constexpr int L = kLane<T>;
  const ConvAxis& cols = c.cols.a;
  const Strides from = strides_of(a.source_last, c.channels, c.depths.source(), c.rows.source(), c.cols.source());
  const Strides to = strides_of(a.out_last, c.channels, c.depths.outputs(), c.rows.outputs(), c.cols.outputs());
  const Vectors<T> vecs(c.channels);
  const DepthKernel<T> kernel = depth_kernel<T>(cols, c.cols.back);
  const int64_t depth_taps = c.depths.a.kernel, row_taps = c.rows.a.kernel, width = c.cols.outputs();
  parallel(
      c.blocks * c.strips,
      [&](int64_t index, int worker) {
        T* room = (T*)(scratch + worker * c.worker_room);
        T* buffer = room + c.source_room;
        LinePair<T>* pairs = (LinePair<T>*)(room + divide_up(c.source_room + c.other_room, 16) * 16);
        int32_t* columns = (int32_t*)(pairs + depth_taps * row_taps);
        const DepthBlock b = depth_block(c, index / c.strips);
        const Range range = vecs.range(index % c.strips, c.strips);
        DepthLine<T> t{};
        t.pairs = pairs;
        t.source_cols = c.cols.source();
        t.cols = width;
        t.taps = cols.kernel;
        t.pad = flips<T>(cols, c.cols.back) ? cols.kernel - 1 - cols.pad : cols.pad;
        t.columns = columns;
        t.filter_step = depth_taps * row_taps * cols.kernel * L;
        if (kernel == depth_line_any<T>)
          for (int64_t x = 0; x < divide_up(width, kAcross) * kAcross; ++x)
            for (int64_t l = 0; l < t.taps; ++l) columns[x * t.taps + l] = x < width ? (int32_t)c.cols.met(x, l) : -1;
        const int64_t together = a.source_last && a.out_last ? range.size() : 1;
        t.ahead = together > 1 ? (c.cols.back ? 1 : c.rows.a.stride) * from.row : 0;
        for (int64_t i = range.begin; i < range.end; i += together) {
          const int64_t channel = vecs.at(i);
          const DepthLines<T> lines = take_lines(c, b, a.source + channel * from.channel, from, room);
          t.strip = vecs.strip({i, i + together});
          t.bias = a.bias ? a.bias + channel : nullptr;
          t.clip = a.relu;
          t.source_step = lines.step;
          t.out_step = a.out_last ? to.col : L;
          T* out = a.out + channel * to.channel + b.image * to.image + b.depth * to.depth + b.rows.begin * to.row;
          for (int64_t y = b.rows.begin; y < b.rows.end; ++y) {
            t.count = 0;
            for (int64_t h = 0; h < depth_taps; ++h)
              for (int64_t k = 0; k < row_taps; ++k) {
                const int64_t d = c.depths.met(b.depth, h), r = c.rows.met(y, k);
                if (d < 0 || r < 0) continue;
                const T* filter = filters + i * t.filter_step + (h * row_taps + k) * t.taps * L;
                pairs[t.count++] = {lines.at(a.source_last ? d : h, r), filter};
              }
            t.out = a.out_last ? out + (y - b.rows.begin) * to.row : buffer + (y - b.rows.begin) * width * L;
            kernel(t);
          }
          if (a.out_last) continue;
          for (int64_t q = 0, pixels = b.rows.size() * width; q < pixels; q += L)
            turn(buffer + q * L, L, smaller(L, pixels - q), L,
                 [&](int64_t j, auto v) { store_n<vec_of<T>>(out + j * to.channel + q, v, smaller(L, pixels - q)); });
        }
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
