// The mean of each window, and its transpose.
#pragma once

#include "base/threads.h"
#include "kernels/pool/window.h"

namespace weft::WEFT_ISA::pool {

template <class T>
WEFT_INLINE T sum(const T* x, int64_t n) {
  using V = vec_of<T>;
  constexpr int64_t L = lanes<V>;
  T total = 0;
  if (n < 4) {
    for (int64_t i = 0; i < n; ++i) total += x[i];
    return total;
  }
  V sums{};
  for (int64_t i = 0; i < n; i += L) sums += load_steps<V>(x + i, 1, n - i < L ? n - i : L);
  return hsum(sums);
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

// The sums of N vectors of neighbouring columns, n columns of the last one.
template <class T, int N>
WEFT_INLINE void add_lines(T* to, const T* x, const Lines& lines, int64_t n) {
  using V = vec_of<T>;
  V sum[N] = {};
  lines.each([&](int64_t at) __attribute__((always_inline)) {
    for (int v = 0; v + 1 < N; ++v) sum[v] += load<V>(x + at + v * lanes<V>);
    sum[N - 1] += load_steps<V>(x + at + (N - 1) * lanes<V>, 1, n);
  });
  for (int v = 0; v < N; ++v) store(to + v * lanes<V>, sum[v]);
}
template <class T>
void columns(T* to, const T* x, const Lines& lines, int64_t n) {
  constexpr int64_t L = lanes<vec_of<T>>;
  int64_t i = 0;
  for (; i + 4 * L <= n; i += 4 * L) add_lines<T, 4>(to + i, x + i, lines, L);
  for (; i < n; i += L) add_lines<T, 1>(to + i, x + i, lines, n - i < L ? n - i : L);
}

template <class T>
void average_of_window(const AveragePool& a, T* y, const T* x, const Lines& lines, int64_t j) {
  const PoolShape& s = a.shape;
  const int64_t rows = lines.rows.end - lines.rows.begin;
  const Span w = span(s.cols, j, s.adaptive);
  T total = 0;
  if (count(w) == s.cols.n && lines.rows.step == 1 && rows > 0)  // whole rows lie behind one another
    for (int64_t z = lines.depths.begin; z < lines.depths.end; z += lines.depths.step)
      total += sum(x + (z * s.rows.n + lines.rows.begin) * s.cols.n, rows * s.cols.n);
  else
    lines.each([&](int64_t at) { total += sum(x + at + w.begin, count(w)); });
  y[j] = divided(total, divisor_of(a, lines_counted(a, lines), w));
}

// The lines are added to one, at most kColumns of it at a time; then come its windows.
constexpr int64_t kColumns = 1024;

// Outputs of any windows, each by itself. Neighbours begin in ascending order.
template <class T>
void average_windows(const AveragePool& a, T* y, const T* x, const Lines& lines) {
  const PoolAxis& cols = a.shape.cols;
  const int64_t counted = lines_counted(a, lines);
  T line[kColumns + lanes<vec_of<T>>];
  int64_t begin = 0, end = 0;  // of the columns in `line`
  for (int64_t j = 0; j < cols.outputs; ++j) {
    const Span w = span(cols, j, a.shape.adaptive);
    if (w.end - w.begin > kColumns || cols.outputs == 1) {
      average_of_window(a, y, x, lines, j);
      continue;
    }
    if (w.end > end) {
      begin = w.begin;
      end = begin + kColumns < cols.n ? begin + kColumns : cols.n;
      columns(line, x + begin, lines, end - begin);
    }
    y[j] = divided(sum(line + (w.begin - begin), count(w)), divisor_of(a, counted, w));
  }
}

// Outputs [from, to), whose windows are inside the line, by their taps: a vector of neighbours at a time.
template <class T>
void average_taps(const AveragePool& a, T* y, const T* x, const Lines& lines, int64_t from, int64_t to) {
  using V = vec_of<T>;
  constexpr int64_t L = lanes<V>;
  const PoolAxis& cols = a.shape.cols;
  const int64_t divisor = divisor_of(a, lines_counted(a, lines), span(cols, from, false));
  const int64_t block = (kColumns - cols.kernel) / cols.stride + 1;
  T line[kColumns + L];
  for (; from < to; from += block) {
    const int64_t n = to - from < block ? to - from : block;
    columns(line, x + from * cols.stride - cols.pad, lines, (n - 1) * cols.stride + cols.kernel);
    for (int64_t j = 0; j < n; j += L) {
      const int64_t m = n - j < L ? n - j : L;
      V total{};
      for (int64_t k = 0; k < cols.kernel; ++k) total += load_steps<V>(line + j * cols.stride + k, cols.stride, m);
      store_first(y + from + j, divided(total, divisor), m);
    }
  }
}

template <class T>
void average_line(const AveragePool& a, T* y, const T* x, int64_t line) {
  const PoolShape& s = a.shape;
  const Lines lines = lines_of(s, line);
  if (by_windows(s) || s.cols.kernel > kColumns) return average_windows(a, y, x, lines);
  int64_t first, last;
  interior(s.cols, &first, &last);
  for (int64_t j = 0; j < first; ++j) average_of_window(a, y, x, lines, j);
  if (first < last) average_taps(a, y, x, lines, first, last);
  for (int64_t j = last; j < s.cols.outputs; ++j) average_of_window(a, y, x, lines, j);
}

// A line of outputs of `inner` neighbouring channels each.
template <class T>
void average_channels(const AveragePool& a, int64_t inner, T* y, const T* x, int64_t line) {
  using V = vec_of<T>;
  const PoolShape& s = a.shape;
  const Lines lines = lines_of(s, line);
  for (int64_t j = 0; j < s.cols.outputs; ++j) {
    const Span w = span(s.cols, j, s.adaptive);
    const int64_t divisor = divisor_of(a, lines_counted(a, lines), w);
    for (int64_t k = 0; k < inner; k += lanes<V>) {
      const int64_t n = inner - k < lanes<V> ? inner - k : lanes<V>;
      V sum{};
      lines.each([&](int64_t at) {
        for (int64_t c = w.begin; c < w.end; c += w.step) sum += load_steps<V>(x + (at + c) * inner + k, 1, n);
      });
      store_first(y + j * inner + k, divided(sum, divisor), n);
    }
  }
}

template <class T>
void average_side_by_side(const AveragePool& a) {
  constexpr int64_t L = lanes<vec_of<T>>;
  const PoolShape& s = a.shape;
  const int64_t in = elements_in(s), out = elements_out(s), groups = (s.volumes + L - 1) / L;
  parallel_ranges(groups, 16384 / (in * L) + 1, [&](int64_t begin, int64_t end) {
    alignas(64) T x[kSmall * L], y[kSmall * L];
    for (int64_t g = begin; g < end; ++g) {
      const int64_t v = g * L, n = s.volumes - v < L ? s.volumes - v : L;
      if (n < L) __builtin_memset(x, 0, sizeof(x));
      lay_side_by_side(x, (const T*)a.x + v * in, n, L, in);
      for (int64_t line = 0; line < lines_out(s); ++line)
        average_channels<T>(a, L, y + line * s.cols.outputs * L, x, line);
      lay_apart((T*)a.y + v * out, y, n, L, out);
    }
  });
}

template <class T>
void average_forward(const AveragePool& a) {
  const PoolShape& s = a.shape;
  if (side_by_side<T>(s)) return average_side_by_side<T>(a);
  const int64_t width = s.cols.outputs * s.inner, lines = lines_out(s), volume = elements_in(s) * s.inner;
  parallel_ranges(s.volumes * lines, grain(s, width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* x = (const T*)a.x + i / lines * volume;
      T* y = (T*)a.y + i * width;
      if (s.inner > 1)
        average_channels(a, s.inner, y, x, i % lines);
      else
        average_line(a, y, x, i % lines);
    }
  });
}

// dy spread over dx, which holds zeros: all outputs of one volume, channels [from, to) of `inner`.
template <class T>
void spread_channels(const AveragePool& a, int64_t inner, T* dx, const T* dy, int64_t from, int64_t to) {
  using V = vec_of<T>;
  const PoolShape& s = a.shape;
  for (int64_t line = 0; line < lines_out(s); ++line) {
    const Lines lines = lines_of(s, line);
    for (int64_t j = 0; j < s.cols.outputs; ++j) {
      const Span w = span(s.cols, j, s.adaptive);
      const int64_t divisor = divisor_of(a, lines_counted(a, lines), w);
      const T* d = dy + (line * s.cols.outputs + j) * inner;
      for (int64_t k = from; k < to; k += lanes<V>) {
        const int64_t n = to - k < lanes<V> ? to - k : lanes<V>;
        const V share = divided(load_steps<V>(d + k, 1, n), divisor);
        lines.each([&](int64_t at) {
          for (int64_t c = w.begin; c < w.end; c += w.step) {
            T* p = dx + (at + c) * inner + k;
            store_first(p, load_steps<V>(p, 1, n) + share, n);
          }
        });
      }
    }
  }
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
void average_backward_side_by_side(const AveragePool& a) {
  constexpr int64_t L = lanes<vec_of<T>>;
  const PoolShape& s = a.shape;
  const int64_t in = elements_in(s), out = elements_out(s), groups = (s.volumes + L - 1) / L;
  parallel_ranges(groups, 16384 / (in * L) + 1, [&](int64_t begin, int64_t end) {
    alignas(64) T dx[kSmall * L], dy[kSmall * L];
    for (int64_t g = begin; g < end; ++g) {
      const int64_t v = g * L, n = s.volumes - v < L ? s.volumes - v : L;
      if (n < L) __builtin_memset(dy, 0, sizeof(dy));
      lay_side_by_side(dy, (const T*)a.y + v * out, n, L, out);
      __builtin_memset(dx, 0, sizeof(T) * (size_t)(in * L));
      spread_channels<T>(a, L, dx, dy, 0, L);
      lay_apart((T*)a.x + v * in, dx, n, L, in);
    }
  });
}

// Channels in blocks, each of which a piece has to itself.
template <class T>
void average_backward_channels(const AveragePool& a) {
  const PoolShape& s = a.shape;
  const int64_t in = elements_in(s), out = elements_out(s), blocks = (s.inner + kChannelBlock - 1) / kChannelBlock;
  parallel_ranges(s.volumes * blocks, 16384 / (in * kChannelBlock) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t from = i % blocks * kChannelBlock;
      const int64_t to = from + kChannelBlock < s.inner ? from + kChannelBlock : s.inner;
      T* dx = (T*)a.x + i / blocks * in * s.inner;
      for (int64_t p = 0; p < in; ++p) __builtin_memset(dx + p * s.inner + from, 0, sizeof(T) * (size_t)(to - from));
      spread_channels(a, s.inner, dx, (const T*)a.y + i / blocks * out * s.inner, from, to);
    }
  });
}

template <class T>
void average_backward(const AveragePool& a) {
  const PoolShape& s = a.shape;
  if (s.inner > 1) return average_backward_channels<T>(a);
  if (side_by_side<T>(s)) return average_backward_side_by_side<T>(a);
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
