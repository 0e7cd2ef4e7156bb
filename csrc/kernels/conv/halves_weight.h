// Backward by weight with filters of 4x4 and stride 2, by Winograd: the transformations of conv/winograd_halves.h,
// transposed. In turns, for as many tiles as the last-level cache holds: what they read and their dy, transformed, by
// pieces of tiles; then the products [input channels, tiles] by [tiles, output channels] of all points, by pieces of
// channels, one half after the other. After the last turn a piece turns its sums back.
#pragma once

#include "kernels/conv/channel_weight.h"
#include "kernels/conv/winograd_halves.h"

namespace weft::WEFT_ISA::conv::halves {

struct WeightCut {
  Pass p, dy;                              // dy: a pass that reads just dy
  int64_t rows, cols;                      // tiles of an image
  Boxes boxes;                             // of tiles: whole rows of an image
  int64_t chunks, tiles;                   // turns; tiles of the longest
  int64_t vecs, block, blocks;             // of input channels: vectors, those of a piece, pieces
  int64_t x_point, dy_point;               // elements from one point to the next: of what is transformed
  int64_t sum_point, sum_room;             // of the sums of a piece; all of a half
  int64_t x_room, worker_room, turn_room;  // elements; bytes; elements
};

constexpr int64_t kTilesAtOnce = 128;  // of a register tile: what it reads stays in the first-level cache

template <class T>
WeightCut cut_weight(const ConvShape& s, bool x_last, bool dy_last) {
  constexpr int64_t L = kLane<T>;
  WeightCut c{};
  auto only = [](int64_t n) {
    ConvAxis a;
    a.in = a.out = n;
    return a;
  };
  c.p = forward_pass(s);
  c.dy = forward_pass(ConvShape{s.images, 1, s.out_channels, s.out_channels, {}, only(s.rows.out), only(s.cols.out)});
  c.rows = tiles_along(c.p.axes.rows);
  c.cols = tiles_along(c.p.axes.cols);
  c.boxes = cut_grid(s.images, 1, c.rows, c.cols, smaller(32, c.rows * c.cols));
  c.boxes.cols = c.cols;
  c.boxes.col_parts = 1;
  c.vecs = s.in_channels / L;
  const Panels panels = panels_of<T>(c.p);
  c.block = smaller(c.vecs, 64 / L);
  if (panels.count * divide_up(c.vecs, c.block) < 8) c.block = divide_up(c.block, 2);
  c.blocks = divide_up(c.vecs, c.block);
  c.sum_point = point_size(c.block * L, kPanelVecs * L);
  c.sum_room = kPoints * c.sum_point;

  const int64_t most = c.boxes.images * c.boxes.rows * c.cols, of_tile = kPoints * (4 * c.vecs + panels.vecs) * L;
  const int64_t room = larger(3 << 20, panels.count * c.blocks * 4 * c.sum_room * 2);
  const int64_t chunk = larger(1, smaller(room, 1 << 24) / (most * of_tile));
  c.chunks = divide_up(c.boxes.count(), chunk);
  c.tiles = divide_up(c.boxes.count(), c.chunks) * most;
  c.x_point = point_size(c.tiles, c.vecs * L);
  c.dy_point = point_size(c.tiles, panels.vecs * L);
  c.turn_room = kPoints * (4 * c.x_point + c.dy_point);

  Boxes outputs = c.boxes;
  outputs.rows *= 4;
  outputs.cols *= 4;
  c.x_room = source_room(c.p, positions_of(c.boxes), x_last);
  const int64_t zeros = larger(s.in_channels, s.out_channels);
  const int64_t transforming = c.x_room + source_room(c.dy, outputs, dy_last) + zeros;
  const int64_t adding = (c.chunks == 1 ? c.sum_room : 0) + c.block * L * 16 * kPanelVecs * L + kTilesAtOnce * 2;
  c.worker_room = divide_up(larger(transforming, adding) * (int64_t)sizeof(T), 64) * 64;
  return c;
}

template <class T>
WEFT_INLINE int64_t weight_room(const WeightCut& c, int workers) {
  const int64_t sums = c.chunks == 1 ? 0 : panels_of<T>(c.p).count * c.blocks * 4 * c.sum_room;
  return (c.turn_room + sums) * (int64_t)sizeof(T) + workers * c.worker_room;
}

// As pass_wins: the transformations are those of x and dy, and of the sums.
template <class T>
bool weight_wins(const Pass& p) {
  if (!fits<T>(p)) return false;
  const double tiles = tiles_of(p), direct = 16. * p.images * p.axes.grid();
  return tiles * (108 + 480. / p.m + 150. / p.channels) + 500 < 0.8 * direct;
}

// dy of the tiles of a box, transformed.
template <class T>
void transform_gradients(const Pass& p, T* to, const Spread& s, const Box& box, const Source<T>& source,
                         const T* zeros) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  for (int64_t n = box.images.begin; n < box.images.end; ++n)
    for (int64_t i = box.rows.begin; i < box.rows.end; ++i)
      for (int64_t j = box.cols.begin; j < box.cols.end; ++j, to += s.tile) {
        const T* from[16];
        for (int k = 0; k < 16; ++k) {
          const int64_t r = i * 4 + k / 4, c = j * 4 + k % 4;
          from[k] = r < p.axes.rows.grid && c < p.axes.cols.grid ? source.at(n, 0, r, c) : zeros;
        }
        for (int64_t v = 0; v < p.channels / L; ++v) {
          V partly[20];
#pragma GCC unroll 4
          for (int k = 0; k < 4; ++k) {
            V y[4];
#pragma GCC unroll 4
            for (int l = 0; l < 4; ++l) y[l] = load<V>(from[k * 4 + l] + v * L);
            transform_gradient(partly + k * 5, y, 1, 1);
          }
          T* at = to + v * s.block;
#pragma GCC unroll 5
          for (int l = 0; l < 5; ++l) {
            V m[5];
            transform_gradient(m, partly + l, 1, 5);
#pragma GCC unroll 5
            for (int k = 0; k < 5; ++k) store<V>(at + (k * 5 + l) * s.point, m[k]);
          }
        }
      }
}

