// The geometry of one axis, for both directions of a convolution, brought to one form: an output at grid position j
// sums, over the taps k, plane positions j + shift(k) of a plane that holds the source with its padding.
//
// Forward with stride s: tap k reads source position j*s + k*d - pad. Positions are dealt out to planes by their
// residue modulo s (a "slot" each, for the residues that occur), so that neighbouring outputs read neighbouring
// elements. Backward: the outputs are dealt out instead. Those with the same residue of (i + pad) modulo s (a "phase")
// meet the same taps, and tap k reads position j - (k*d)/s of the one plane.
#pragma once

#include "kernels/conv.h"

namespace weft::WEFT_ISA::conv {

WEFT_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
WEFT_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
WEFT_INLINE int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct Range {
  int64_t begin, end;
  int64_t size() const { return end > begin ? end - begin : 0; }
};

// The positions p of [0, count) for which start + p * step lies in [0, n).
WEFT_INLINE Range inside(int64_t start, int64_t step, int64_t n, int64_t count) {
  int64_t begin = start < 0 ? divide_up(-start, step) : 0, end = n > start ? divide_up(n - start, step) : 0;
  return {smaller(begin, count), smaller(end, count)};
}

struct Axis {
  ConvAxis a;
  bool backward;
  int64_t period;   // taps k and k + period have the same residue
  int64_t used;     // residues that occur
  int64_t gcd;      // of stride and dilation
  int64_t inverse;  // of dilation / gcd, modulo period
  int64_t reach;    // the largest shift
  int64_t first;    // backward: grid position 0 stands for (i + pad) / stride = first
  int64_t grid;     // number of grid positions

  static Axis make(const ConvAxis& a, bool backward) {
    int64_t gcd = a.stride, rest = a.dilation, u = 0, v = 1;  // gcd = u * dilation modulo stride, rest = v * dilation
    while (rest) {
      int64_t times = gcd / rest, r = gcd - times * rest, w = u - times * v;
      gcd = rest, rest = r, u = v, v = w;
    }
    const int64_t period = a.stride / gcd, reach = (a.kernel - 1) * a.dilation / a.stride;
    Axis x{a, backward, period, smaller(a.kernel, period), gcd, (u % period + period) % period, reach, 0, a.out};
    if (backward) {
      x.first = a.pad / a.stride;
      x.grid = (a.pad + a.in - 1) / a.stride - x.first + 1;
    }
    return x;
  }

  int64_t slots() const { return backward ? 1 : used; }
  int64_t slot(int64_t k) const { return backward ? 0 : k % period; }
  int64_t shift(int64_t k) const { return backward ? reach - k * a.dilation / a.stride : k * a.dilation / a.stride; }

  // The source element that tap k of grid position j reads; outside [0, source()) it is 0.
  int64_t at(int64_t j, int64_t k) const {
    return backward ? first + j - k * a.dilation / a.stride : j * a.stride + k * a.dilation - a.pad;
  }
  // All that some grid positions read, padding included.
  Range reads(Range grid) const {
    const int64_t last = a.kernel - 1;
    return {at(grid.begin, backward ? last : 0), at(grid.end - 1, backward ? 0 : last) + 1};
  }

  // Plane position p of a slot holds source element start(slot) + p * step().
  int64_t source() const { return backward ? a.out : a.in; }
  int64_t start(int64_t slot) const { return backward ? first - reach : slot * a.dilation % a.stride - a.pad; }
  int64_t step() const { return backward ? 1 : a.stride; }
  // Every plane position is a source element, one after another: the source can be read where it is.
  bool in_place() const { return slots() == 1 && step() == 1 && start(0) >= 0 && start(0) + grid + reach <= source(); }

  // Taps of a phase: first_tap, first_tap + tap_step, … (first_tap = kernel: none).
  int64_t phases() const { return backward ? a.stride : 1; }
  int64_t tap_step() const { return backward ? period : 1; }
  int64_t first_tap(int64_t phase) const {
    if (!backward) return 0;
    int64_t k = phase % gcd ? a.kernel : phase / gcd * inverse % period;
    return smaller(k, a.kernel);
  }
  int64_t taps_from(int64_t first_tap) const { return divide_up(a.kernel - first_tap, tap_step()); }
  // How many taps the phases with a smaller first_tap have.
  int64_t taps_before(int64_t first_tap) const {
    return first_tap * (a.kernel / tap_step()) + smaller(first_tap, a.kernel % tap_step());
  }

  // Grid position j of a phase is output j * output_step() + output_start(phase).
  int64_t outputs() const { return backward ? a.in : a.out; }
  int64_t output_step() const { return backward ? a.stride : 1; }
  int64_t output_start(int64_t phase) const { return backward ? first * a.stride + phase - a.pad : 0; }
  Range positions(int64_t phase) const { return inside(output_start(phase), output_step(), outputs(), grid); }
};

struct Axes {
  Axis depths, rows, cols;

  static Axes make(const ConvShape& s, bool backward) {
    return {Axis::make(s.depths, backward), Axis::make(s.rows, backward), Axis::make(s.cols, backward)};
  }
  int64_t slots() const { return depths.slots() * rows.slots() * cols.slots(); }
  int64_t taps() const { return depths.a.kernel * rows.a.kernel * cols.a.kernel; }
  int64_t phases() const { return depths.phases() * rows.phases() * cols.phases(); }
  int64_t grid() const { return depths.grid * rows.grid * cols.grid; }
  int64_t source() const { return depths.source() * rows.source() * cols.source(); }
  int64_t outputs() const { return depths.outputs() * rows.outputs() * cols.outputs(); }
};

// The most taps that a phase has.
WEFT_INLINE int64_t most_taps(const Axis& a) { return a.backward ? divide_up(a.a.kernel, a.period) : a.a.kernel; }

// A phase of each axis.
struct Phase {
  int64_t depth, row, col;
};

struct Pass {
  Axes axes;
  int64_t images, groups;
  int64_t m, channels;  // output and source channels of a group
};

WEFT_INLINE Pass forward_pass(const ConvShape& s) {
  return {Axes::make(s, false), s.images, s.groups, s.out_channels, s.in_channels};
}
WEFT_INLINE Pass backward_pass(const ConvShape& s) {
  return {Axes::make(s, true), s.images, s.groups, s.in_channels, s.out_channels};
}

// Where the filter matrix [m, channels * taps] of the phase that begins with the given taps starts, in rows of m: the
// phases lie one behind the other in the order of their first taps.
WEFT_INLINE int64_t phase_start(const Pass& p, int64_t depth_tap, int64_t row_tap, int64_t col_tap) {
  const Axis &depths = p.axes.depths, &rows = p.axes.rows, &cols = p.axes.cols;
  const int64_t in_plane =
      rows.taps_before(row_tap) * cols.a.kernel + rows.taps_from(row_tap) * cols.taps_before(col_tap);
  return p.channels *
         (depths.taps_before(depth_tap) * rows.a.kernel * cols.a.kernel + depths.taps_from(depth_tap) * in_plane);
}

}  // namespace weft::WEFT_ISA::conv
