// Forward and backward by input with the lanes along output channels: no copy of columns, tiles over neighbouring
// outputs of one phase, whatever rows and images they lie in.
#pragma once

#include "kernels/conv/box.h"
#include "kernels/conv/filters.h"

namespace weft::WEFT_ISA::conv {

template <class T>
struct ChannelArgs {
  T* out;
  const T* source;
  const T* bias;
  bool out_last, source_last;  // channels last in memory
  bool relu;
};

struct ChannelCut {
  Boxes boxes;
  int64_t panel_parts;                                     // pieces that the panels are shared out to
  int64_t runs, zeros;                                     // the most of them; elements of a run
  int64_t outputs;                                         // the most of one phase of a box
  int64_t source_room, out_room, table_room, worker_room;  // elements, table entries, bytes
};

constexpr int64_t kFewOutputs = 128;

// Whether lanes along output channels are well filled.
template <class T>
WEFT_INLINE bool fills_lanes(const Pass& p) {
  return p.m * 2 >= kLane<T>;
}

// What put_outputs reads: some rows more than there are outputs.
template <class T>
WEFT_INLINE int64_t outputs_room(int64_t outputs) {
  return (outputs + kLane<T>)*kPanelVecs * kLane<T>;
}

template <class T>
ChannelCut cut_channels(const Pass& p, bool out_last, bool source_last) {
  ChannelCut c{};
  const Axes& a = p.axes;
  const int64_t taps = most_taps(a.depths) * most_taps(a.rows) * most_taps(a.cols);
  c.runs = merges_columns(p) ? most_taps(a.depths) * most_taps(a.rows) : taps;
  c.zeros = merges_columns(p) ? a.cols.a.kernel * p.channels : p.channels;

  // Pieces of about a million multiply-adds, up to 32, of 128 outputs or more: each reads all filters. Panels are
  // shared out where there would be fewer than 8.
  const int64_t all = p.images * a.grid() * a.phases();
  const double wanted = (double)all * p.groups * p.m * p.channels * taps / (1 << 20);
  const int64_t pieces = wanted < 1 ? 1 : wanted > 32 ? 32 : (int64_t)wanted;
  const int64_t most = larger(64, smaller(1024, 16384 / c.runs) * a.phases());
  const int64_t outputs = larger(smaller(128 * a.phases(), all), smaller(most, divide_up(all * p.groups, pieces)));
  Boxes& b = c.boxes = cut_boxes(p, outputs);
  if (merges_columns(p) && a.depths.reach && b.depths == 1) {  // several depths have most of what they read in common
    b.depth_parts = divide_up(a.depths.grid, 4);
    b.depths = divide_up(a.depths.grid, b.depth_parts);
    b.row_parts = divide_up(a.rows.grid, larger(1, outputs / (b.depths * b.cols)));
    b.rows = divide_up(a.rows.grid, b.row_parts);
  }
  const int64_t there = c.boxes.count() * p.groups;
  c.panel_parts = there >= 8 ? 1 : smaller(panels_of<T>(p).count, divide_up(smaller(pieces, 8), there));

  c.outputs = c.boxes.images * c.boxes.depths * c.boxes.rows * c.boxes.cols;
  c.source_room = source_room(p, c.boxes, source_last);
  c.out_room = out_last ? 0 : outputs_room<T>(c.outputs);
  c.table_room = c.outputs * (c.runs + 1);
  c.worker_room = divide_up((c.source_room + c.out_room + c.zeros + kLane<T>)*(int64_t)sizeof(T), 64) * 64 +
                  divide_up(c.table_room * 8, 64) * 64;
  return c;
}

// Writes v to every other element from `to` on, and leaves what is between. NOTE: what is between the first and the
// last is rewritten, so it must be the caller's own.
template <class V, int... I>
WEFT_INLINE void store_pairs(scalar_of<V>* to, V v, Seq<I...>) {
  constexpr int L = lanes<V>;
  store<V>(to, __builtin_shufflevector(load<V>(to), v, (I & 1 ? I : L + I / 2)...));
  to += L;
  store_n<V>(to, __builtin_shufflevector(load_n<V>(to, L - 1), v, (I & 1 ? I : L + (L + I) / 2)...), L - 1);
}

// [outputs, width] to out[channel * stride + at[output]].
template <class T>
void put_outputs(T* out, int64_t stride, const int64_t* at, const T* from, int64_t width, int64_t outputs,
                 int64_t channels) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  alignas(64) T square[L * L];
  for (int64_t i = 0, n; i < outputs; i += n) {
    // The next ones that are equally far from each other: mostly neighbours, or two apart in a phase of stride 2.
    const int64_t most = smaller(L, outputs - i), step = most > 1 ? at[i + 1] - at[i] : 1;
    for (n = smaller(2, most); n < most && at[i + n] - at[i + n - 1] == step;) ++n;
    for (int64_t c = 0; c < channels; c += L) {
      T* to = out + c * stride + at[i];
      V v[L];
      const T* row = from + i * width + c;
#pragma GCC unroll 16
      for (int j = 0; j < L; ++j, row += width) v[j] = load<V>(row);
      transpose(v);
      const bool whole = step == 1 && n == L && channels - c >= L;
      T* line = whole ? to : square;
      const int64_t next = whole ? stride : L;
#pragma GCC unroll 16
      for (int j = 0; j < L; ++j, line += next) store<V>(line, v[j]);
      for (int64_t j = 0; j < smaller(L, channels - c) && !whole; ++j, to += stride) {
        const T* one = square + j * L;
        if (step == 1)
          store_n<V>(to, load<V>(one), n);
        else if (step == 2 && n == L)
          store_pairs(to, load<V>(one), typename Indices<L>::type());
        else
          for (int64_t l = 0; l < n; ++l) to[l * step] = one[l];
      }
    }
  }
}

