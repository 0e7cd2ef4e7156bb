// Backward by weight, by Winograd: see conv/winograd_transforms.h. In turns, for as many tiles as the last-level cache
// holds: what they read and their dy, transformed, by pieces of tiles; the 36 products [input channels, tiles] by
// [tiles, output channels], by pieces of channels. A piece that has all points and all tiles turns its sums back while
// they are in its cache; where it would take too few such pieces to employ many threads, the points are shared out too.
#pragma once

#include "kernels/conv/channel_weight.h"
#include "kernels/conv/winograd_transforms.h"

namespace weft::WEFT_ISA::conv {

struct WinogradWeightCut {
  Pass p, dy;                                       // dy: a pass that reads just dy
  int64_t tile_rows, tile_cols;                     // of a volume
  Boxes boxes;                                      // of tiles: whole rows of a volume
  int64_t chunk, chunks, tiles;                     // boxes of a turn, turns, tiles of the longest
  int64_t vecs, block, blocks;                      // of input channels: vectors, those of a piece, pieces
  int64_t point_parts;                              //
  bool local;                                       // a piece keeps its sums
  int64_t x_point, dy_point;                        // elements from one point to the next: of what is transformed
  int64_t sum_point, sum_room;                      // of the sums of a piece; all 36
  int64_t x_room, dy_room, worker_room, turn_room;  // elements; bytes
};

constexpr int64_t kTilesAtOnce = 128;  // of a register tile: what it reads stays in the first-level cache

template <class T>
WinogradWeightCut cut_winograd_weight(const ConvShape& s, bool x_last, bool dy_last) {
  constexpr int64_t L = kLane<T>;
  WinogradWeightCut c{};
  auto only = [](int64_t n) {
    ConvAxis a;
    a.in = a.out = n;
    return a;
  };
  c.p = forward_pass(s);
  c.dy = forward_pass(
      ConvShape{s.images, 1, s.out_channels, s.out_channels, only(s.depths.out), only(s.rows.out), only(s.cols.out)});
  c.tile_rows = tile_rows_of(c.p);
  c.tile_cols = tile_cols_of(c.p);
  c.boxes = cut_grid(s.images, s.depths.out, c.tile_rows, c.tile_cols, smaller(32, c.tile_rows * c.tile_cols));
  c.boxes.cols = c.tile_cols;
  c.boxes.col_parts = 1;
  c.vecs = divide_up(s.in_channels, L);
  const Panels panels = panels_of<T>(c.p);
  c.block = smaller(c.vecs, larger(1, 64 / L));
  c.blocks = divide_up(c.vecs, c.block);
  c.point_parts = panels.count * c.blocks >= 8 ? 1 : smaller(kPoints, divide_up(16, panels.count * c.blocks));
  c.sum_point = point_size(c.block * L, kPanelVecs * L);
  c.sum_room = kPoints * c.sum_point;

  const int64_t most = c.boxes.rows * c.tile_cols, of_tile = kPoints * (c.vecs + panels.vecs) * L;
  const int64_t room = larger(5 << 19, panels.count * c.blocks * c.sum_room * 2);
  c.chunk = larger(1, smaller(room, 1 << 24) / (most * of_tile));
  c.chunks = divide_up(c.boxes.count(), c.chunk);
  c.chunk = divide_up(c.boxes.count(), c.chunks);
  c.tiles = c.chunk * most;
  c.local = c.point_parts == 1 && c.chunks == 1;
  c.x_point = point_size(c.tiles, c.vecs * L);
  c.dy_point = point_size(c.tiles, panels.vecs * L);

  const Boxes pixels = pixels_of(c.boxes);
  c.x_room = source_room(c.p, pixels, x_last);
  c.dy_room = source_room(c.dy, pixels, dy_last);
  const int64_t transforming = (c.x_room + c.dy_room + larger(c.p.channels, c.p.m) + L) * (int64_t)sizeof(T);
  const int64_t adding = (c.local ? c.sum_room : 0) * (int64_t)sizeof(T) + kTilesAtOnce * 8;
  c.worker_room = divide_up(larger(transforming, adding), 64) * 64;
  c.turn_room = kPoints * (c.x_point + c.dy_point);
  return c;
}

template <class T>
WEFT_INLINE int64_t winograd_weight_room(const WinogradWeightCut& c, int workers) {
  const int64_t sums = c.local ? 0 : panels_of<T>(c.p).count * c.blocks * c.sum_room;
  return (c.turn_room + sums) * (int64_t)sizeof(T) + workers * c.worker_room;
}

// As winograd_wins: the transformations are those of x and dy, and of the sums.
template <class T>
bool winograd_weight_wins(const Pass& p) {
  if (!winograd_fits<T>(p) || !is_planar(p)) return false;
  const double tiles = winograd_tiles(p), direct = 9. * p.images * p.axes.grid();
  return tiles * (40 + 340. / p.m + 300. / p.channels) + 300 < 0.8 * direct;
}

// dy of the tiles of a box, transformed.
template <class T>
void transform_gradients(const Pass& p, T* to, int64_t tile, const PointStrides& s, const Box& box,
                         const Source<T>& source, const T* zeros) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t z = box.depths.begin; z < box.depths.end; ++z)
      for (int64_t i = box.rows.begin; i < box.rows.end; ++i)
        for (int64_t j = box.cols.begin; j < box.cols.end; ++j, to += tile) {
          const T* from[16];
          for (int k = 0; k < 16; ++k) {
            const int64_t r = i * 4 + k / 4, c = j * 4 + k % 4;
            from[k] = r < p.axes.rows.grid && c < p.axes.cols.grid ? source.at(n, z, r, c) : zeros;
          }
          for (int64_t c = 0; c < p.channels; c += L) {
            const int64_t left = smaller(L, p.channels - c);
            V half[24];
#pragma GCC unroll 4
            for (int k = 0; k < 4; ++k) {
              V y[4];
#pragma GCC unroll 4
              for (int l = 0; l < 4; ++l)
                y[l] = left == L ? load<V>(from[k * 4 + l] + c) : load_n<V>(from[k * 4 + l] + c, left);
              transform_gradient(half + k * 6, y, 1, 1);
            }
            T* at = to + c / L * s.vec;
#pragma GCC unroll 6
            for (int l = 0; l < 6; ++l) {
              V m[6];
              transform_gradient(m, half + l, 1, 6);
#pragma GCC unroll 6
              for (int k = 0; k < 6; ++k) store<V>(at + (k * 6 + l) * s.point, m[k]);
            }
          }
        }
}

