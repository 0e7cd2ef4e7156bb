// Forward and backward by input with filters of 4x4 and stride 2, by Winograd: see conv/winograd_halves.h. In turns,
// for as many boxes of tiles as the last-level cache holds: all that they read, transformed; then pieces of one panel
// of outputs, which transform the filters that they need, a block of channels at a time.
#pragma once

#include "kernels/conv/channel_pass.h"
#include "kernels/conv/winograd_halves.h"

namespace weft::WEFT_ISA::conv::halves {

constexpr int64_t kBlock = 64;  // channels at a time

struct PassCut {
  Boxes boxes;                             // of tiles
  int64_t tiles, chunks;                   // of the largest box; turns
  int64_t blocks, box_room, values_room;   // of channels; elements: what a box reads, transformed; all of a turn
  int64_t source_room, out_room, at_room;  // elements; entries
  int64_t filters_room, products_room;     // elements
  int64_t worker_room;                     // bytes
};

template <class T>
PassCut cut_pass(const Pass& p, bool out_last, bool source_last) {
  constexpr int64_t L = kLane<T>;
  PassCut c{};
  const int64_t step = p.axes.cols.output_step();
  c.boxes = cut_grid(p.images, 1, tiles_along(p.axes.rows), tiles_along(p.axes.cols), 64);
  c.tiles = c.boxes.images * c.boxes.rows * c.boxes.cols;
  c.blocks = divide_up(p.channels, kBlock);
  c.box_room = 4 * c.blocks * kPoints * point_size(c.tiles, kBlock);
  c.chunks = divide_up(c.boxes.count(), larger(1, (5 << 20) / c.box_room));
  c.values_room = divide_up(c.boxes.count(), c.chunks) * c.box_room;
  Boxes image = c.boxes;
  image.images = 1;
  c.source_room = source_room(p, positions_of(image), source_last);
  c.at_room = out_last ? 0 : c.tiles * 16 * step;
  c.out_room = outputs_room<T>(c.at_room);
  c.filters_room = kPoints * point_size(kBlock, kPanelVecs * L);
  c.products_room = kPoints * point_size(c.tiles, kPanelVecs * L);
  const int64_t transforming = (c.source_room + p.channels) * (int64_t)sizeof(T);
  const int64_t adding =
      (c.filters_room + c.products_room + c.out_room) * (int64_t)sizeof(T) + (c.tiles + c.at_room) * 8;
  c.worker_room = divide_up(larger(transforming, adding), 64) * 64;
  return c;
}

// Whether it wins: in multiply-adds for each pair of channels, with what the transformations cost.
template <class T>
bool pass_wins(const Pass& p) {
  if (!fits<T>(p)) return false;
  const bool back = p.axes.cols.backward;
  if (back && p.m < 64) return false;  // what is read, transformed, is six times as much
  const double tiles = tiles_of(p),
               rounded = tiles < 64 ? (double)divide_up((int64_t)tiles, kTileRows) * kTileRows : tiles;
  const double direct = 16. * p.images * (back ? p.axes.source() : p.axes.grid());
  return rounded * 105 + tiles * (480. / p.m + (back ? 900. : 250.) / p.channels) + 360 * (1 + tiles / 64) <
         0.8 * direct;
}

// One panel of a box: all outputs forward, the half of the rows that `row_half` says backward.
template <class T>
void add_panel(const Pass& p, const PassCut& c, const ChannelArgs<T>& a, const Box& box, Range panel, int64_t row_half,
               const T* values, const T* packed, char* scratch) {
  constexpr int64_t L = kLane<T>;
  const Axis &rows = p.axes.rows, &cols = p.axes.cols;
  const bool back = cols.backward;
  const int64_t width = panel.size() * L, m = panel.begin * L, step = cols.output_step();
  const int64_t tiles = box.images.size() * box.rows.size() * box.cols.size();
  T* filters = (T*)scratch;
  T* products = filters + c.filters_room;
  T* buffer = products + c.products_room;
  const T** table = (const T**)(buffer + c.out_room);
  int64_t* at = (int64_t*)(table + c.tiles);
  for (int64_t i = 0; i < tiles; ++i) table[i] = values + i * kBlock;

  // Unless channels are last, outputs are collected as [images, rows of the half, columns, width].
  const Strides out = output_strides(p, a.out_last);
  const int64_t top = first_output(rows, row_half) + box.rows.begin * 4 * step, left = box.cols.begin * 4 * step;
  const int64_t height = smaller(box.rows.size() * 4, outputs_of(rows, row_half) - box.rows.begin * 4);
  const int64_t line = smaller(box.cols.size() * 4 * step, cols.outputs() - left);
  Place<T> to{a.out + m, out.image, out.row, out.col};
  if (!a.out_last) {
    to = {buffer, height * line * width, line * width / step, width};
    to.data -= box.images.begin * to.image + top * to.row + left * width;
  }

  for (int64_t col_half = 0; col_half < (back ? 2 : 1); ++col_half) {
    const int64_t half = row_half * 2 + col_half;
    const T* weight = panel_at(packed, p, 0, Phase{0, row_half, col_half}, panel);
    ChannelTile<T> t{};
    t.runs = 1;
    t.channels = width;
    const int64_t product = point_size(tiles, width), rows = tile_rows(tiles);
    t.ahead_step = rows;
    for (int64_t h = half; h < (back ? half + 1 : 4); ++h)
      for (int64_t first = 0; first < p.channels; first += kBlock, t.add = true) {
        t.length = smaller(kBlock, p.channels - first);
        const int64_t filter = point_size(t.length, width);
        const T* taps[4];
        for (int64_t e = 0; e < 4; ++e) {
          const int64_t tap = back ? e : (h / 2 + e / 2 * 2) * 4 + h % 2 + e % 2 * 2;
          taps[e] = weight + (tap * p.channels + first) * width;
        }
        transform_filters(filters, filter, (const T* const*)taps, t.length * width);
        for (int64_t k = 0; k < kPoints; ++k) {
          t.from = ((h * c.blocks + first / kBlock) * kPoints + k) * point_size(c.tiles, kBlock);
          t.weight = filters + k * filter;
          for (int64_t q = 0; q < tiles; q += rows) {
            t.in = (const T* const*)table + q;
            const int64_t next = q + rows < tiles ? (q + rows) * kBlock : point_size(c.tiles, kBlock);
            t.ahead = table[0] + t.from + next;  // what the next tile reads, of this point or the next one
            t.rows = (int)smaller(rows, tiles - q);
            t.out = products + k * product + q * width;
            run_channel_tile((int)panel.size(), t);
          }
        }
      }
    transform_outputs(p, (const T*)products, product, box, half, width, a.bias ? a.bias + m : nullptr, a.relu, to);
  }
  if (a.out_last) return;
  int64_t outputs = 0;
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < line; ++x) at[outputs++] = n * out.image + (top + y * step) * out.row + left + x;
  put_outputs(a.out + m * out.channel, out.channel, at, (const T*)buffer, width, outputs, width);
}

