// The filters of a pass, packed for tiles whose lanes run along output channels: for each group and phase, panels of up
// to kPanelVecs vectors of outputs, and in a panel the rows (tap, source channel).
#pragma once

#include "base/threads.h"
#include "kernels/conv/axis.h"
#include "kernels/conv/channel_tile.h"
#include "kernels/matmul/pack.h"

namespace weft::WEFT_ISA::conv {

template <class T>
constexpr int kLane = lanes<vec_of<T>>;

struct Panels {
  int64_t vecs, count;
  Range at(int64_t i) const { return {vecs * i / count, vecs * (i + 1) / count}; }
  int64_t of(int64_t vec) const {
    int64_t i = vec * count / vecs;
    while (at(i).end <= vec) ++i;
    return i;
  }
};
template <class T>
WEFT_INLINE Panels panels_of(const Pass& p) {
  const int64_t vecs = divide_up(p.m, kLane<T>);
  return {vecs, divide_up(vecs, kPanelVecs)};
}

template <class T>
WEFT_INLINE int64_t filters_size(const Pass& p) {
  return p.groups * panels_of<T>(p).vecs * kLane<T> * p.channels * p.axes.taps();
}

// Where the panel of a phase starts.
template <class T>
WEFT_INLINE const T* panel_at(const T* packed, const Pass& p, int64_t group, const Phase& phase, Range panel) {
  const Axes& a = p.axes;
  const int64_t t = a.depths.first_tap(phase.depth), k = a.rows.first_tap(phase.row), l = a.cols.first_tap(phase.col);
  const int64_t width = panels_of<T>(p).vecs * kLane<T>, rows = p.channels * a.taps();
  const int64_t of_phase = p.channels * a.depths.taps_from(t) * a.rows.taps_from(k) * a.cols.taps_from(l);
  return packed + (group * rows + phase_start(p, t, k, l)) * width + panel.begin * kLane<T> * of_phase;
}

// One vector of outputs: where row (tap, channel 0) goes.
template <class T>
struct FilterColumn {
  const Pass& p;
  T* group;
  Range panel;
  int64_t vec;
  int64_t width() const { return panel.size() * kLane<T>; }
  T* tap(int64_t t, int64_t k, int64_t l) const {
    const Axis &depths = p.axes.depths, &rows = p.axes.rows, &cols = p.axes.cols;
    const int64_t t0 = t % depths.tap_step(), k0 = k % rows.tap_step(), l0 = l % cols.tap_step();
    const int64_t row_taps = rows.taps_from(k0), col_taps = cols.taps_from(l0);
    int64_t index = (t / depths.tap_step() * row_taps + k / rows.tap_step()) * col_taps + l / cols.tap_step();
    if (cols.backward) index = depths.taps_from(t0) * row_taps * col_taps - 1 - index;  // see make_table
    return group + phase_start(p, t0, k0, l0) * panels_of<T>(p).vecs * kLane<T> +
           panel.begin * kLane<T> * p.channels * depths.taps_from(t0) * row_taps * col_taps +
           index * p.channels * width() + (vec - panel.begin) * kLane<T>;
  }
};

// Turns [count lanes, n] with neighbouring elements n and hands out the vectors: put(i, vector of the lanes).
template <class T, class Put>
WEFT_INLINE void turn(const T* from, int64_t lane, int64_t count, int64_t n, const Put& put) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  for (int64_t i = 0; i < n; i += L) {
    V v[L];
    const int64_t left = smaller(L, n - i);
    for (int64_t j = 0; j < L; ++j)
      v[j] = j >= count ? V{} : left == L ? load<V>(from + j * lane + i) : load_n<V>(from + j * lane + i, left);
    mm::transpose(v);
    for (int64_t j = 0; j < left; ++j) put(i + j, v[j]);
  }
}

// weight: [groups * m, channels, taps], for a backward pass [groups * channels, m, taps]; the last two change places if
// `last`.
template <class T>
void pack_filters(const Pass& p, T* packed, const T* weight, bool last) {
  using V = vec_of<T>;
  constexpr int L = kLane<T>;
  const Panels panels = panels_of<T>(p);
  const int64_t taps = p.axes.taps(), terms = p.channels * taps;
  const int64_t plane = p.axes.rows.a.kernel * p.axes.cols.a.kernel, line = p.axes.cols.a.kernel;
  parallel_ranges(p.groups * panels.vecs, 65536 / (terms * L) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t group = item / panels.vecs, vec = item % panels.vecs, count = smaller(L, p.m - vec * L);
      const FilterColumn<T> to{p, packed + group * terms * panels.vecs * L, panels.at(panels.of(vec)), vec};
      const int64_t width = to.width();
      if (!p.axes.cols.backward) {
        T* base = to.tap(0, 0, 0);
        int64_t channel = 0, tap = 0;
        turn(weight + (group * p.m + vec * L) * terms, terms, count, terms, [&](int64_t i, V v) {
          if (last) return store<V>(base + i * width, v);
          store<V>(base + (tap * p.channels + channel) * width, v);
          if (++tap == taps) tap = 0, ++channel;
        });
        continue;
      }
      if (last || taps == 1) {
        for (int64_t tap = 0; tap < taps; ++tap) {
          T* base = to.tap(tap / plane, tap % plane / line, tap % line);
          const T* from = weight + (group * p.channels * taps + tap) * p.m + vec * L;
          for (int64_t c = 0; c < p.channels; ++c) store<V>(base + c * width, load_n<V>(from + c * taps * p.m, count));
        }
        continue;
      }
      for (int64_t tap = 0; tap < taps; tap += L) {  // L taps at a time
        T* bases[L];
        const int64_t left = smaller(L, taps - tap);
        for (int64_t i = 0; i < left; ++i) {
          const int64_t at = tap + i;
          bases[i] = to.tap(at / plane, at % plane / line, at % line);
        }
        for (int64_t c = 0; c < p.channels; ++c)
          turn(weight + ((group * p.channels + c) * p.m + vec * L) * taps + tap, taps, count, left,
               [&](int64_t i, V v) { store<V>(bases[i] + c * width, v); });
      }
    }
  });
}

}  // namespace weft::WEFT_ISA::conv