// Box i of all: whole rows of tiles, so that the tiles of a range of boxes are neighbours in the order of the volumes.
template <class T>
void transform_box(const WinogradWeightCut& c, int64_t i, int64_t first_tile, T* x_to, T* dy_to, const T* x,
                   bool x_last, const T* dy, bool dy_last, T* room) {
  constexpr int64_t L = kLane<T>;
  const Pass& p = c.p;
  const Box box = box_at(c.boxes, p.images, p.axes.depths.grid, c.tile_rows, c.tile_cols, i);
  const Box pixels = pixels_of(p, box);
  T* zeros = room + c.x_room + c.dy_room;
  zero_run(zeros, larger(p.channels, p.m) + L);
  const int64_t tile =
      ((box.images.begin * p.axes.depths.grid + box.depths.begin) * c.tile_rows + box.rows.begin) * c.tile_cols -
      first_tile;
  transform_inputs(p, x_to + tile * L, L, PointStrides{c.x_point, c.tiles * L, true}, box,
                   take_source(p, pixels, x, x_last, 0, room), (const T*)zeros);
  transform_gradients(c.dy, dy_to + tile * L, L, PointStrides{c.dy_point, c.tiles * L, true}, box,
                      take_source(c.dy, pixels, dy, dy_last, 0, room + c.x_room), (const T*)zeros);
}

// sums[point, channels of a block, width of a panel] += the products of `tiles` tiles, for some of the points.
template <class T>
void add_products(const WinogradWeightCut& c, T* sums, Range points, Range panel, Range block, const T* x, const T* dy,
                  int64_t tiles, bool add, Met* met) {
  constexpr int64_t L = kLane<T>;
  const int64_t width = panel.size() * L;
  for (int64_t i = 0; i < smaller(kTilesAtOnce, tiles); ++i) met[i] = {(int32_t)(i * L), (int32_t)(i * L)};
  for (int64_t point = points.begin; point < points.end; ++point)
    for (int64_t t = 0; t < tiles; t += kTilesAtOnce)
      for (int64_t v = block.begin; v < block.end; ++v)
        run_sum_tiles((int)panel.size(), L,
                      SumTile<T>{met, smaller(kTilesAtOnce, tiles - t), x + point * c.x_point + (v * c.tiles + t) * L,
                                 dy + point * c.dy_point + (panel.begin * c.tiles + t) * L, c.tiles * L,
                                 sums + point * c.sum_point + (v - block.begin) * L * width, width, add || t > 0});
}

