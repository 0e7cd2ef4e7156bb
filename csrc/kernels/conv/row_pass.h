// Forward from few channels, in [channels, pixels] order on both sides, with the lanes along output channels: tiles of
// neighbouring outputs of one row, which read padded planes at distances that the compiler knows. No table for each
// output, and sums that go to their lines from a buffer which the first-level cache holds.
#pragma once

#include "kernels/conv/channel_pass.h"

namespace weft::WEFT_ISA::conv {

// Outputs of a tile.
#if WEFT_AVX512
constexpr int kTall = 14, kShort = 8;  // two vectors of channels each: 28 accumulators of 32 registers
#elif WEFT_AVX2
constexpr int kTall = 6, kShort = 4;
#else
constexpr int kTall = 4, kShort = 2;
#endif

// out[i, j] = bias[j] + sum over k of b[offset[k] + i] * weight[k, j], for i < MR and j < NV vectors, of which
// `channels` have a bias. With `clip` the larger of that and 0.
template <class T>
struct RowTile {
  const T* b;
  const int64_t* offset;
  int64_t terms;
  const T* weight;
  const T* bias;  // or null
  int64_t channels;
  bool clip;
  T* out;
};

template <class T, int MR, int NV>
void row_tile(const RowTile<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  V acc[MR][NV];
#pragma GCC unroll 2
  for (int j = 0; j < NV; ++j) {
    const int64_t left = t.channels - j * L;
    const V b = !t.bias ? V{} : left >= L ? load<V>(t.bias + j * L) : load_n<V>(t.bias + j * L, left);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) acc[i][j] = b;
  }
  const T *w = t.weight, *source = t.b;
  const int64_t *offset = t.offset, *end = offset + t.terms;
  for (; offset < end; ++offset, w += NV * L) {
    const T* b = source + *offset;
    V row[NV];
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) row[j] = load<V>(w + j * L);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const V x = splat<V>(b[i]);
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) acc[i][j] += x * row[j];
    }
  }
  if (t.clip)
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i)
#pragma GCC unroll 2
      for (int j = 0; j < NV; ++j) acc[i][j] = mm::relu(acc[i][j]);
  T* out = t.out;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 2
    for (int j = 0; j < NV; ++j) store<V>(out + (i * NV + j) * L, acc[i][j]);
}

template <class T>
WEFT_INLINE void run_row_tile(bool tall, int64_t vecs, const RowTile<T>& t) {
  if (vecs == 1) return tall ? row_tile<T, kTall, 1>(t) : row_tile<T, kShort, 1>(t);
  tall ? row_tile<T, kTall, 2>(t) : row_tile<T, kShort, 2>(t);
}

struct RowCut {
  int64_t depths, rows, depth_parts, row_parts, panel_parts;  // a piece has `depths` by `rows` rows, and some panels
  int64_t lines;                                              // rows of a buffer
  int64_t tall, tiles;                                        // of a row: the first ones are tall
  int64_t terms, buffer_room, worker_room;                    // elements, bytes
};

// float32 alone, for the size of the library.
WEFT_INLINE bool by_rows(const Pass& p, bool out_last, bool source_last) {
  return merges_columns(p) && !out_last && !source_last;
}

template <class T>
RowCut cut_rows(const Pass& p) {
  constexpr int L = kLane<T>;
  const Axes& a = p.axes;
  const int64_t cols = a.cols.grid, rows = a.rows.grid, width = kPanelVecs * L;
  RowCut c{};
  c.terms = a.taps() * p.channels;
  int64_t least = 0;
  for (int64_t tall = divide_up(cols, kTall); tall >= 0; --tall) {
    const int64_t rest = divide_up(larger(0, cols - tall * kTall), kShort), covered = tall * kTall + rest * kShort;
    if (least && covered >= least) continue;
    least = covered, c.tall = tall, c.tiles = tall + rest;
  }
  c.lines = smaller(rows, larger(1, 128 / cols));

  // Pieces of about a million multiply-adds, up to 32, of 128 outputs or more; several depths, which have most of what
  // they read in common.
  const int64_t all = p.images * p.groups * a.grid();
  const double wanted = (double)all * p.m * c.terms / (1 << 20);
  const int64_t pieces = wanted < 1 ? 1 : wanted > 32 ? 32 : (int64_t)wanted;
  const int64_t outputs = larger(128, smaller(2048, divide_up(all, pieces)));
  c.depth_parts = divide_up(a.depths.grid, 4);
  c.depths = divide_up(a.depths.grid, c.depth_parts);
  c.rows = smaller(rows, divide_up(divide_up(outputs, c.depths * cols), c.lines) * c.lines);
  c.row_parts = divide_up(rows, c.rows);
  const int64_t there = p.images * p.groups * c.depth_parts * c.row_parts;
  c.panel_parts = there >= 8 ? 1 : smaller(panels_of<T>(p).count, divide_up(smaller(pieces, 8), there));

  // Behind the last row tiles read and write some elements more, and put_rows reads whole squares.
  const Block largest{{0, c.depths}, {0, c.rows}, {0, cols}};
  c.buffer_room = (c.lines * cols + larger(kTall, L)) * width;
  const int64_t planes = p.channels * a.slots() * stack_room(a, largest) + kTall;
  c.worker_room = divide_up(c.terms * 8 + 64 + (c.buffer_room + planes) * (int64_t)sizeof(T), 64) * 64;
  return c;
}

