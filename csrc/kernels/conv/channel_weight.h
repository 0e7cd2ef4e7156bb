// Backward by weight with the lanes along output channels: for each box of outputs, the product of what their taps read
// with dy. Pieces own a range of panels and one of input channels; only where these are too few are the boxes divided
// as well, into partial sums that are added up in order.
#pragma once

#include "kernels/conv/box.h"
#include "kernels/conv/filters.h"
#include "kernels/conv/planes.h"
#include "kernels/conv/sum_tile.h"

namespace weft::WEFT_ISA::conv {

struct ChannelWeightCut {
  Pass p;
  bool columns;               // few channels: all terms of an output are copied to one row
  int64_t runs, terms, vecs;  // vectors of `terms` neighbouring terms that each run has
  Boxes boxes;
  int64_t panel_parts, vec_parts, splits;
  int64_t rows, width, sum_room;       // of the sums of a group; of a row; elements of all sums of a split
  int64_t outputs, pixels;             // of the largest box; of a vector of its source, the padding's included
  int64_t source_room, vecs_room;      // elements
  int64_t zeros, dy_room, table_room;  //
  int64_t worker_room;                 // bytes
};

template <class T>
ChannelWeightCut cut_channel_weight(const ConvShape& s, bool x_last) {
  constexpr int64_t L = kLane<T>;
  ChannelWeightCut c{};
  c.p = forward_pass(s);
  const Axes& a = c.p.axes;
  const Runs runs = runs_of(c.p, Phase{0, 0, 0});
  c.columns = merges_columns(c.p);
  c.runs = c.columns ? 1 : runs.count;
  c.terms = c.columns ? runs.count * runs.length : runs.length;
  c.vecs = divide_up(c.terms, L);
  c.rows = c.runs * c.vecs * L;
  c.boxes = cut_boxes(c.p, 192);  // what a tile reads of them stays in the first-level cache
  const Panels panels = panels_of<T>(c.p);
  c.width = panels.vecs * L;
  c.sum_room = s.groups * c.rows * c.width;
  // Pieces of about a million multiply-adds, up to 16; parts of a sum, which must be added up, only up to 8 of them.
  const double wanted = (double)s.images * s.groups * a.grid() * c.p.m * c.p.channels * a.taps() / (1 << 20);
  const int64_t pieces = wanted < 1 ? 1 : wanted > 16 ? 16 : (int64_t)wanted, few = smaller(pieces, 8);
  // Each part of one operand copies its part of the other anew: as many of both.
  c.panel_parts = smaller(panels.count, smaller(4, divide_up(pieces, s.groups)));
  c.vec_parts = c.columns ? 1 : smaller(c.vecs, divide_up(pieces, c.panel_parts * s.groups));
  c.splits = smaller(c.boxes.count(), divide_up(few, c.panel_parts * c.vec_parts * s.groups));
  c.splits = larger(1, smaller(c.splits, (64 << 20) / (int64_t)sizeof(T) / c.sum_room));

  const Boxes& b = c.boxes;
  c.outputs = b.images * b.depths * b.rows * b.cols;
  c.pixels = c.columns
                 ? c.outputs
                 : 1 + b.images * most_held(a.depths, b.depths) * most_held(a.rows, b.rows) * most_held(a.cols, b.cols);
  c.source_room = c.columns ? source_room(c.p, b, x_last) + L : 0;
  c.zeros = c.columns ? runs.length + c.vecs * L : 0;
  c.vecs_room = c.pixels * divide_up(c.vecs, c.vec_parts) * L;
  c.dy_room = c.outputs * kPanelVecs * L;
  c.table_room = c.outputs * (runs.count + 1);
  c.worker_room = divide_up((c.source_room + c.zeros + c.vecs_room + c.dy_room) * (int64_t)sizeof(T), 64) * 64 +
                  divide_up(c.table_room * 8, 64) * 64;
  return c;
}

// dy of a box as [vectors of channels, outputs], zeros from `channels` on.
template <class T>
void take_dy(T* to, int64_t vecs, const T* dy, const Strides& s, const int64_t* at, int64_t outputs, int64_t channels) {
  constexpr int L = kLane<T>;
  for (int64_t i = 0; i < outputs;) {
    int64_t n = 1;
    if (s.channel != 1)
      while (i + n < outputs && at[i + n] - at[i] == n) ++n;
    for (int64_t v = 0; v < vecs; ++v) {
      T* line = to + (v * outputs + i) * L;
      const T* from = dy + at[i] + v * L * s.channel;
      const int64_t count = smaller(L, channels - v * L);
      s.channel == 1 ? mm::pack_row(line, L, from, count) : mm::pack_panel(line, L, from, 1, s.channel, n, (int)count);
    }
    i += n;
  }
}

// What a box reads of some vectors of channels, as [vectors, 1 + pixels]: the first is the padding's.
template <class T>
Source<T> take_vectors(const ChannelWeightCut& c, Range vecs, const Box& b, const T* from, bool last, int64_t group,
                       T* room) {
  constexpr int L = kLane<T>;
  const Pass& p = c.p;
  const Axes& a = p.axes;
  const Strides s = source_strides(p, last);
  const Range depths = held(a.depths, b.depths, false), rows = held(a.rows, b.rows, false);
  const Range cols = held(a.cols, b.cols, false);
  const Strides t = {depths.size() * rows.size() * cols.size() * L, rows.size() * cols.size() * L, cols.size() * L, L,
                     c.pixels * L};
  const Source<T> source{room + L, t, b.images.begin, depths.begin, rows.begin, cols.begin};
  from += (group * p.channels + vecs.begin * L) * s.channel + cols.begin * s.col;
  const int64_t channels = p.channels - vecs.begin * L;
  for (int64_t v = 0; v < vecs.size(); ++v) zero_run(room + v * t.channel, L);
  for (int64_t n = b.images.begin; n < b.images.end; ++n)
    for (int64_t d = depths.begin; d < depths.end; ++d)
      for (int64_t r = rows.begin; r < rows.end && cols.size(); ++r)
        for (int64_t v = 0; v < vecs.size(); ++v)
          mm::pack_panel((T*)source.at(n, d, r, cols.begin) + v * t.channel, L,
                         from + n * s.image + d * s.depth + r * s.row + v * L * s.channel, s.col, s.channel,
                         cols.size(), (int)smaller(L, channels - v * L));
  return source;
}

// The runs of each output one after the other, as [vectors of terms, outputs]. Then the table's first run points there.
template <class T>
void take_columns(const ChannelWeightCut& c, const T** table, int64_t runs, int64_t length, int64_t outputs, T* line,
                  T* to) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  zero_run(line, c.vecs * L);
  for (int64_t i = 0; i < outputs; ++i, to += L) {
    for (int64_t r = 0; r < runs; ++r) copy_run(line + r * length, table[r * c.outputs + i], length);
    for (int64_t v = 0; v < c.vecs; ++v) store<V>(to + v * c.pixels * L, load<V>(line + v * L));
    table[i] = to;
  }
}

