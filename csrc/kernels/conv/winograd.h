// Forward and backward by input, by Winograd: see conv/winograd_transforms.h. In a volume, the planes that an output
// reads are added up before they are transformed back.
#pragma once

#include "kernels/conv/channel_pass.h"
#include "kernels/conv/winograd_transforms.h"

namespace weft::WEFT_ISA::conv {

struct WinogradCut {
  Boxes boxes;                                                             // of tiles
  int64_t taps;                                                            // along the depths
  int64_t panel_parts, tiles, outputs;                                     // of the largest box
  int64_t source_room, values_room, products_room, out_room, worker_room;  // elements; bytes
  int64_t table_room,
      shared_room;  // bytes; elements of all boxes, transformed beforehand where several pieces meet one
};

constexpr int64_t kDepths = 8;  // of a piece of a volume

// Whether it wins: in multiply-adds for each pair of channels, with what the transformations cost.
template <class T>
bool winograd_wins(const Pass& p) {
  const int64_t taps = p.axes.depths.a.kernel;
  if (!winograd_fits<T>(p) || p.m * p.channels * taps > 65536 * 2) return false;
  const double tiles = winograd_tiles(p), direct = 9. * p.images * p.axes.grid();
  const double read = 1 + (taps - 1.) / smaller(kDepths, p.axes.depths.grid);  // for each tile
  return tiles * (40 * taps + 340. * read / p.m + 300. / p.channels) + 600 * taps < 0.8 * direct * taps;
}

template <class T>
WinogradCut cut_winograd(const Pass& p, bool out_last, bool source_last) {
  constexpr int64_t L = kLane<T>;
  WinogradCut c{};
  const int64_t depths = p.axes.depths.grid, rows = tile_rows_of(p), cols = tile_cols_of(p);
  const int64_t all = p.images * depths * rows * cols;
  c.taps = p.axes.depths.a.kernel;
  c.boxes = cut_grid(p.images, depths, rows, cols, larger(24, smaller(48, all / 8)));
  if (!is_planar(p)) {  // lines of several depths, which have most of what they read in common
    const int64_t depth_parts = divide_up(depths, kDepths), col_parts = divide_up(cols, 8);
    c.boxes = {1,        divide_up(depths, depth_parts), 1, divide_up(cols, col_parts), p.images, depth_parts, rows,
               col_parts};
  }
  const int64_t there = c.boxes.count();
  c.panel_parts = there >= 8 || !is_planar(p) ? 1 : smaller(panels_of<T>(p).count, divide_up(8, there));
  c.tiles = c.boxes.images * c.boxes.depths * c.boxes.rows * c.boxes.cols;
  c.outputs = c.tiles * 16;
  Boxes taken = c.boxes;  // at a time
  if (c.panel_parts > 1) taken.images = taken.depths = taken.rows = 1;
  c.source_room = source_room(p, pixels_of(taken), source_last);
  const int64_t read = c.boxes.images * most_held(p.axes.depths, c.boxes.depths) * c.boxes.rows * c.boxes.cols;
  c.values_room = kPoints * point_size(read, p.channels);
  c.products_room = kPoints * point_size(c.tiles, kPanelVecs * L);
  c.out_room = out_last ? 0 : outputs_room<T>(c.outputs);
  c.shared_room = c.panel_parts > 1 ? there * c.values_room : 0;
  const int64_t own = c.panel_parts > 1 ? 0 : c.values_room;
  const int64_t elements = c.source_room + own + c.products_room + c.out_room + p.channels + L;
  c.table_room = (c.tiles * c.taps + c.outputs) * 8;
  c.worker_room = divide_up(elements * (int64_t)sizeof(T) + c.table_room, 64) * 64;
  return c;
}

WEFT_INLINE int64_t winograd_terms(const Pass& p) { return p.axes.depths.a.kernel * p.channels; }
template <class T>
WEFT_INLINE int64_t winograd_panel(const Pass& p, const Panels& panels, int64_t i) {
  return kPoints * (panels.at(i).begin * kLane<T> * winograd_terms(p) + i * 16);
}
template <class T>
WEFT_INLINE int64_t winograd_filters_size(const Pass& p) {
  return kPoints * (panels_of<T>(p).vecs * kLane<T> * winograd_terms(p) + panels_of<T>(p).count * 16);
}

// The filters of a vector of outputs and one channel, [3, 3], to `to` and from there `point` apart.
template <class T>
WEFT_INLINE void transform_filters_of(T* to, int64_t point, const vec_of<T>* g) {
  using V = vec_of<T>;
  V half[18], all[kPoints];
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j) transform_filter(half + j, g + j, 3);
#pragma GCC unroll 6
  for (int i = 0; i < 6; ++i) transform_filter(all + i * 6, half + i * 3, 1);
  for (int i = 0; i < kPoints; ++i) store<V>(to + i * point, all[i]);
}

