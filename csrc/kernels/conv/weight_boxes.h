// Backward by weight with the lanes along output channels: how the work is cut, and a box of outputs, packed: what its
// taps read and dy, both in vectors of channels, and for each tap the outputs where it does not lie in the padding.
#pragma once

#include "kernels/conv/box.h"
#include "kernels/conv/filters.h"
#include "kernels/conv/planes.h"
#include "kernels/conv/sum_tile.h"

namespace weft::WEFT_ISA::conv {

struct ChannelWeightCut {
  Pass p;
  bool columns;                         // few channels: all terms of an output are copied to one row
  int64_t runs, terms, vecs;            // vectors of `terms` neighbouring terms that each run has
  Boxes boxes;                          //
  int64_t chunks, chunk;                // turns; boxes of the longest
  int64_t block, blocks, splits;        // vectors of terms of a piece; blocks of a run; parts of a turn's boxes
  int64_t parts;                        // pieces that pack a box
  bool local;                           // a piece has the whole of its sums
  int64_t outputs, at_once, steps;      // of the largest box; of a register tile; tiles' turns
  int64_t pixel, vec, group;            // packed x of a box: elements to the next position, vector, group
  int64_t x_box, dy_box, met_box;       // elements of a packed box; of its lists
  int64_t pieces, sum_room, sums_room;  // elements of the sums of a piece; of all that is not local
  int64_t source_room, zeros;           // elements
  int64_t turn_room, worker_room;       // bytes
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
  const Panels panels = panels_of<T>(c.p);
  c.boxes = cut_boxes(c.p, 512);
  const Boxes& b = c.boxes;
  c.outputs = b.images * b.depths * b.rows * b.cols;
  c.steps = divide_up(c.outputs, 200);  // what a tile reads stays in the first-level cache
  c.at_once = divide_up(c.outputs, c.steps);

  // What a piece reads of dy serves some 144 terms; columns are all in one, see put_weights.
  c.block = c.columns ? c.vecs : smaller(c.vecs, divide_up(144, c.runs * L));
  c.blocks = divide_up(c.vecs, c.block);
  c.pieces = s.groups * panels.count * c.blocks;
  c.sum_room = c.block * c.runs * L * kPanelVecs * L;

  if (c.columns) {  // an odd number of vectors, so that rows do not share a few sets of the cache
    c.pixel = (c.vecs | 1) * L;
    c.vec = L;
    c.group = c.outputs * c.pixel + L;
    c.source_room = source_room(c.p, b, x_last) + L;
    c.zeros = runs.length + L;
  } else {
    c.pixel = L;
    c.vec = L * b.images * most_held(a.depths, b.depths) * most_held(a.rows, b.rows) * most_held(a.cols, b.cols);
    c.group = c.vecs * c.vec;
  }
  c.x_box = s.groups * c.group;
  c.dy_box = s.groups * panels.vecs * c.outputs * L;
  c.met_box = divide_up(c.runs * (c.outputs + c.steps + 1), 8) * 8;
  const int64_t of_box = (c.x_box + c.dy_box) * (int64_t)sizeof(T) + c.met_box * (int64_t)sizeof(Met);
  c.chunks = divide_up(b.count(), larger(1, (8 << 20) / of_box));
  c.chunk = divide_up(b.count(), c.chunks);
  c.turn_room = c.chunk * of_box;
  c.parts = smaller(s.groups > 1 ? s.groups : larger(c.vecs, panels.vecs), divide_up(8, c.chunk));

