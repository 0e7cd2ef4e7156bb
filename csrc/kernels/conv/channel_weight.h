// Backward by weight with the lanes along output channels: the product of what the taps read with dy. In turns, for as
// many boxes of outputs as the last-level cache holds: both operands are packed, once for everybody; then pieces that
// own a panel of output channels and a block of input channels add up all boxes. Only where these pieces are too few
// are the boxes divided as well, into partial sums that are added up in order.
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
  int64_t outputs, at_once;             // of the largest box; of a register tile
  int64_t pixel, vec, group;            // packed x of a box: elements to the next position, vector, group
  int64_t x_box, dy_box, table_box;     // elements of a packed box; addresses
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
  c.at_once = divide_up(c.outputs, divide_up(c.outputs, 200));  // what a tile reads stays in the first-level cache

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
    c.vec = L * (1 + b.images * most_held(a.depths, b.depths) * most_held(a.rows, b.rows) * most_held(a.cols, b.cols));
    c.group = c.vecs * c.vec;
  }
  c.x_box = s.groups * c.group;
  c.dy_box = s.groups * panels.vecs * c.outputs * L;
  c.table_box = divide_up(c.runs * c.outputs, 8) * 8;
  const int64_t of_box = (c.x_box + c.dy_box) * (int64_t)sizeof(T) + c.table_box * 8;
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
  const int64_t packing = (c.source_room + c.zeros) * (int64_t)sizeof(T) + c.outputs * (runs.count + 1) * 8;
  const int64_t adding = c.local ? c.sum_room * (int64_t)sizeof(T) : 0;
  c.worker_room = divide_up(larger(packing, adding), 64) * 64;
  return c;
}

template <class T>
WEFT_INLINE int64_t channel_weight_room(const ChannelWeightCut& c, int workers) {
  return c.turn_room + c.sums_room * (int64_t)sizeof(T) + workers * c.worker_room;
}

// The boxes of a turn, packed. x: [groups, vectors of channels, 1 + positions], the first the padding's, or
// [groups, outputs, all terms]; dy: [groups, vectors of channels, outputs]; table: [runs, outputs], where in the first
// vector of x each run of an output begins.
template <class T>
struct PackedBoxes {
  T *x, *dy;
  const T** table;
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
void take_columns(T* to, int64_t pixel, const T* const* table, const Runs& runs, int64_t outputs) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  for (int64_t i = 0; i < outputs; ++i, to += pixel, table += runs.count)
    for (int64_t r = 0; r < runs.count; ++r)
      for (int64_t j = 0; j < runs.length; j += L) store<V>(to + r * runs.length + j, load<V>(table[r] + j));
}