// The filters of a vector of outputs and of up to a vector of channels from `first` on, for the depth-th plane that is
// read; `point` and `next` are what lies between points and between channels. weight: as for pack_filters.
template <class T>
WEFT_ONE_COPY void transform_filter_square(const Pass& p, T* to, int64_t point, int64_t next, const T* weight,
                                           bool last, int64_t vec, int64_t first, int64_t depth = 0) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const bool backward = p.axes.cols.backward;
  const int64_t channels = smaller(L, p.channels - first), count = smaller(L, p.m - vec * L);
  const int64_t depths = p.axes.depths.a.kernel, taps = depths * 9, skip = (backward ? depths - 1 - depth : depth) * 9;
  V g[L][9];
  if (!backward && last) {
    for (int tap = 0; tap < 9; ++tap)
      turn(weight + vec * L * p.channels * taps + (skip + tap) * p.channels + first, p.channels * taps, count, channels,
           [&](int64_t c, V v) { g[c][tap] = v; });
  } else if (!backward) {
    int64_t c = 0, tap = -skip;
    turn(weight + (vec * L * p.channels + first) * taps, p.channels * taps, count, channels * taps, [&](int64_t, V v) {
      if (tap >= 0 && tap < 9) g[c][tap] = v;
      if (++tap == taps - skip) tap = -skip, ++c;
    });
  } else if (last) {
    for (int64_t c = 0; c < channels; ++c)
      for (int tap = 0; tap < 9; ++tap)
        g[c][8 - tap] = load_n<V>(weight + ((first + c) * taps + skip + tap) * p.m + vec * L, count);
  } else {
    for (int64_t c = 0; c < channels; ++c)
      turn(weight + (vec * L + (first + c) * p.m) * taps + skip, taps, count, 9,
           [&](int64_t tap, V v) { g[c][8 - tap] = v; });
  }
  for (int64_t c = 0; c < channels; ++c) transform_filters_of(to + c * next, point, (const V*)g[c]);
}

// To panels of [36 points, depths, channels, width].
template <class T>
void transform_filters(const Pass& p, T* to, const T* weight, bool last) {
  constexpr int L = kLane<T>;
  const Panels panels = panels_of<T>(p);
  const int64_t chunks = divide_up(p.channels, L), depths = p.axes.depths.a.kernel;
  parallel_ranges(panels.vecs * depths * chunks, 16, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t vec = item / chunks / depths, depth = item / chunks % depths, first = item % chunks * L;
      const int64_t which = panels.of(vec), row = depth * p.channels + first;
      const Range panel = panels.at(which);
      const int64_t width = panel.size() * L;
      transform_filter_square(p, to + winograd_panel<T>(p, panels, which) + row * width + (vec - panel.begin) * L,
                              point_size(winograd_terms(p), width), width, weight, last, vec, first, depth);
    }
  });
}