  // About 16 pieces of a million multiply-adds; adding up a part costs as much as some 50 outputs.
  const int64_t outputs = s.images * a.grid();
  const double wanted = (double)outputs * s.groups * c.p.m * c.p.channels * a.taps() / (1 << 20);
  c.splits = divide_up(wanted < 1 ? 1 : wanted > 16 ? 16 : (int64_t)wanted, c.pieces);
  c.splits = larger(1, smaller(c.splits, smaller(outputs / 256, b.count() / c.chunks)));
  c.local = c.splits == 1 && c.chunks == 1;
  c.sums_room = c.local ? 0 : c.splits * c.pieces * c.sum_room;
  const int64_t table = c.columns ? c.outputs * (runs.count + 1) * 8 : 0;
  const int64_t packing = (c.source_room + c.zeros) * (int64_t)sizeof(T) + table;
  const int64_t adding = c.local ? c.sum_room * (int64_t)sizeof(T) : 0;
  c.worker_room = divide_up(larger(packing, adding), 64) * 64;
  return c;
}

template <class T>
WEFT_INLINE int64_t channel_weight_room(const ChannelWeightCut& c, int workers) {
  return c.turn_room + c.sums_room * (int64_t)sizeof(T) + workers * c.worker_room;
}

// A box, packed. x: [groups, vectors of channels, positions] or [groups, outputs, all terms]; dy: [groups, vectors of
// channels, outputs]; met: [runs, outputs], for each run the outputs where it does not lie in the padding, and in
// starts[runs, steps + 1] those with which the tiles' turns begin.
template <class T>
struct PackedBox {
  T *x, *dy;
  Met* met;
  int64_t* starts;
};

// Some positions of a tensor as [vectors of channels, positions], zeros behind the last channel.
template <class T>
void pack_positions(T* to, int64_t vec, const T* from, const Strides& s, const Box& b, const Range& vecs,
                    int64_t channels) {
  constexpr int L = kLane<T>;
  int64_t depths = b.depths.size(), rows = b.rows.size(), cols = b.cols.size();
  from += b.depths.begin * s.depth + b.rows.begin * s.row + b.cols.begin * s.col;
  if (cols * s.col == s.row) cols *= rows, rows = 1;  // whole rows are neighbours
  if (cols * s.col == s.depth) cols *= depths, depths = 1;
  if (cols == 0) return;
  for (int64_t n = b.images.begin; n < b.images.end; ++n)
    for (int64_t d = 0; d < depths; ++d)
      for (int64_t r = 0; r < rows; ++r, to += cols * L)
        for (int64_t v = vecs.begin; v < vecs.end; ++v)
          mm::pack_panel(to + v * vec, L, from + n * s.image + d * s.depth + r * s.row + v * L * s.channel, s.col,
                         s.channel, cols, (int)smaller(L, channels - v * L));
}

// The runs of each output one after the other. Whole vectors: the next run, or output, comes over what is too much.
template <class T>
void take_columns(T* to, int64_t pixel, const T* const* table, int64_t step, const Runs& runs, int64_t outputs) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  for (int64_t i = 0; i < outputs; ++i, to += pixel, ++table)
    for (int64_t r = 0; r < runs.count; ++r)
      for (int64_t j = 0; j < runs.length; j += L) store<V>(to + r * runs.length + j, load<V>(table[r * step] + j));
}

// The outputs that a run meets, as they come: entries of `to` in turns of c.at_once outputs.
struct MetList {
  Met* to;
  int64_t *starts, count, step;
  void add(const ChannelWeightCut& c, int64_t output, int64_t a, int64_t b) {
    for (; output >= step * c.at_once; ++step) starts[step] = count;
    to[count++] = {(int32_t)a, (int32_t)b};
  }
  void close(const ChannelWeightCut& c) {
    for (; step <= c.steps; ++step) starts[step] = count;
  }
};

