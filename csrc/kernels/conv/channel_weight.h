// Backward by weight with the lanes along output channels: the product of what the taps read with dy. In turns, for as
// many boxes of outputs as the last-level cache holds: both operands are packed, once for everybody; then pieces that
// own a panel of output channels and a block of input channels add up all boxes. Only where these pieces are too few
// are the boxes divided as well, into partial sums that are added up in order.
#pragma once

#include "kernels/conv/weight_boxes.h"

namespace weft::WEFT_ISA::conv {

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
void add_box(const ChannelWeightCut& c, const WeightPiece& piece, T* sums, const PackedBox<T>& from, bool add) {
  constexpr int64_t L = kLane<T>;
  const int64_t width = piece.panel.size() * L;
  const T* dy = from.dy + (piece.group * panels_of<T>(c.p).vecs + piece.panel.begin) * c.outputs * L;
  for (int64_t step = 0; step < c.steps; ++step, add = true) {
    T* to = sums;
    for (int64_t v = piece.vecs.begin; v < piece.vecs.end; ++v)
      for (int64_t r = 0; r < c.runs; ++r, to += L * width) {
        const int64_t* start = from.starts + r * (c.steps + 1) + step;
        run_sum_tiles((int)piece.panel.size(), smaller(L, c.terms - v * L),
                      SumTile<T>{from.met + r * c.outputs + start[0], start[1] - start[0],
                                 from.x + piece.group * c.group + v * c.vec, dy, c.outputs * L, to, width, add});
      }
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
    Met* met = (Met*)(all_dy + c.chunk * c.dy_box) + i * c.met_box;
    return PackedBox<T>{all_x + i * c.x_box, all_dy + i * c.dy_box, met, (int64_t*)(met + c.runs * c.outputs)};
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
    if (interrupted()) return;  // what the lists name
    parallel(
        c.pieces * c.splits,
        [&](int64_t i, int worker) {
          const WeightPiece piece = weight_piece<T>(c, i / c.splits);
          const Range mine = share(i % c.splits, c.splits, here.size());
          T* sums = c.local ? (T*)(scratch + worker * c.worker_room)
                            : all_sums + (i % c.splits * c.pieces + i / c.splits) * c.sum_room;
          for (int64_t b = mine.begin; b < mine.end; ++b)
            add_box(c, piece, sums, packed(b), turn > 0 || b > mine.begin);
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