// `packed` as pack_filters wrote it; the workspace has room for c.values_room elements and the workers.
template <class T>
void run_pass(const Pass& p, const PassCut& c, const ChannelArgs<T>& a, const T* packed, char* workspace, int workers) {
  const Panels panels = panels_of<T>(p);
  const int64_t rows = tiles_along(p.axes.rows), cols = tiles_along(p.axes.cols);
  const int64_t row_halves = p.axes.rows.backward ? 2 : 1, point = point_size(c.tiles, kBlock);
  T* values = (T*)workspace;
  char* scratch = (char*)(values + c.values_room);
  for (int64_t turn = 0; turn < c.chunks; ++turn) {
    const Range here = share(turn, c.chunks, c.boxes.count());
    parallel(
        here.size() * c.boxes.images,
        [&](int64_t index, int worker) {
          Box box = box_at(c.boxes, p.images, 1, rows, cols, here.begin + index / c.boxes.images);
          const int64_t image = index % c.boxes.images;
          if (image >= box.images.size()) return;
          box.images.begin += image;
          box.images.end = box.images.begin + 1;
          T* zeros = (T*)(scratch + worker * c.worker_room);
          zero_run(zeros, p.channels);
          const int64_t before = image * box.rows.size() * box.cols.size();
          transform_inputs(p, values + index / c.boxes.images * c.box_room + before * kBlock,
                           Spread{c.blocks * kPoints * point, point, kPoints * point, kBlock / kLane<T>, kBlock}, box,
                           take_source(p, positions_of(p, box), a.source, a.source_last, 0, zeros + p.channels),
                           (const T*)zeros);
        },
        workers);
    parallel(
        here.size() * panels.count * row_halves,
        [&](int64_t index, int worker) {
          const int64_t box = index / row_halves / panels.count;
          add_panel(p, c, a, box_at(c.boxes, p.images, 1, rows, cols, here.begin + box),
                    panels.at(index / row_halves % panels.count), index % row_halves,
                    (const T*)values + box * c.box_room, packed, scratch + worker * c.worker_room);
        },
        workers);
  }
}

}  // namespace weft::WEFT_ISA::conv::halves