// The sums of one half and block, back to its four taps of the filters: rows of the panel's width, as put_weights
// takes them.
template <class T>
void transform_sums(const WeightCut& c, T* taps, const T* sums, int64_t half, int64_t channels, int64_t width) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  for (int64_t i = 0; i < channels; ++i)
    for (int64_t j = 0; j < width; j += L) {
      const T* from = sums + i * width + j;
      V partly[10], g[4];
#pragma GCC unroll 5
      for (int l = 0; l < 5; ++l) {
        V m[5];
#pragma GCC unroll 5
        for (int k = 0; k < 5; ++k) m[k] = load<V>(from + (k * 5 + l) * c.sum_point);
        transform_sum(partly + l, m, 1, 5);
      }
      transform_sum(g, partly, 1, 1);
      transform_sum(g + 2, partly + 5, 1, 1);
#pragma GCC unroll 4
      for (int e = 0; e < 4; ++e) {
        const int64_t tap = (half / 2 + e / 2 * 2) * 4 + half % 2 + e % 2 * 2;
        store<V>(taps + ((i / L * 16 + tap) * L + i % L) * width + j, g[e]);
      }
    }
}

template <class T>
void add_weights(const WeightCut& c, T* dweight, bool last, const T* x, const T* dy, int64_t tiles, bool add,
                 bool finish, T* all_sums, const WeightPiece& piece, char* scratch) {
  constexpr int64_t L = kLane<T>;
  Met* met = (Met*)scratch;
  T* taps = (T*)(met + kTilesAtOnce);
  T* own = taps + c.block * L * 16 * kPanelVecs * L;
  const int64_t width = piece.panel.size() * L;
  for (int64_t i = 0; i < smaller(kTilesAtOnce, tiles); ++i) met[i] = {(int32_t)(i * L), (int32_t)(i * L)};
  for (int64_t half = 0; half < 4; ++half) {
    T* sums = all_sums ? all_sums + half * c.sum_room : own;
    for (int64_t k = 0; k < kPoints; ++k)
      for (int64_t t = 0; t < tiles; t += kTilesAtOnce)
        for (int64_t v = piece.vecs.begin; v < piece.vecs.end; ++v)
          run_sum_tiles((int)piece.panel.size(), L,
                        SumTile<T>{met, smaller(kTilesAtOnce, tiles - t),
                                   x + (half * kPoints + k) * c.x_point + (v * c.tiles + t) * L,
                                   dy + k * c.dy_point + (piece.panel.begin * c.tiles + t) * L, c.tiles * L,
                                   sums + k * c.sum_point + (v - piece.vecs.begin) * L * width, width, add || t > 0});
    if (finish) transform_sums(c, taps, (const T*)sums, half, piece.vecs.size() * L, width);
  }
  if (!finish) return;
  ChannelWeightCut filters{};
  filters.p = c.p;
  filters.runs = 16;
  filters.splits = 1;
  for (int64_t v = 0; v < piece.panel.size(); ++v) put_weights(filters, piece, v, dweight, last, (const T*)taps, 0);
}