// [outputs, NV vectors] to out[channel * stride + output].
template <class T, int NV>
void put_rows(T* out, int64_t stride, const T* from, int64_t outputs, int64_t channels) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  for (int64_t i = 0; i < outputs; i += L, from += NV * L * L)
    for (int64_t c = 0; c < channels; c += L) {
      V v[L];
#pragma GCC unroll 16
      for (int j = 0; j < L; ++j) v[j] = load<V>(from + j * NV * L + c);
      transpose(v);
      T* to = out + c * stride + i;
      const int64_t n = smaller(L, outputs - i), lines = smaller(L, channels - c);
      if (n == L && lines == L) {
#pragma GCC unroll 16
        for (int j = 0; j < L; ++j, to += stride) store<V>(to, v[j]);
        continue;
      }
#pragma GCC unroll 16
      for (int j = 0; j < L; ++j, to += stride)
        if (j < lines) store_n<V>(to, v[j], n);
    }
}

// `rows` rows of outputs of one depth: t.b is where the first reads; `plane_width` lies between rows there. The lines
// that they go to are fetched meanwhile.
template <class T>
void run_rows(RowTile<T> t, const RowCut& c, int64_t vecs, int64_t rows, int64_t cols, int64_t plane_width, T* out,
              int64_t stride) {
  constexpr int L = kLane<T>;
  T* const buffer = t.out;
  const int64_t width = vecs * L, tiles = rows * c.tiles, outputs = rows * cols;
  const int64_t fetched = divide_up(t.channels, tiles);
  int64_t tile = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = t.b + r * plane_width;
    RowTile<T> here = t;
    here.b = row;
    here.out = buffer + r * cols * width;
    for (int64_t i = 0; i < c.tiles; ++i, ++tile) {
      for (int64_t m = tile * fetched; m < smaller((tile + 1) * fetched, t.channels); ++m)
        for (int64_t at = 0; at < outputs; at += L) __builtin_prefetch(out + m * stride + at, 1);
      const bool tall = i < c.tall;
      run_row_tile(tall, vecs, here);
      here.b += tall ? kTall : kShort;
      here.out += (tall ? kTall : kShort) * width;
    }
  }
  vecs == 1 ? put_rows<T, 1>(out, stride, (const T*)buffer, outputs, t.channels)
            : put_rows<T, 2>(out, stride, (const T*)buffer, outputs, t.channels);
}

template <class T>
void row_pass(const Pass& p, const RowCut& c, const ChannelArgs<T>& a, const T* packed, char* scratch, int workers) {
  constexpr int L = kLane<T>;
  const Axes& axes = p.axes;
  const Panels panels = panels_of<T>(p);
  const int64_t cols = axes.cols.grid, plane = axes.rows.grid * cols, volume = axes.depths.grid * plane;
  const int64_t of_depth = c.terms / axes.depths.a.kernel;
  parallel(
      p.images * p.groups * c.depth_parts * c.row_parts * c.panel_parts,
      [&](int64_t index, int worker) {
        int64_t* offset = (int64_t*)(scratch + worker * c.worker_room);
        T* buffer = (T*)(scratch + worker * c.worker_room + divide_up(c.terms * 8, 64) * 64);
        const Range mine = share(index % c.panel_parts, c.panel_parts, panels.count);
        index /= c.panel_parts;
        const int64_t begin = index % c.row_parts * c.rows;
        index /= c.row_parts;
        const Block block{share(index % c.depth_parts, c.depth_parts, axes.depths.grid),
                          {begin, smaller(begin + c.rows, axes.rows.grid)},
                          {0, cols}};
        const int64_t item = index / c.depth_parts, group = item % p.groups;
        const Planes<T> planes =
            copy_planes(buffer + c.buffer_room, a.source + item * p.channels * axes.source(), p.channels, axes, block);
        make_offsets(offset, planes, 1, axes, Phase{0, 0, 0});
        for (int64_t tap = axes.taps() - 1; tap >= 0; --tap) {  // the filters' rows are (tap, channel)
          const int64_t first = offset[tap];
          for (int64_t k = p.channels - 1; k >= 0; --k) offset[tap * p.channels + k] = first + k * planes.channel;
        }
        for (int64_t z = block.depths.begin; z < block.depths.end; ++z) {
          const Range met = inside(axes.depths.at(z, 0), axes.depths.a.dilation, axes.depths.source(),
                                   axes.depths.a.kernel);  // the other taps read nothing but padding
          for (int64_t r = block.rows.begin; r < block.rows.end; r += c.lines)
            for (int64_t i = mine.begin; i < mine.end; ++i) {
              const Range panel = panels.at(i);
              const int64_t m = panel.begin * L, skipped = met.begin * of_depth;
              RowTile<T> t{};
              t.b = planes.data + (z - block.depths.begin) * planes.plane + (r - block.rows.begin) * planes.width;
              t.offset = offset + skipped;
              t.terms = met.size() * of_depth;
              t.weight = panel_at(packed, p, group, Phase{0, 0, 0}, panel) + skipped * panel.size() * L;
              t.bias = a.bias ? a.bias + group * p.m + m : nullptr;
              t.channels = smaller(panel.size() * L, p.m - m);
              t.clip = a.relu;
              t.out = buffer;
              run_rows(t, c, panel.size(), smaller(c.lines, block.rows.end - r), cols, planes.width,
                       a.out + (item * p.m + m) * volume + z * plane + r * cols, volume);
            }
        }
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
