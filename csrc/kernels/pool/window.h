// Which positions an output looks at, and which outputs a tap of the window serves.
#pragma once

#include "kernels/pool.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA::pool {

struct Span {
  int64_t begin, end, step;  // positions begin, begin + step, … < end
  int64_t padded;            // how many there are when the padding counts
};

WEFT_INLINE Span span(const PoolAxis& a, int64_t o, bool adaptive) {
  if (adaptive) {
    int64_t begin = o * a.n / a.outputs, end = ((o + 1) * a.n + a.outputs - 1) / a.outputs;
    return {begin, end, 1, end - begin};
  }
  int64_t begin = o * a.stride - a.pad, end = begin + (a.kernel - 1) * a.dilation + 1;
  int64_t padded = (end < a.n + a.pad ? end : a.n + a.pad) - begin;
  if (begin < 0) begin += (-begin + a.dilation - 1) / a.dilation * a.dilation;
  return {begin, end < a.n ? end : a.n, a.dilation, padded};
}

WEFT_INLINE int64_t count(const Span& s) {
  if (s.end <= s.begin) return 0;
  return s.step == 1 ? s.end - s.begin : (s.end - s.begin + s.step - 1) / s.step;
}

// The outputs whose tap k lies inside the plane: [first, last).
WEFT_INLINE void outputs_of_tap(const PoolAxis& a, int64_t k, int64_t* first, int64_t* last) {
  int64_t shift = k * a.dilation - a.pad;
  *first = shift >= 0 ? 0 : (-shift + a.stride - 1) / a.stride;
  int64_t end = a.n > shift ? (a.n - shift + a.stride - 1) / a.stride : 0;
  *last = end < a.outputs ? end : a.outputs;
}

// By windows, when they are wide or differ from output to output; else by taps.
WEFT_INLINE bool by_windows(const PoolShape& s) {
  return s.adaptive || (s.cols.dilation == 1 && s.cols.kernel > s.cols.outputs);
}

WEFT_INLINE int64_t elements_in(const PoolShape& s) { return s.depths.n * s.rows.n * s.cols.n; }
WEFT_INLINE int64_t lines_out(const PoolShape& s) { return s.depths.outputs * s.rows.outputs; }
WEFT_INLINE int64_t elements_out(const PoolShape& s) { return lines_out(s) * s.cols.outputs; }

// The outputs of a line whose whole window is inside it: [first, last).
WEFT_INLINE void interior(const PoolAxis& a, int64_t* first, int64_t* last) {
  *first = (a.pad + a.stride - 1) / a.stride;
  int64_t room = a.n + a.pad - (a.kernel - 1) * a.dilation - 1;
  *last = room < 0 ? 0 : room / a.stride + 1;
  if (*last > a.outputs) *last = a.outputs;
  if (*first > *last) *first = *last;
}

// Of L elements a and the L that begin with the last of them, each second one.
template <class V>
WEFT_INLINE V evens(V a, V b) {
  if constexpr (lanes<V> == 16)
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31);
  else if constexpr (lanes<V> == 8)
    return __builtin_shufflevector(a, b, 0, 2, 4, 6, 9, 11, 13, 15);
  else if constexpr (lanes<V> == 4)
    return __builtin_shufflevector(a, b, 0, 2, 5, 7);
  else
    return __builtin_shufflevector(a, b, 0, 3);
}

// p[0], p[stride], …: n of them; nothing else is read.
template <class V>
WEFT_INLINE V load_steps(const scalar_of<V>* p, int64_t stride, int64_t n) {
  constexpr int L = lanes<V>;
  if (stride == 1) return n == L ? load<V>(p) : load_n<V>(p, n);
  if (stride == 2) {
    if (n == L) return evens(load<V>(p), load<V>(p + L - 1));
    const int64_t count = 2 * n - 1;
    if (count <= L) return evens(load_n<V>(p, count), V{});
    return evens(load<V>(p), load_n<V>(p + L - 1, count - L + 1));
  }
  alignas(64) scalar_of<V> step[L] = {};
  for (int64_t i = 0; i < n; ++i) step[i] = p[i * stride];
  return load<V>(step);
}
template <class V>
WEFT_INLINE void store_first(scalar_of<V>* p, V v, int64_t n) {
  if (n == lanes<V>)
    store(p, v);
  else
    store_n(p, v, n);
}

constexpr int64_t kChannelBlock = 64;  // of neighbouring channels, where outputs may share positions

// Small volumes are pooled side by side, a vector of them at a time: laid out as channels and back.
constexpr int64_t kSmall = 1024;  // positions
template <class T>
WEFT_INLINE bool side_by_side(const PoolShape& s) {
  return s.inner == 1 && s.volumes >= lanes<vec_of<T>> && s.depths.n * s.rows.n * s.cols.n <= kSmall &&
         s.depths.outputs * s.rows.outputs * s.cols.outputs <= kSmall && s.cols.outputs < 16 &&
         s.depths.outputs * s.rows.outputs * s.cols.outputs > 1;
}
template <class To, class From>
WEFT_INLINE void lay_side_by_side(To* to, const From* from, int64_t volumes, int64_t width, int64_t positions) {
  for (int64_t v = 0; v < volumes; ++v)
    for (int64_t i = 0; i < positions; ++i) to[i * width + v] = from[v * positions + i];
}
template <class To, class From>
WEFT_INLINE void lay_apart(To* to, const From* from, int64_t volumes, int64_t width, int64_t positions) {
  for (int64_t v = 0; v < volumes; ++v)
    for (int64_t i = 0; i < positions; ++i) to[v * positions + i] = from[i * width + v];
}

// About 32k positions a piece.
WEFT_INLINE int64_t window_size(const PoolAxis& a, bool adaptive) { return adaptive ? a.n / a.outputs + 1 : a.kernel; }
WEFT_INLINE int64_t grain(const PoolShape& s, int64_t outputs_per_item) {
  int64_t window =
      window_size(s.depths, s.adaptive) * window_size(s.rows, s.adaptive) * window_size(s.cols, s.adaptive);
  return 32768 / (outputs_per_item * window) + 1;
}

// The lines of the input that a line of outputs looks at, in order: body(offset of the line in the volume).
struct Lines {
  Span depths, rows;
  int64_t height, width;

  template <class Body>
  void each(const Body& body) const {
    for (int64_t z = depths.begin; z < depths.end; z += depths.step)
      for (int64_t r = rows.begin; r < rows.end; r += rows.step) body((z * height + r) * width);
  }
  int64_t first() const { return (depths.begin * height + rows.begin) * width; }
};
WEFT_INLINE Lines lines_of(const PoolShape& s, int64_t line) {
  if (s.depths.n == 1 && s.depths.outputs == 1 && s.depths.kernel == 1)  // an image: no divisions
    return {{0, 1, 1, 1}, span(s.rows, line, s.adaptive), s.rows.n, s.cols.n};
  return {span(s.depths, line / s.rows.outputs, s.adaptive), span(s.rows, line % s.rows.outputs, s.adaptive), s.rows.n,
          s.cols.n};
}

}  // namespace weft::WEFT_ISA::pool
