// Backward by weight: for each image, the product of the shifted views of its planes with its dy, transposed to
// [pixel, channel] so that the lanes run along output channels; with few of those, dot products along the pixels.
// Pieces own a range of groups and input channels; only where these are too few are the images split as well, into
// partial sums that are added up in order.
#pragma once

#include "base/threads.h"
#include "kernels/conv/planes.h"
#include "kernels/conv/tile.h"
#include "kernels/matmul/pack.h"

namespace weft::WEFT_ISA::conv {

struct WeightCut {
  Axes axes;
  int64_t taps, k;                        // weights per input channel; of one output channel
  bool dots;                              // lanes along pixels
  int64_t width;                          // of a row of sums: output channels, in whole vectors unless dots
  int64_t channels, channel_chunks;       // input channels of a piece
  int64_t groups, group_chunks;           // groups of a piece
  int64_t block_depths, depth_blocks;     // of an image
  int64_t block_rows, row_blocks;         // of a depth; all of them where block_depths > 1
  int64_t units, splits;                  // blocks of all images; parts that they are divided into
  int64_t plane_room, dy_room, sum_room;  // elements
};

template <class T>
WeightCut cut_weight(const ConvShape& s) {
  constexpr int64_t L = kLanes<T>, kBudget = 512 * 1024 / sizeof(T);
  WeightCut c{};
  c.axes = Axes::make(s, false);
  const Axis &depths = c.axes.depths, &rows = c.axes.rows, &cols = c.axes.cols;
  c.taps = c.axes.taps();
  c.k = s.in_channels * c.taps;
  c.dots = s.out_channels * 2 < L;
  c.width = c.dots ? s.out_channels : divide_up(s.out_channels, L) * L;

  // Pieces of about a million multiply-adds, up to 32; at least 128 rows of sums each, or copying dy would show.
  const double wanted = (double)s.images * s.groups * c.axes.outputs() * c.k * s.out_channels / (1 << 20);
  const int64_t pieces = wanted < 1 ? 1 : wanted > 32 ? 32 : (int64_t)wanted;
  c.groups = larger(1, s.groups / pieces);
  c.group_chunks = divide_up(s.groups, c.groups);
  c.channel_chunks = larger(1, smaller(divide_up(pieces, c.group_chunks), c.k / 128));
  c.channels = divide_up(s.in_channels, smaller(c.channel_chunks, s.in_channels));
  c.channel_chunks = divide_up(s.in_channels, c.channels);

  const int64_t stacks = c.channels * c.axes.slots(), width = cols.grid + cols.reach;
  const int64_t dy_row = c.dots ? 0 : c.width * cols.grid, per_row = stacks * (1 + depths.reach) * width + dy_row;
  c.block_rows = smaller(rows.grid, larger(1, smaller(kBudget / per_row - rows.reach, divide_up(1024, cols.grid))));
  c.block_depths = 1;
  if (c.block_rows == rows.grid) {
    const int64_t per_depth = stacks * width * (rows.grid + rows.reach) + dy_row * rows.grid;
    const int64_t fitting = smaller(kBudget / per_depth - depths.reach, divide_up(1024, rows.grid * cols.grid));
    c.block_depths = smaller(depths.grid, larger(1, fitting));
  }
  c.depth_blocks = divide_up(depths.grid, c.block_depths);
  c.row_blocks = divide_up(rows.grid, c.block_rows);
  c.units = s.images * c.depth_blocks * c.row_blocks;
  c.splits = larger(1, smaller(c.units, pieces / (c.group_chunks * c.channel_chunks)));
  c.sum_room = s.groups * c.k * c.width;
  c.splits = larger(1, smaller(c.splits, (64 << 20) / (int64_t)sizeof(T) / c.sum_room));
  const Block largest{{0, c.block_depths}, {0, c.block_rows}, {0, cols.grid}};
  c.plane_room = in_place(c.axes) ? 0 : stacks * stack_room(c.axes, largest);
  c.dy_room = c.block_depths * c.block_rows * dy_row;
  return c;
}

template <class T>
WEFT_INLINE int64_t scratch_bytes(const WeightCut& c) {
  int64_t bytes = (c.plane_room + c.dy_room) * (int64_t)sizeof(T) + c.channels * c.taps * (int64_t)sizeof(int64_t);
  return divide_up(bytes, 64) * 64;
}

// Adds what one block of one depth gives to `k` rows of sums; `data` are its planes.
template <class T>
void add_block(const WeightCut& c, T* sums, int64_t k, const T* data, int64_t data_width, const int64_t* offset,
               const T* dy, const T* packed_dy, int64_t out_channels, int64_t dy_volume, int64_t rows) {
  constexpr int64_t L = kLanes<T>;
  const int64_t cols = c.axes.cols.grid;
  if (c.dots) {
    for (int64_t o = 0; o < out_channels; ++o)
      for (int64_t i = 0; i < k;) {
        const int64_t left = k - i, n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        auto dots = n == 8   ? weight_dots<T, 8>
                    : n == 4 ? weight_dots<T, 4>
                    : n == 2 ? weight_dots<T, 2>
                             : weight_dots<T, 1>;
        dots(data, offset + i, data_width, dy + o * dy_volume, cols, rows, cols, sums + i * c.width + o, c.width);
        i += n;
      }
    return;
  }
  for (int64_t o = 0; o < c.width;) {
    const int vecs = (int)smaller(kVecs, (c.width - o) / L);
    for (int64_t i = 0; i < k;) {
      const int n = rows_of_tile(k - i);
      run_weight_tile(n, vecs,
                      WeightTile<T>{data, offset + i, data_width, rows, cols, packed_dy + o, c.width,
                                    sums + i * c.width + o, c.width});
      i += n;
    }
    o += vecs * L;
  }
}

// sums: [splits, groups, k, width]
template <class T>
void sum_weights(const WeightCut& c, const ConvShape& s, T* sums, const T* x, const T* dy, char* scratch, int workers) {
  const int64_t bytes = scratch_bytes<T>(c), x_volume = c.axes.source(), dy_volume = c.axes.outputs();
  const int64_t dy_plane = s.rows.out * s.cols.out;
  parallel(
      c.group_chunks * c.channel_chunks * c.splits,
      [&](int64_t piece, int worker) {
        int64_t* offset = (int64_t*)(scratch + worker * bytes);
        T* room = (T*)(offset + c.channels * c.taps);
        T* packed_dy = room + c.plane_room;
        const int64_t split = piece % c.splits, chunk = piece / c.splits;
        const int64_t channel = chunk % c.channel_chunks * c.channels, group0 = chunk / c.channel_chunks * c.groups;
        const int64_t channels = smaller(c.channels, s.in_channels - channel), k = channels * c.taps;
        const int64_t unit0 = c.units * split / c.splits, unit1 = c.units * (split + 1) / c.splits;
        for (int64_t g = group0; g < smaller(s.groups, group0 + c.groups); ++g) {
          T* to = sums + split * c.sum_room + (g * c.k + channel * c.taps) * c.width;
          zero_run(to, k * c.width);
          for (int64_t unit = unit0; unit < unit1; ++unit) {
            const int64_t row = unit % c.row_blocks * c.block_rows, slab = unit / c.row_blocks;
            const int64_t depth = slab % c.depth_blocks * c.block_depths;
            const int64_t image = slab / c.depth_blocks * s.groups + g;
            const int64_t rows = smaller(c.block_rows, c.axes.rows.grid - row), pixels = rows * s.cols.out;
            const int64_t depths = smaller(c.block_depths, c.axes.depths.grid - depth);
            const Block block{{depth, depth + depths}, {row, row + rows}, {0, c.axes.cols.grid}};
            const T* from = dy + image * s.out_channels * dy_volume + depth * dy_plane + row * s.cols.out;
            Planes<T> planes =
                make_planes(room, x + (image * s.in_channels + channel) * x_volume, channels, c.axes, block);
            make_offsets(offset, planes, channels, c.axes, Phase{0, 0, 0});
            if (!c.dots)
              mm::pack_panel(packed_dy, (int)c.width, from, 1, dy_volume, depths * pixels, (int)s.out_channels);
            for (int64_t z = 0; z < depths; ++z)
              add_block(c, to, k, planes.data + z * planes.plane, planes.width, offset, from + z * pixels,
                        packed_dy + z * pixels * c.width, s.out_channels, dy_volume, rows);
          }
        }
      },
      workers);
}

// dweight[group, o, k] = the sum over splits of sums[split, group, k, o]
template <class T>
void combine_weights(const WeightCut& c, const ConvShape& s, T* dweight, const T* sums) {
  constexpr int64_t kStrip = 16;
  const int64_t strips = divide_up(c.k, kStrip);
  parallel_ranges(s.groups * strips, 32768 / (kStrip * s.out_channels * c.splits) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t group = i / strips, k0 = i % strips * kStrip, k1 = smaller(c.k, k0 + kStrip);
      T* to = dweight + group * s.out_channels * c.k;
      for (int64_t o = 0; o < s.out_channels; ++o)
        for (int64_t k = k0; k < k1; ++k) {
          const T* from = sums + (group * c.k + k) * c.width + o;
          T total = from[0];
          for (int64_t split = 1; split < c.splits; ++split) total += from[split * c.sum_room];
          to[o * c.k + k] = total;
        }
    }
  });
}

}  // namespace weft::WEFT_ISA::conv