// The products of a panel, [36 points, tiles, width], back to outputs: of tile (n, z, i, j) and pixel (y, x) in it to
// put(n, z, row, col), a pointer to its first channel.
template <class T, class Put>
void transform_outputs(const Pass& p, const T* from, const Box& box, int64_t width, int64_t channels, const T* bias,
                       bool relu, const Put& put) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const int64_t tiles = box.images.size() * box.depths.size() * box.rows.size() * box.cols.size();
  const int64_t point = point_size(tiles, width);
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t z = box.depths.begin; z < box.depths.end; ++z)
      for (int64_t i = box.rows.begin; i < box.rows.end; ++i)
        for (int64_t j = box.cols.begin; j < box.cols.end; ++j, from += width) {
          const int64_t rows = smaller(4, p.axes.rows.grid - i * 4), cols = smaller(4, p.axes.cols.grid - j * 4);
          T* to[4];
          for (int64_t r = 0; r < rows; ++r) to[r] = put(n, z, i * 4 + r, j * 4);
          const int64_t step = cols > 1 ? put(n, z, i * 4, j * 4 + 1) - to[0] : 0;
          for (int64_t c = 0; c < channels; c += L) {
            const int64_t left = smaller(L, channels - c);
            V half[24], y[16];
#pragma GCC unroll 6
            for (int l = 0; l < 6; ++l) {
              V m[6];
#pragma GCC unroll 6
              for (int k = 0; k < 6; ++k) m[k] = load<V>(from + (k * 6 + l) * point + c);
              transform_output(half + l, m, 1, 6);
            }
            const V shift = bias ? load_n<V>(bias + c, left) : V{};
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) transform_output(y + k * 4, half + k * 6, 1, 1);
            for (int64_t r = 0; r < rows; ++r)
              for (int64_t l = 0; l < cols; ++l) {
                const V v = y[r * 4 + l] + shift;
                store_n<V>(to[r] + l * step + c, relu ? mm::relu(v) : v, left);
              }
          }
        }
}

// The products of the panel of outputs m … of all tiles of a box to where they belong; `buffer` and `at` have room for
// the box if channels are not last.
template <class T>
void put_panel(const Pass& p, const ChannelArgs<T>& a, const T* products, const Box& box, int64_t m, int64_t width,
               T* buffer, int64_t* at) {
  const Strides out = output_strides(p, a.out_last);
  const T* bias = a.bias ? a.bias + m : nullptr;
  const int64_t channels = smaller(width, p.m - m);
  if (a.out_last)
    return transform_outputs(p, products, box, width, channels, bias, a.relu,
                             [&](int64_t n, int64_t z, int64_t y, int64_t x) {
                               return a.out + n * out.image + z * out.depth + y * out.row + x * out.col + m;
                             });
  const Box pixels = pixels_of(p, box);
  const int64_t height = pixels.rows.size(), line = pixels.cols.size();
  transform_outputs(p, products, box, width, channels, bias, a.relu, [&](int64_t n, int64_t z, int64_t y, int64_t x) {
    const int64_t volume = (n - box.images.begin) * box.depths.size() + z - box.depths.begin;
    return buffer + ((volume * height + y - pixels.rows.begin) * line + x - pixels.cols.begin) * width;
  });
  int64_t outputs = 0;
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t z = box.depths.begin; z < box.depths.end; ++z)
      for (int64_t y = pixels.rows.begin; y < pixels.rows.end; ++y)
        for (int64_t x = pixels.cols.begin; x < pixels.cols.end; ++x)
          at[outputs++] = n * out.image + z * out.depth + y * out.row + x;
  put_outputs(a.out + m * out.channel, out.channel, at, (const T*)buffer, width, outputs, channels);
}

// The tiles that a box reads, transformed: [36 points, tiles of a line of each depth, channels].
template <class T>
void transform_tiles(const Pass& p, const ChannelArgs<T>& a, const Box& box, T* values, int64_t point, T* zeros,
                     T* room) {
  zero_run(zeros, p.channels);
  transform_inputs(p, values, p.channels, PointStrides{point, kLane<T>, p.channels % kLane<T> == 0},
                   Box{box.images, p.axes.depths.reads(box.depths), box.rows, box.cols},
                   take_source(p, pixels_of(p, box), a.source, a.source_last, 0, room), (const T*)zeros);
}

WEFT_INLINE int64_t tiles_of(const Box& b) { return b.images.size() * b.depths.size() * b.rows.size() * b.cols.size(); }