template <class T>
void run_weight(const WeightCut& c, T* dweight, bool last, const T* x, bool x_last, const T* dy, bool dy_last,
                char* workspace, int workers) {
  constexpr int64_t L = kLane<T>;
  const Panels panels = panels_of<T>(c.p);
  const int64_t pairs = panels.count * c.blocks;
  T* x_to = (T*)workspace;
  T* dy_to = x_to + 4 * kPoints * c.x_point;
  T* all_sums = dy_to + kPoints * c.dy_point;
  char* scratch = (char*)(all_sums + (c.chunks == 1 ? 0 : pairs * 4 * c.sum_room));
  auto box_of = [&](int64_t i) { return box_at(c.boxes, c.p.images, 1, c.rows, c.cols, i); };
  auto first_tile = [&](int64_t i) {
    if (i == c.boxes.count()) return c.p.images * c.rows * c.cols;
    const Box b = box_of(i);
    return (b.images.begin * c.rows + b.rows.begin) * c.cols;
  };
  for (int64_t turn = 0; turn < c.chunks; ++turn) {
    const Range here = share(turn, c.chunks, c.boxes.count());
    const int64_t first = first_tile(here.begin), tiles = first_tile(here.end) - first;
    parallel(
        here.size(),
        [&](int64_t i, int worker) {
          const Box box = box_of(here.begin + i);
          const Box outputs{box.images,
                            box.depths,
                            {box.rows.begin * 4, smaller(c.p.axes.rows.grid, box.rows.end * 4)},
                            {box.cols.begin * 4, smaller(c.p.axes.cols.grid, box.cols.end * 4)}};
          const int64_t tile = (first_tile(here.begin + i) - first) * L;
          T* zeros = (T*)(scratch + worker * c.worker_room);
          T* room = zeros + larger(c.p.channels, c.p.m);
          zero_run(zeros, larger(c.p.channels, c.p.m));
          transform_inputs(c.p, x_to + tile, Spread{kPoints * c.x_point, c.x_point, c.tiles * L, 1, L}, box,
                           take_source(c.p, positions_of(c.p, box), x, x_last, 0, room), (const T*)zeros);
          transform_gradients(c.dy, dy_to + tile, Spread{0, c.dy_point, c.tiles * L, 1, L}, box,
                              take_source(c.dy, outputs, dy, dy_last, 0, room + c.x_room), (const T*)zeros);
        },
        workers);
    parallel(
        pairs,
        [&](int64_t i, int worker) {
          add_weights(c, dweight, last, (const T*)x_to, (const T*)dy_to, tiles, turn > 0, turn + 1 == c.chunks,
                      c.chunks == 1 ? (T*)nullptr : all_sums + i * 4 * c.sum_room,
                      WeightPiece{0, panels.at(i / c.blocks), share(i % c.blocks, c.blocks, c.vecs)},
                      scratch + worker * c.worker_room);
        },
        workers);
  }
}

}  // namespace weft::WEFT_ISA::conv::halves
