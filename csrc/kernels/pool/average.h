// The mean of each window, and its transpose.
#pragma once

#include "base/threads.h"
#include "kernels/pool/window.h"

namespace weft::WEFT_ISA::pool {

template <class T>
WEFT_INLINE T sum(const T* x, int64_t n) {
  constexpr int kLanes = 64 / sizeof(T);
  T lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lanes[l] += x[i + l];
  for (int half = kLanes / 2; half; half /= 2)
    for (int l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  T total = lanes[0];
  for (; i < n; ++i) total += x[i];
  return total;
}

template <class T, int Stride>
void add_tap(T* WEFT_RESTRICT y, const T* WEFT_RESTRICT x, int64_t n, int64_t runtime_stride) {
  const int64_t stride = Stride ? Stride : runtime_stride;
  for (int64_t i = 0; i < n; ++i) y[i] += x[i * stride];
}

template <class T, int Stride>
void spread_tap(T* WEFT_RESTRICT dx, const T* WEFT_RESTRICT dy, int64_t n, int64_t runtime_stride) {
  const int64_t stride = Stride ? Stride : runtime_stride;
  for (int64_t i = 0; i < n; ++i) dx[i * stride] += dy[i];
}

// What the lines of a window contribute to its divisor, and the divisor.
WEFT_INLINE int64_t lines_counted(const AveragePool& a, const Lines& l) {
  return a.count_pad ? l.depths.padded * l.rows.padded : count(l.depths) * count(l.rows);
}
WEFT_INLINE int64_t divisor_of(const AveragePool& a, int64_t lines, const Span& w) {
  return a.divisor ? a.divisor : lines * (a.count_pad ? w.padded : count(w));
}
template <class T>
WEFT_INLINE T divided(T sum, int64_t divisor) {
  if (divisor == 0) return 0;
  if constexpr (T(0.5) != T(0))
    return sum * (T(1) / (T)divisor);
  else
    return sum / (T)divisor;
}

template <class T>
void average_line(const AveragePool& a, T* y, const T* x, int64_t line) {
  const PoolShape& s = a.shape;
  const bool windows = by_windows(s);
  const Lines lines = lines_of(s, line);
  for (int64_t j = 0; j < s.cols.outputs; ++j) y[j] = 0;
  if (!windows)
    lines.each([&](int64_t at) {
      for (int64_t k = 0; k < s.cols.kernel; ++k) {
        int64_t first, last;
        outputs_of_tap(s.cols, k, &first, &last);
        const T* from = x + at + first * s.cols.stride + k * s.cols.dilation - s.cols.pad;
        auto tap = s.cols.stride == 1 ? add_tap<T, 1> : s.cols.stride == 2 ? add_tap<T, 2> : add_tap<T, 0>;
        if (first < last) tap(y + first, from, last - first, s.cols.stride);
      }
    });
  const int64_t rows = lines.rows.end - lines.rows.begin, counted = lines_counted(a, lines);
  for (int64_t j = 0; j < s.cols.outputs; ++j) {
    Span w = span(s.cols, j, s.adaptive);
    if (windows && count(w) == s.cols.n && lines.rows.step == 1 && rows > 0)  // whole rows lie behind one another
      for (int64_t z = lines.depths.begin; z < lines.depths.end; z += lines.depths.step)
        y[j] += sum(x + (z * s.rows.n + lines.rows.begin) * s.cols.n, rows * s.cols.n);
    else if (windows)
      lines.each([&](int64_t at) { y[j] += sum(x + at + w.begin, w.end - w.begin); });
    y[j] = divided(y[j], divisor_of(a, counted, w));
  }
}

template <class T>
void average_forward(const AveragePool& a) {
  const PoolShape& s = a.shape;
  const int64_t width = s.cols.outputs, lines = lines_out(s), volume = elements_in(s);
  parallel_ranges(s.volumes * lines, grain(s, width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      average_line(a, (T*)a.y + i * width, (const T*)a.x + i / lines * volume, i % lines);
  });
}

// Outputs [from, to) of a line. `share` is scratch for dy / divisor.
template <class T>
void average_line_backward(const AveragePool& a, T* dx, const T* dy, int64_t line, T* share, int64_t from, int64_t to) {
  const PoolShape& s = a.shape;
  const Lines lines = lines_of(s, line);
  const int64_t counted = lines_counted(a, lines);
  for (int64_t j = from; j < to; ++j)
    share[j - from] = divided(dy[j], divisor_of(a, counted, span(s.cols, j, s.adaptive)));
  if (by_windows(s)) {
    for (int64_t j = from; j < to; ++j) {
      Span w = span(s.cols, j, s.adaptive);
      lines.each([&](int64_t at) {
        for (int64_t c = w.begin; c < w.end; ++c) dx[at + c] += share[j - from];
      });
    }
    return;
  }
  lines.each([&](int64_t at) {
    for (int64_t k = 0; k < s.cols.kernel; ++k) {
      int64_t first, last;
      outputs_of_tap(s.cols, k, &first, &last);
      if (first < from) first = from;
      if (last > to) last = to;
      T* target = dx + at + first * s.cols.stride + k * s.cols.dilation - s.cols.pad;
      auto tap = s.cols.stride == 1 ? spread_tap<T, 1> : s.cols.stride == 2 ? spread_tap<T, 2> : spread_tap<T, 0>;
      if (first < last) tap(target, share + first - from, last - first, s.cols.stride);
    }
  });
}

template <class T>
void average_backward(const AveragePool& a) {
  const PoolShape& s = a.shape;
  const int64_t in = elements_in(s), out = elements_out(s), width = s.cols.outputs;
  parallel_ranges(s.volumes, grain(s, out), [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 512;
    T share[kBlock];
    for (int64_t v = begin; v < end; ++v) {
      T* dx = (T*)a.x + v * in;
      const T* dy = (const T*)a.y + v * out;
      for (int64_t i = 0; i < in; ++i) dx[i] = 0;
      for (int64_t line = 0; line < lines_out(s); ++line)
        for (int64_t from = 0; from < width; from += kBlock)
          average_line_backward(a, dx, dy + line * width, line, share, from,
                                from + kBlock < width ? from + kBlock : width);
    }
  });
}

}  // namespace weft::WEFT_ISA::pool