// Part `part` of a box.
template <class T>
void pack_box(const ChannelWeightCut& c, const PackedBoxes<T>& to, const Box& box, int64_t part, const T* x,
              bool x_last, const T* dy, bool dy_last, char* scratch) {
  constexpr int64_t L = kLane<T>;
  const Pass& p = c.p;
  const Runs runs = runs_of(p, Phase{0, 0, 0});
  const Strides in = source_strides(p, x_last), out = output_strides(p, dy_last);
  const int64_t dy_vecs = panels_of<T>(p).vecs, outputs = c.outputs;
  const bool grouped = p.groups > 1;
  const Range groups = grouped ? share(part, c.parts, p.groups) : Range{0, 1};
  auto mine = [&](int64_t vecs) { return grouped ? Range{0, vecs} : share(part, c.parts, vecs); };
  for (int64_t g = groups.begin; g < groups.end; ++g)
    pack_positions(to.dy + g * dy_vecs * outputs * L, outputs * L, dy + g * p.m * out.channel, out, box, mine(dy_vecs),
                   p.m);
  int64_t* at = (int64_t*)scratch;
  if (c.columns) {
    const T** table = (const T**)(at + outputs);
    T* zeros = (T*)(table + outputs * runs.count);
    zero_run(zeros, c.zeros);
    for (int64_t g = groups.begin; g < groups.end && (grouped || part == 0); ++g) {
      const Source<T> source = take_source(p, box, x, x_last, g, zeros + c.zeros);
      const int64_t n = make_table(table, runs.count, 1, at, p, box, Phase{0, 0, 0}, source, (const T*)zeros, out);
      take_columns(to.x + g * c.group, c.pixel, table, runs, n);
    }
    for (int64_t i = 0; i < outputs && part == 0; ++i) to.table[i] = to.x + i * c.pixel;
    return;
  }
  const Axes& a = p.axes;
  const Box read = {box.images, held(a.depths, box.depths, false), held(a.rows, box.rows, false),
                    held(a.cols, box.cols, false)};
  const Range vecs = mine(c.vecs);
  for (int64_t g = groups.begin; g < groups.end; ++g) {
    T* first = to.x + g * c.group;
    for (int64_t v = vecs.begin; v < vecs.end; ++v) zero_run(first + v * c.vec, L);
    pack_positions(first + L, c.vec, x + g * p.channels * in.channel, in, read, vecs, p.channels);
  }
  if (part) return;
  const int64_t line = read.cols.size() * L, plane = read.rows.size() * line, volume = read.depths.size() * plane;
  const Source<T> source{to.x + L,         Strides{volume, plane, line, L, 0},
                         box.images.begin, read.depths.begin,
                         read.rows.begin,  read.cols.begin};
  make_table(to.table, 1, outputs, at, p, box, Phase{0, 0, 0}, source, (const T*)to.x, out);
}

// What a piece owns.
struct WeightPiece {
  int64_t group;
  Range panel, vecs;
};
template <class T>
WEFT_INLINE WeightPiece weight_piece(const ChannelWeightCut& c, int64_t i) {
  const Panels panels = panels_of<T>(c.p);
  return {i / c.blocks / panels.count, panels.at(i / c.blocks % panels.count), share(i % c.blocks, c.blocks, c.vecs)};
}

// Adds what one box gives to the sums of a piece: [vectors of terms, runs, terms of a vector, width of the panel].
template <class T>
void add_box(const ChannelWeightCut& c, const WeightPiece& piece, T* sums, const PackedBoxes<T>& from, int64_t outputs,
             bool add) {
  constexpr int64_t L = kLane<T>;
  const int64_t width = piece.panel.size() * L;
  const T* dy = from.dy + (piece.group * panels_of<T>(c.p).vecs + piece.panel.begin) * c.outputs * L;
  for (int64_t k = 0; k < outputs; k += c.at_once, add = true) {
    T* to = sums;
    for (int64_t v = piece.vecs.begin; v < piece.vecs.end; ++v)
      for (int64_t r = 0; r < c.runs; ++r, to += L * width)
        run_sum_tiles((int)piece.panel.size(), smaller(L, c.terms - v * L),
                      SumTile<T>{from.table + r * c.outputs + k, piece.group * c.group + v * c.vec, dy + k * L,
                                 c.outputs * L, smaller(c.at_once, outputs - k), to, width, add});
  }
}