// All boxes, line by line.
template <class T>
void transform_all(const Pass& p, const WinogradCut& c, const ChannelArgs<T>& a, T* shared, char* scratch,
                   int workers) {
  const int64_t lines = c.boxes.images * c.boxes.depths * c.boxes.rows;
  parallel(
      c.boxes.count() * lines,
      [&](int64_t index, int worker) {
        const Box whole =
            box_at(c.boxes, p.images, p.axes.depths.grid, tile_rows_of(p), tile_cols_of(p), index / lines);
        const int64_t line = index % lines, depths = whole.depths.size(), rows = whole.rows.size();
        if (line >= whole.images.size() * depths * rows) return;
        const int64_t n = whole.images.begin + line / rows / depths, z = whole.depths.begin + line / rows % depths;
        const int64_t r = whole.rows.begin + line % rows;
        T* zeros = (T*)(scratch + worker * c.worker_room + c.table_room);
        transform_tiles(p, a, Box{{n, n + 1}, {z, z + 1}, {r, r + 1}, whole.cols},
                        shared + index / lines * c.values_room + line * whole.cols.size() * p.channels,
                        point_size(tiles_of(whole), p.channels), zeros, zeros + p.channels + kLane<T>);
      },
      workers);
}

template <class T>
void winograd_pass(const Pass& p, const WinogradCut& c, const ChannelArgs<T>& a, const T* filters, char* scratch,
                   int workers) {
  constexpr int L = kLane<T>;
  const Panels panels = panels_of<T>(p);
  T* shared = (T*)(scratch + workers * c.worker_room);
  if (c.shared_room) transform_all(p, c, a, shared, scratch, workers);
  parallel(
      c.boxes.count() * c.panel_parts,
      [&](int64_t index, int worker) {
        const T** table = (const T**)(scratch + worker * c.worker_room);
        int64_t* at = (int64_t*)(table + c.tiles * c.taps);
        T* zeros = (T*)(scratch + worker * c.worker_room + c.table_room);
        T* room = zeros + p.channels + L;
        T* products = room + c.source_room;
        T* buffer = products + c.products_room;
        T* values = buffer + c.out_room;
        const Box box =
            box_at(c.boxes, p.images, p.axes.depths.grid, tile_rows_of(p), tile_cols_of(p), index / c.panel_parts);
        const int64_t tiles = tiles_of(box), depths = box.depths.size(), read = depths + c.taps - 1;
        const int64_t plane = box.rows.size() * box.cols.size(), terms = winograd_terms(p);
        const int64_t point = point_size(box.images.size() * read * plane, p.channels);
        if (c.shared_room)
          values = shared + index / c.panel_parts * c.values_room;
        else
          transform_tiles(p, a, box, values, point, zeros, room);
        for (int64_t i = 0; i < tiles * c.taps; ++i) {
          const int64_t tile = i % tiles, volume = tile / plane / depths, depth = tile / plane % depths + i / tiles;
          table[i] = values + ((volume * read + depth) * plane + tile % plane) * p.channels;
        }
        const Range mine = share(index % c.panel_parts, c.panel_parts, panels.count);
        for (int64_t i = mine.begin; i < mine.end; ++i) {
          const Range panel = panels.at(i);
          const int64_t m = panel.begin * L, width = panel.size() * L, rows = tile_rows(tiles);
          ChannelTile<T> t{};
          t.run = tiles;
          t.runs = c.taps;
          t.length = p.channels;
          t.channels = width;
          t.ahead_step = width / divide_up(tiles, rows);  // the filters of the next point come while these are used
          for (int k = 0; k < kPoints; ++k) {
            t.from = k * point;
            t.weight = filters + winograd_panel<T>(p, panels, i) + k * point_size(terms, width);
            for (int64_t q = 0; q < tiles; q += rows) {
              t.ahead = t.weight + point_size(terms, width) + q / rows * t.ahead_step * terms;
              t.in = (const T* const*)table + q;
              t.rows = (int)smaller(rows, tiles - q);
              t.out = products + k * point_size(tiles, width) + q * width;
              run_channel_tile((int)panel.size(), t);
            }
          }
          put_panel(p, a, (const T*)products, box, m, width, buffer, at);
        }
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