// Some of a block's vectors of channels, from sums back to filters: dweight[o, channel, tap], or [o, tap, channel].
template <class T>
void transform_sums(const WinogradWeightCut& c, T* dweight, bool last, const T* sums, Range panel, Range block,
                    Range mine) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Pass& p = c.p;
  const int64_t terms = p.channels * 9, width = panel.size() * L;
  for (int64_t v = mine.begin; v < mine.end; ++v) {
    const int64_t n = smaller(L, p.channels - v * L);
    for (int64_t vec = panel.begin; vec < panel.end; ++vec) {
      V g[9 * L];
      for (int64_t i = 0; i < L; ++i) {
        const T* from = sums + ((v - block.begin) * L + i) * width + (vec - panel.begin) * L;
        V half[18], taps[9];
#pragma GCC unroll 6
        for (int l = 0; l < 6; ++l) {
          V m[6];
#pragma GCC unroll 6
          for (int k = 0; k < 6; ++k) m[k] = load<V>(from + (k * 6 + l) * c.sum_point);
          transform_sum(half + l, m, 1, 6);
        }
#pragma GCC unroll 3
        for (int k = 0; k < 3; ++k) transform_sum(taps + k * 3, half + k * 6, 1, 1);
        for (int tap = 0; tap < 9; ++tap) g[last ? tap * L + i : i * 9 + tap] = taps[tap];
      }
      T* to = dweight + vec * L * terms + v * L * (last ? 1 : 9);
      for (int64_t k = 0; k < 9; ++k) {  // nine squares
        const int64_t count = last ? n : smaller(L, n * 9 - k * L), first = last ? k * p.channels : k * L;
        if (count <= 0) break;
        mm::transpose(g + k * L);
        for (int64_t o = 0; o < smaller(L, p.m - vec * L); ++o) store_n<V>(to + o * terms + first, g[k * L + o], count);
      }
    }
  }
}

template <class T>
void winograd_weights(const WinogradWeightCut& c, T* dweight, bool last, const T* x, bool x_last, const T* dy,
                      bool dy_last, char* workspace, int workers) {
  const Panels panels = panels_of<T>(c.p);
  const int64_t pairs = panels.count * c.blocks, boxes = c.boxes.count();
  T* x_to = (T*)workspace;
  T* dy_to = x_to + kPoints * c.x_point;
  T* all_sums = dy_to + kPoints * c.dy_point;
  char* scratch = (char*)(all_sums + (c.local ? 0 : pairs * c.sum_room));
  auto block_of = [&](int64_t pair) { return share(pair % c.blocks, c.blocks, c.vecs); };
  auto first_tile = [&](int64_t box) {
    if (box == boxes) return c.p.images * c.p.axes.depths.grid * c.tile_rows * c.tile_cols;
    const Box b = box_at(c.boxes, c.p.images, c.p.axes.depths.grid, c.tile_rows, c.tile_cols, box);
    return ((b.images.begin * c.p.axes.depths.grid + b.depths.begin) * c.tile_rows + b.rows.begin) * c.tile_cols;
  };
  for (int64_t chunk = 0; chunk < c.chunks; ++chunk) {
    const Range turn = share(chunk, c.chunks, boxes);
    const int64_t first = first_tile(turn.begin), tiles = first_tile(turn.end) - first;
    parallel(
        turn.size(),
        [&](int64_t i, int worker) {
          transform_box(c, turn.begin + i, first, x_to, dy_to, x, x_last, dy, dy_last,
                        (T*)(scratch + worker * c.worker_room));
        },
        workers);
    parallel(
        pairs * c.point_parts,
        [&](int64_t i, int worker) {
          const int64_t pair = i / c.point_parts;
          Met* met = (Met*)(scratch + worker * c.worker_room);
          T* sums = c.local ? (T*)(met + kTilesAtOnce) : all_sums + pair * c.sum_room;
          const Range panel = panels.at(pair / c.blocks), block = block_of(pair);
          add_products(c, sums, share(i % c.point_parts, c.point_parts, kPoints), panel, block, (const T*)x_to,
                       (const T*)dy_to, tiles, chunk > 0, met);
          if (c.local) transform_sums(c, dweight, last, (const T*)sums, panel, block, block);
        },
        workers);
  }
  if (c.local) return;
  parallel(
      pairs * c.block,
      [&](int64_t i, int) {
        const int64_t pair = i / c.block;
        const Range block = block_of(pair);
        const int64_t v = block.begin + i % c.block;
        transform_sums(c, dweight, last, (const T*)(all_sums + pair * c.sum_room), panels.at(pair / c.blocks), block,
                       Range{v, smaller(v + 1, block.end)});
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