// One vector of a piece's output channels: dweight[group, o, channel, tap], or [group, o, tap, channel] if `last`, is
// the sum over splits, which lie `split` elements apart.
template <class T>
void put_weights(const ChannelWeightCut& c, const WeightPiece& piece, int64_t vec, T* dweight, bool last, const T* sums,
                 int64_t split) {
  using V = vec_of<T>;
  constexpr int64_t L = kLane<T>;
  const Pass& p = c.p;
  const int64_t taps = p.axes.taps(), terms = p.channels * taps, o = (piece.panel.begin + vec) * L;
  const int64_t width = piece.panel.size() * L, count = smaller(L, p.m - o);
  const int64_t first = c.columns ? 0 : piece.vecs.begin * L;
  const int64_t channels = c.columns ? p.channels : smaller(piece.vecs.end * L, p.channels) - first;
  // Where the sums of a channel and tap are.
  auto row = [&](int64_t channel, int64_t tap) {
    const int64_t i = c.columns ? tap * p.channels + channel : (channel / L * c.runs + tap) * L + channel % L;
    return sums + i * width + vec * L;
  };
  const int64_t total = channels * taps;
  int64_t channel = 0, tap = 0;
  for (int64_t done = 0; done < total;) {
    T* to =
        dweight + (piece.group * p.m + o) * terms + (last ? tap * p.channels + first + channel : first * taps + done);
    const int64_t n = smaller(L, last ? channels - channel : total - done);  // neighbours
    V v[L];
    for (int64_t j = 0; j < L; ++j) {
      if (j >= n) {
        v[j] = V{};
        continue;
      }
      const T* from = row(channel, tap);
      v[j] = load<V>(from);
      for (int64_t k = 1; k < c.splits; ++k) v[j] += load<V>(from + k * split);
      if (last && ++channel == channels)
        channel = 0, ++tap;
      else if (!last && ++tap == taps)
        tap = 0, ++channel;
    }
    mm::transpose(v);
    for (int64_t j = 0; j < count; ++j) store_n<V>(to + j * terms, v[j], n);
    done += n;
  }
}

template <class T>
void channel_weights(const ChannelWeightCut& c, T* dweight, bool last, const T* x, bool x_last, const T* dy,
                     bool dy_last, char* workspace, int workers) {
  const int64_t boxes = c.boxes.count();
  T* all_sums = (T*)(workspace + c.turn_room);
  char* scratch = (char*)(all_sums + c.sums_room);
  auto packed = [&](int64_t i) {
    T* all_x = (T*)workspace;
    T* all_dy = all_x + c.chunk * c.x_box;
    const T** tables = (const T**)(all_dy + c.chunk * c.dy_box);
    return PackedBoxes<T>{all_x + i * c.x_box, all_dy + i * c.dy_box, tables + i * c.table_box};
  };
  for (int64_t turn = 0; turn < c.chunks; ++turn) {
    const Range here = share(turn, c.chunks, boxes);
    parallel(
        here.size() * c.parts,
        [&](int64_t i, int worker) {
          pack_box(c, packed(i / c.parts), box_at(c.p, c.boxes, here.begin + i / c.parts), i % c.parts, x, x_last, dy,
                   dy_last, scratch + worker * c.worker_room);
        },
        workers);
    if (interrupted()) return;  // the tables hold addresses
    parallel(
        c.pieces * c.splits,
        [&](int64_t i, int worker) {
          const WeightPiece piece = weight_piece<T>(c, i / c.splits);
          const Range mine = share(i % c.splits, c.splits, here.size());
          T* sums = c.local ? (T*)(scratch + worker * c.worker_room)
                            : all_sums + (i % c.splits * c.pieces + i / c.splits) * c.sum_room;
          for (int64_t b = mine.begin; b < mine.end; ++b) {
            const Box box = box_at(c.p, c.boxes, here.begin + b);
            add_box(c, piece, sums, packed(b),
                    box.images.size() * box.depths.size() * box.rows.size() * box.cols.size(),
                    turn > 0 || b > mine.begin);
          }
          for (int64_t v = 0; v < piece.panel.size() && c.local; ++v)
            put_weights(c, piece, v, dweight, last, (const T*)sums, 0);
        },
        workers);
  }
  if (c.local) return;
  parallel(
      c.pieces * kPanelVecs,
      [&](int64_t i, int) {
        const WeightPiece piece = weight_piece<T>(c, i / kPanelVecs);
        if (i % kPanelVecs < piece.panel.size())
          put_weights(c, piece, i % kPanelVecs, dweight, last, (const T*)all_sums + i / kPanelVecs * c.sum_room,
                      c.pieces * c.sum_room);
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