// For each run of a box, of which `read` is packed: see PackedBox.
template <class T>
void list_met(const ChannelWeightCut& c, const PackedBox<T>& to, const Box& box, const Box& read) {
  constexpr int64_t L = kLane<T>;
  const Axis &depths = c.p.axes.depths, &rows = c.p.axes.rows, &cols = c.p.axes.cols;
  const int64_t line = read.cols.size(), plane = read.rows.size() * line, volume = read.depths.size() * plane;
  for (int64_t run = 0; run < c.runs; ++run) {
    MetList list{to.met + run * c.outputs, to.starts + run * (c.steps + 1), 0, 0};
    const int64_t l = run % cols.a.kernel, k = run / cols.a.kernel % rows.a.kernel;
    const int64_t t = run / cols.a.kernel / rows.a.kernel;
    int64_t output = 0;
    for (int64_t n = box.images.begin; n < box.images.end; ++n)
      for (int64_t z = box.depths.begin; z < box.depths.end; ++z)
        for (int64_t y = box.rows.begin; y < box.rows.end; ++y, output += box.cols.size()) {
          const int64_t d = depths.at(z, t), r = rows.at(y, k);
          if (d < 0 || d >= depths.source() || r < 0 || r >= rows.source()) continue;
          const Range met = inside(cols.at(box.cols.begin, l), cols.step(), cols.source(), box.cols.size());
          const int64_t first = (n - box.images.begin) * volume + (d - read.depths.begin) * plane +
                                (r - read.rows.begin) * line + cols.at(box.cols.begin, l) - read.cols.begin;
          for (int64_t x = met.begin; x < met.end; ++x)
            list.add(c, output + x, (first + x * cols.step()) * L, (output + x) * L);
        }
    list.close(c);
  }
}

// Part `part` of a box.
template <class T>
void pack_box(const ChannelWeightCut& c, const PackedBox<T>& to, const Box& box, int64_t part, const T* x, bool x_last,
              const T* dy, bool dy_last, char* scratch) {
  constexpr int64_t L = kLane<T>;
  const Pass& p = c.p;
  const Strides in = source_strides(p, x_last), out = output_strides(p, dy_last);
  const int64_t dy_vecs = panels_of<T>(p).vecs;
  const bool grouped = p.groups > 1;
  const Range groups = grouped ? share(part, c.parts, p.groups) : Range{0, 1};
  auto mine = [&](int64_t vecs) { return grouped ? Range{0, vecs} : share(part, c.parts, vecs); };
  for (int64_t g = groups.begin; g < groups.end; ++g)
    pack_positions(to.dy + g * dy_vecs * c.outputs * L, c.outputs * L, dy + g * p.m * out.channel, out, box,
                   mine(dy_vecs), p.m);
  if (c.columns) {
    const Runs runs = runs_of(p, Phase{0, 0, 0});
    int64_t* at = (int64_t*)scratch;
    const T** table = (const T**)(at + c.outputs);
    T* zeros = (T*)(table + c.outputs * runs.count);
    zero_run(zeros, c.zeros);
    for (int64_t g = groups.begin; g < groups.end && (grouped || part == 0); ++g) {
      const Source<T> source = take_source(p, box, x, x_last, g, zeros + c.zeros);
      const int64_t n = make_table(table, c.outputs, at, p, box, Phase{0, 0, 0}, source, (const T*)zeros, out);
      take_columns(to.x + g * c.group, c.pixel, table, c.outputs, runs, n);
    }
    if (part) return;
    MetList list{to.met, to.starts, 0, 0};
    const int64_t n = box.images.size() * box.depths.size() * box.rows.size() * box.cols.size();
    for (int64_t i = 0; i < n; ++i) list.add(c, i, i * c.pixel, i * L);
    return list.close(c);
  }
  const Axes& a = p.axes;
  const Box read = {box.images, held(a.depths, box.depths, false), held(a.rows, box.rows, false),
                    held(a.cols, box.cols, false)};
  for (int64_t g = groups.begin; g < groups.end; ++g)
    pack_positions(to.x + g * c.group, c.vec, x + g * p.channels * in.channel, in, read, mine(c.vecs), p.channels);
  if (part == 0) list_met(c, to, box, read);
}

}  // namespace weft::WEFT_ISA::conv