// One panel of one phase: the sums in blocks whose filters stay in a cache. With few outputs the filters' way from
// memory takes longest: blocks of the first-level cache, and while all outputs meet one the next is fetched. Where the
// outputs go from t.out to `lines`, each channel's `channel` elements apart, those lines are fetched as well.
template <class T>
void run_panel(ChannelTile<T> t, int vecs, const T* panel, const Runs& runs, const T* const* table, const int64_t* at,
               int64_t outputs, bool relu, T* lines, int64_t channel) {
  const bool few = outputs <= kFewOutputs;
  const int64_t width = vecs * kLane<T>, budget = (few ? 16 : 384) * 1024 / (int64_t)sizeof(T) / width;
  const int64_t rows = tile_rows(outputs), tiles = larger(1, divide_up(outputs, rows));
  const int64_t runs_of_block = larger(1, budget / runs.length),
                length = runs_of_block > 1 || runs.length <= budget ? runs.length : budget;
  for (int64_t r = 0; r < runs.count || r == 0; r += runs_of_block)
    for (int64_t from = 0; from < runs.length; from += length) {
      t.runs = smaller(runs_of_block, runs.count - r);
      t.from = from;
      t.length = smaller(length, runs.length - from);
      t.weight = panel + (r * runs.length + from) * width;
      t.add = r > 0 || from > 0;
      t.clip = relu && r + t.runs >= runs.count && from + t.length >= runs.length;
      t.ahead_step = few ? width / tiles : 0;
      const int64_t size = t.runs * t.length * width;
      T* out = t.out;
      for (int64_t i = 0; i < outputs; i += rows) {
        if (few) t.ahead = t.weight + size + i / rows * (size / tiles);
        t.in = table + i + r * t.run;
        t.rows = (int)smaller(rows, outputs - i);
        t.at = lines ? nullptr : at + i;
        t.out = lines ? out + i * width : out;
        if (lines && !t.add && i % kLane<T> < rows)
          for (int64_t c = 0; c < t.channels; ++c) __builtin_prefetch(lines + c * channel + at[i], 1);
        run_channel_tile(vecs, t);
      }
      t.out = out;
    }
}

template <class T>
void channel_pass(const Pass& p, const ChannelCut& c, const ChannelArgs<T>& a, const T* packed, char* scratch,
                  int workers) {
  const Strides out = output_strides(p, a.out_last);
  const Panels panels = panels_of<T>(p);
  constexpr int L = kLane<T>;
  parallel(
      c.boxes.count() * p.groups * c.panel_parts,
      [&](int64_t index, int worker) {
        const T** table = (const T**)(scratch + worker * c.worker_room);
        int64_t* at = (int64_t*)(table + c.outputs * c.runs);
        T* zeros = (T*)(scratch + worker * c.worker_room + divide_up(c.table_room * 8, 64) * 64);
        T* room = zeros + c.zeros + L;
        T* buffer = room + c.source_room;
        const Range mine = share(index % c.panel_parts, c.panel_parts, panels.count);
        const int64_t group = index / c.panel_parts % p.groups;
        const Box box = box_at(p, c.boxes, index / c.panel_parts / p.groups);
        for (int64_t i = 0; i < c.zeros; ++i) zeros[i] = 0;
        const Source<T> source = take_source(p, box, a.source, a.source_last, group, room);
        for (int64_t f = 0; f < p.axes.phases(); ++f) {
          const int64_t rows = p.axes.rows.phases(), cols = p.axes.cols.phases();
          const Phase phase{f / cols / rows, f / cols % rows, f % cols};
          const Runs runs = runs_of(p, phase);
          const int64_t outputs = make_table(table, c.outputs, at, p, box, phase, source, (const T*)zeros, out);
          for (int64_t i = mine.begin; i < mine.end; ++i) {
            const Range panel = panels.at(i);
            const int64_t m = group * p.m + panel.begin * L, width = panel.size() * L;
            ChannelTile<T> t{};
            t.zeros = zeros;
            t.run = c.outputs;
            t.bias = a.bias ? a.bias + m : nullptr;
            t.channels = smaller(width, p.m - panel.begin * L);
            T* lines = a.out_last ? nullptr : a.out + m * out.channel;
            t.out = lines ? buffer : a.out + m;
            run_panel(t, (int)panel.size(), panel_at(packed, p, group, phase, panel), runs, (const T* const*)table,
                      (const int64_t*)at, outputs, a.relu, lines, out.channel);
            if (lines) put_outputs(lines, out.channel, at, buffer, width, outputs, t.channels);
          }
        }
      },
      workers);
}

}  // namespace weft::WEFT_ISA::conv