// sums: [splits, groups, panels, runs, whole vectors of terms, width of the panel]
template <class T>
void sum_channel_weights(const ChannelWeightCut& c, T* sums, const T* x, bool x_last, const T* dy, bool dy_last,
                         char* scratch, int workers) {
  constexpr int L = kLane<T>;
  const Pass& p = c.p;
  const Strides out = output_strides(p, dy_last);
  const Panels panels = panels_of<T>(p);
  const Runs runs = runs_of(p, Phase{0, 0, 0});
  parallel(
      p.groups * c.panel_parts * c.vec_parts * c.splits,
      [&](int64_t index, int worker) {
        const T** table = (const T**)(scratch + worker * c.worker_room);
        int64_t* at = (int64_t*)(table + c.outputs * runs.count);
        T* vectors = (T*)(scratch + worker * c.worker_room + divide_up(c.table_room * 8, 64) * 64);
        T* packed = vectors + c.vecs_room;
        T* zeros = packed + c.dy_room;
        T* room = zeros + c.zeros;
        const int64_t split = index % c.splits, part = index / c.splits % c.vec_parts;
        const int64_t rest = index / c.splits / c.vec_parts, group = rest % p.groups;
        const Range mine = share(rest / p.groups, c.panel_parts, panels.count);
        const Range vecs = share(part, c.vec_parts, c.vecs);
        const Range boxes = share(split, c.splits, c.boxes.count());
        T* to = sums + split * c.sum_room + group * c.rows * c.width;
        for (int64_t b = boxes.begin; b < boxes.end; ++b) {
          const Box box = box_at(p, c.boxes, b);
          zero_run(zeros, c.columns ? runs.length : 0);
          const Source<T> source = c.columns ? take_source(p, box, x, x_last, group, room)
                                             : take_vectors(c, vecs, box, x, x_last, group, vectors);
          const int64_t outputs = make_table(table, 1, c.outputs, at, p, box, Phase{0, 0, 0}, source,
                                             (const T*)(c.columns ? zeros : vectors), out);
          if (c.columns) take_columns(c, table, runs.count, runs.length, outputs, zeros + runs.length, vectors);
          for (int64_t i = mine.begin; i < mine.end; ++i) {
            const Range panel = panels.at(i);
            const int64_t width = panel.size() * L, m = panel.begin * L;
            take_dy(packed, panel.size(), dy + (group * p.m + m) * out.channel, out, at, outputs,
                    smaller(width, p.m - m));
            for (int64_t v = vecs.begin; v < vecs.end; ++v)
              for (int64_t r = 0; r < c.runs; ++r)
                run_sum_tiles(
                    (int)panel.size(), smaller(L, c.terms - v * L),
                    SumTile<T>{table + r * c.outputs, (v - vecs.begin) * c.pixels * L, packed, outputs * L, outputs,
                               to + m * c.rows + (r * c.vecs + v) * L * width, width, b > boxes.begin});
          }
        }
      },
      workers);
}

