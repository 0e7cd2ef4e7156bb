// Backward by weight with the lanes along output channels: for each box of outputs, the product of what their taps read
// with dy. Pieces own a range of panels; only where these are too few are the boxes divided as well, into partial sums
// that are added up in order.
#pragma once

#include "kernels/conv/box.h"
#include "kernels/conv/filters.h"

namespace weft::WEFT_ISA::conv {

struct ChannelWeightCut {
  Pass p;
  Runs runs;
  Boxes boxes;
  int64_t panel_parts, splits;
  int64_t width, sum_room;  // of a row of sums; elements of all sums of a split
  int64_t outputs, source_room, dy_room, table_room, worker_room;
};

template <class T>
ChannelWeightCut cut_channel_weight(const ConvShape& s, bool x_last) {
  ChannelWeightCut c{};
  c.p = forward_pass(s);
  const Axes& a = c.p.axes;
  c.runs = runs_of(c.p, Phase{0, 0, 0});
  c.boxes = cut_boxes(c.p, 256);
  const Panels panels = panels_of<T>(c.p);
  c.width = panels.vecs * kLane<T>;
  c.sum_room = s.groups * c.runs.count * c.runs.length * c.width;
  // Pieces of about a million multiply-adds, up to 16; parts of a sum, which must be added up, only up to 8 of them.
  const double wanted = (double)s.images * s.groups * a.grid() * c.p.m * c.p.channels * a.taps() / (1 << 20);
  const int64_t pieces = wanted < 1 ? 1 : wanted > 16 ? 16 : (int64_t)wanted, few = smaller(pieces, 8);
  c.panel_parts = smaller(panels.count, divide_up(pieces, s.groups));
  c.splits = smaller(c.boxes.count(), divide_up(few, c.panel_parts * s.groups));
  c.splits = larger(1, smaller(c.splits, (64 << 20) / (int64_t)sizeof(T) / c.sum_room));

  c.outputs = c.boxes.images * c.boxes.depths * c.boxes.rows * c.boxes.cols;
  c.source_room = source_room(c.p, c.boxes, x_last);
  c.dy_room = c.outputs * kPanelVecs * kLane<T>;
  c.table_room = c.outputs * (c.runs.count + 1);
  c.worker_room = divide_up((c.source_room + c.dy_room + c.runs.length + kLane<T>)*(int64_t)sizeof(T), 64) * 64 +
                  divide_up(c.table_room * 8, 64) * 64;
  return c;
}

// dy of a box as [outputs, width], zeros from `channels` on.
template <class T>
void take_dy(T* to, int64_t width, const T* dy, const Strides& s, const int64_t* at, int64_t outputs,
             int64_t channels) {
  for (int64_t i = 0; i < outputs;) {
    int64_t n = 1;
    if (s.channel != 1)
      while (i + n < outputs && at[i + n] - at[i] == n) ++n;
    if (s.channel == 1)
      mm::pack_row(to, (int)width, dy + at[i], channels);
    else
      mm::pack_panel(to, (int)width, dy + at[i], 1, s.channel, n, (int)channels);
    to += n * width;
    i += n;
  }
}

// sums: [splits, groups, panels, runs, length, width of the panel]
template <class T>
void sum_channel_weights(const ChannelWeightCut& c, T* sums, const T* x, bool x_last, const T* dy, bool dy_last,
                         char* scratch, int workers) {
  constexpr int L = kLane<T>;
  const Pass& p = c.p;
  const Strides out = output_strides(p, dy_last);
  const Panels panels = panels_of<T>(p);
  const int64_t rows = c.runs.count * c.runs.length, pieces = p.groups * c.panel_parts * c.splits;
  parallel(
      pieces,
      [&](int64_t index, int worker) {
        const T** table = (const T**)(scratch + worker * c.worker_room);
        int64_t* at = (int64_t*)(table + c.outputs * c.runs.count);
        T* zeros = (T*)(scratch + worker * c.worker_room + divide_up(c.table_room * 8, 64) * 64);
        T* room = zeros + c.runs.length + L;
        T* packed = room + c.source_room;
        const int64_t split = index % c.splits, group = index / c.splits % p.groups;
        const Range mine = share(index / c.splits / p.groups, c.panel_parts, panels.count);
        const Range boxes = share(split, c.splits, c.boxes.count());
        T* to = sums + split * c.sum_room + group * rows * c.width;
        for (int64_t i = panels.at(mine.begin).begin * L * rows; i < panels.at(mine.end - 1).end * L * rows; ++i)
          to[i] = 0;
        for (int64_t i = 0; i < c.runs.length; ++i) zeros[i] = 0;
        for (int64_t b = boxes.begin; b < boxes.end; ++b) {
          const Box box = box_at(p, c.boxes, b);
          const Source<T> source = take_source(p, box, x, x_last, group, room);
          const int64_t outputs =
              make_table(table, 1, c.outputs, at, p, box, Phase{0, 0, 0}, source, (const T*)zeros, out);
          for (int64_t i = mine.begin; i < mine.end; ++i) {
            const Range panel = panels.at(i);
            const int64_t width = panel.size() * L, m = panel.begin * L;
            take_dy(packed, width, dy + (group * p.m + m) * out.channel, out, at, outputs, smaller(width, p.m - m));
            for (int64_t r = 0; r < c.runs.count; ++r)
              for (int64_t k = 0; k < c.runs.length;)
                k += run_sum_tile((int)panel.size(), c.runs.length - k,
                                  SumTile<T>{table + r * c.outputs, k, packed, outputs,
                                             to + m * rows + (r * c.runs.length + k) * width, width});
          }
        }
      },
      workers);
}

// dweight[group, o, channel, tap], or [group, o, tap, channel] if `last`, = the sum over splits of sums[split, group,
// (tap, channel), o]
template <class T>
void combine_channel_weights(const ChannelWeightCut& c, T* dweight, const T* sums, bool last) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Pass& p = c.p;
  const int64_t taps = p.axes.taps(), terms = p.channels * taps, vecs = c.width / L;
  const int64_t chunks = divide_up(terms, L);
  const Panels panels = panels_of<T>(p);
  parallel_ranges(p.groups * vecs * chunks, 8192 / (L * L) / c.splits + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t q = i % chunks * L, vec = i / chunks % vecs, group = i / chunks / vecs;
      const int64_t n = smaller(L, terms - q), count = smaller(L, p.m - vec * L);
      const Range panel = panels.at(panels.of(vec));
      const T* column = sums + group * terms * c.width + panel.begin * L * terms + (vec - panel.begin) * L;
      V v[L];
      for (int64_t j = 0; j < n; ++j) {
        const int64_t row = last ? q + j : (q + j) % taps * p.channels + (q + j) / taps;
        const T* from = column + row * panel.size() * L;
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
