// Forward and backward by input, by Winograd, where there are many channels: all filters transformed would be four
// times the weight, more than a cache holds. So each piece transforms those that it needs, a block of channels at a
// time, and uses them while they are in its cache. Sums are added up in the order of winograd_pass, to the same bits.
#pragma once

#include "kernels/conv/winograd.h"

namespace weft::WEFT_ISA::conv {

struct WideCut {
  Boxes boxes;                    // of tiles
  int64_t tiles, block;           // of the largest box; channels at a time
  int64_t values_room, all_room;  // elements: what a box reads, transformed; all boxes
  int64_t source_room, filters_room, products_room, out_room;
  int64_t worker_room;  // bytes
};

template <class T>
WideCut cut_wide(const Pass& p, bool out_last, bool source_last) {
  constexpr int64_t L = kLane<T>;
  WideCut c{};
  c.boxes = cut_grid(p.images, p.axes.depths.grid, tile_rows_of(p), tile_cols_of(p), 64);
  c.tiles = c.boxes.images * c.boxes.depths * c.boxes.rows * c.boxes.cols;
  c.block = 64;
  c.values_room = kPoints * point_size(c.tiles, p.channels);
  c.all_room = c.boxes.count() * c.values_room;
  c.source_room = source_room(p, pixels_of(c.boxes), source_last) / c.boxes.images;
  c.filters_room = kPoints * point_size(c.block, kPanelVecs * L);
  c.products_room = kPoints * point_size(c.tiles, kPanelVecs * L);
  c.out_room = out_last ? 0 : outputs_room<T>(c.tiles * 16);
  const int64_t transforming = (c.source_room + p.channels + L) * (int64_t)sizeof(T);
  const int64_t adding = (c.filters_room + c.products_room + c.out_room) * (int64_t)sizeof(T) + c.tiles * 17 * 8;
  c.worker_room = divide_up(larger(transforming, adding), 64) * 64;
  return c;
}

// Channels from which the transformed filters leave the second-level cache, and from which they are never kept packed.
constexpr int64_t kWide = 32768, kTooWideToPack = 131072;

template <class T>
bool wide_wins(const Pass& p) {
  if (!winograd_fits<T>(p) || !is_planar(p) || p.m * p.channels <= kTooWideToPack) return false;
  const double tiles = winograd_tiles(p), direct = 9. * p.images * p.axes.grid();
  const double transformed = tiles * kPoints * p.channels * sizeof(T);
  return tiles * (40 + 340. / p.m + 300. / p.channels) + 300 * (1 + tiles / 64) < 0.8 * direct &&
         transformed < (64 << 20);
}

template <class T>
void wide_pass(const Pass& p, const WideCut& c, const ChannelArgs<T>& a, const T* weight, bool last, char* workspace,
               int workers) {
  constexpr int L = kLane<T>;
  const Panels panels = panels_of<T>(p);
  const int64_t boxes = c.boxes.count(), point = point_size(c.tiles, p.channels);
  T* values = (T*)workspace;
  char* scratch = (char*)(values + c.all_room);
  auto box_of = [&](int64_t i) {
    return box_at(c.boxes, p.images, p.axes.depths.grid, tile_rows_of(p), tile_cols_of(p), i);
  };
  parallel(
      boxes * c.boxes.images,
      [&](int64_t index, int worker) {
        const int64_t i = index / c.boxes.images;
        Box box = box_of(i);
        const int64_t image = index % c.boxes.images;
        if (image >= box.images.size()) return;
        box.images.begin += image;
        box.images.end = box.images.begin + 1;
        T* room = (T*)(scratch + worker * c.worker_room);
        T* zeros = room + c.source_room;
        zero_run(zeros, p.channels);
        const int64_t before = image * box.depths.size() * box.rows.size() * box.cols.size();
        transform_inputs(p, values + i * c.values_room + before * p.channels, p.channels,
                         PointStrides{point, L, p.channels % L == 0}, box,
                         take_source(p, pixels_of(p, box), a.source, a.source_last, 0, room), (const T*)zeros);
      },
      workers);
  parallel(
      boxes * panels.count,
      [&](int64_t index, int worker) {
        T* filters = (T*)(scratch + worker * c.worker_room);
        T* products = filters + c.filters_room;
        T* buffer = products + c.products_room;
        const T** table = (const T**)(buffer + c.out_room);
        int64_t* at = (int64_t*)(table + c.tiles);
        const Box box = box_of(index / panels.count);
        const Range panel = panels.at(index % panels.count);
        const int64_t width = panel.size() * L, filter_point = point_size(c.block, width);
        const int64_t tiles = box.images.size() * box.depths.size() * box.rows.size() * box.cols.size();
        for (int64_t i = 0; i < tiles; ++i) table[i] = values + index / panels.count * c.values_room + i * p.channels;
        const int64_t rows = tile_rows(tiles);
        ChannelTile<T> t{};
        t.runs = 1;
        t.channels = width;
        for (int64_t first = 0; first < p.channels; first += c.block) {
          t.length = smaller(c.block, p.channels - first);
          t.add = first > 0;
          for (int64_t channel = 0; channel < t.length; channel += L)
            for (int64_t vec = panel.begin; vec < panel.end; ++vec)
              transform_filter_square(p, filters + channel * width + (vec - panel.begin) * L, filter_point, width,
                                      weight, last, vec, first + channel);
          for (int k = 0; k < kPoints; ++k) {
            t.from = k * point + first;
            t.weight = filters + k * filter_point;
            for (int64_t q = 0; q < tiles; q += rows) {
              t.in = (const T* const*)table + q;
              t.rows = (int)smaller(rows, tiles - q);
              t.out = products + k * point_size(tiles, width) + q * width;
              run_channel_tile((int)panel.size(), t);
            }
          }
        }
        put_panel(p, a, (const T*)products, box, panel.begin * L, width, buffer, at);
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