// dweight[group, o, channel, tap], or [group, o, tap, channel] if `last`, = the sum over splits
template <class T>
void combine_channel_weights(const ChannelWeightCut& c, T* dweight, const T* sums, bool last) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Pass& p = c.p;
  const int64_t taps = p.axes.taps(), terms = p.channels * taps, vecs = c.width / L;
  const int64_t chunks = divide_up(terms, L), of_tap = c.columns ? p.channels : c.vecs * L;
  const Panels panels = panels_of<T>(p);
  parallel_ranges(p.groups * vecs * chunks, 8192 / (L * L) / c.splits + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t q = i % chunks * L, vec = i / chunks % vecs, group = i / chunks / vecs;
      const int64_t n = smaller(L, terms - q), count = smaller(L, p.m - vec * L);
      const Range panel = panels.at(panels.of(vec));
      const T* column = sums + (group * c.width + panel.begin * L) * c.rows + (vec - panel.begin) * L;
      V v[L];
      for (int64_t j = 0; j < n; ++j) {
        const int64_t term = q + j, tap = last ? term / p.channels : term % taps;
        const int64_t channel = last ? term % p.channels : term / taps;
        const T* from = column + (tap * of_tap + channel) * panel.size() * L;
        v[j] = load<V>(from);
        for (int64_t split = 1; split < c.splits; ++split) v[j] += load<V>(from + split * c.sum_room);
      }
      for (int64_t j = n; j < L; ++j) v[j] = V{};
      mm::transpose(v);
      T* to = dweight + (group * p.m + vec * L) * terms + q;
      for (int64_t j = 0; j < count; ++j) store_n<V>(to + j * terms, v[j], n);
    }
  });
}

}  // namespace weft::WEFT_ISA::conv
