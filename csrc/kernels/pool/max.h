// The maximum of each window and where it is.
#pragma once

#include "base/threads.h"
#include "kernels/pool/window.h"

namespace weft::WEFT_ISA::pool {

template <class T>
WEFT_INLINE T lowest() {
  if constexpr (T(0.5) != T(0))
    return (T)-__builtin_inf();
  else
    return (T)1 << (sizeof(T) * 8 - 1);
}

// `v` replaces `best`: larger, or a NaN.
template <class T>
WEFT_INLINE auto beats(T v, T best) {
  return (v > best) | (v != v);
}

template <class I>
WEFT_INLINE void store_index(int32_t* to, I index, int64_t n) {
  if constexpr (sizeof(scalar_of<I>) == 4)
    store_first(to, index, n);
  else
    for (int64_t i = 0; i < n; ++i) to[i] = (int32_t)index[i];
}

// Neighbouring outputs of a line, all of whose windows are inside it.
template <class T, bool Indexed>
void max_of_neighbours(const PoolShape& s, T* y, int32_t* index, const T* x, const Lines& lines, int64_t j, int64_t n) {
  using V = vec_of<T>;
  using I = mask_of<V>;
  using S = scalar_of<I>;
  const int64_t begin = j * s.cols.stride - s.cols.pad;
  const I steps = iota<I>() * (S)s.cols.stride;
  V best = splat<V>(lowest<T>());
  I at_best = steps + (S)(lines.first() + begin);
  lines.each([&](int64_t line) {
    for (int64_t k = 0; k < s.cols.kernel; ++k) {
      int64_t at = line + begin + k * s.cols.dilation;
      V v = load_steps<V>(x + at, s.cols.stride, n);
      I take = beats(v, best);
      best = take ? v : best;
      if (Indexed) at_best = take ? steps + (S)at : at_best;
    }
  });
  store_first(y + j, best, n);
  if (Indexed) store_index(index + j, at_best, n);
}

template <class T>
void max_of_window(const PoolShape& s, T* y, int32_t* index, const T* x, const Lines& lines, int64_t j) {
  Span w = span(s.cols, j, s.adaptive);
  T best = lowest<T>();
  int64_t best_at = lines.first() + w.begin;
  lines.each([&](int64_t at) {
    for (int64_t c = w.begin; c < w.end; c += w.step) {
      T v = x[at + c];
      if (beats(v, best)) {
        best = v;
        best_at = at + c;
      }
    }
  });
  y[j] = best;
  if (index) index[j] = (int32_t)best_at;
}

template <class T>
void max_line(const PoolShape& s, T* y, int32_t* index, const T* x, int64_t line) {
  constexpr int64_t L = lanes<vec_of<T>>;
  const Lines lines = lines_of(s, line);
  int64_t first = 0, last = 0, j = 0;
  if (!by_windows(s)) interior(s.cols, &first, &last);
  for (; j < first; ++j) max_of_window(s, y, index, x, lines, j);
  for (; j < last; j += L) {
    int64_t n = last - j < L ? last - j : L;
    if (index)
      max_of_neighbours<T, true>(s, y, index, x, lines, j, n);
    else
      max_of_neighbours<T, false>(s, y, index, x, lines, j, n);
  }
  for (j = last; j < s.cols.outputs; ++j) max_of_window(s, y, index, x, lines, j);
}

// One output of N vectors of neighbouring channels, n channels of the last one.
template <class T, int N, bool Indexed>
WEFT_INLINE void max_of_channels(T* y, int32_t* index, const T* x, int64_t inner, const Lines& lines, const Span& w,
                                 int64_t n) {
  using V = vec_of<T>;
  using I = mask_of<V>;
  using S = scalar_of<I>;
  constexpr int64_t L = lanes<V>;
  V best[N];
  I at_best[N];
  for (int v = 0; v < N; ++v) {
    best[v] = splat<V>(lowest<T>());
    if (Indexed) at_best[v] = splat<I>((S)(lines.first() + w.begin));
  }
  lines.each([&](int64_t at) __attribute__((always_inline)) {
    for (int64_t c = w.begin; c < w.end; c += w.step)
      for (int v = 0; v < N; ++v) {
        const V value = load_steps<V>(x + (at + c) * inner + v * L, 1, v + 1 < N ? L : n);
        const I take = beats(value, best[v]);
        best[v] = take ? value : best[v];
        if (Indexed) at_best[v] = take ? splat<I>((S)(at + c)) : at_best[v];
      }
  });
  for (int v = 0; v < N; ++v) {
    store_first(y + v * L, best[v], v + 1 < N ? L : n);
    if (Indexed) store_index(index + v * L, at_best[v], v + 1 < N ? L : n);
  }
}

// A line of outputs of `inner` neighbouring channels each.
template <class T, bool Indexed>
void max_channels(const PoolShape& s, int64_t inner, T* y, int32_t* index, const T* x, int64_t line) {
  constexpr int64_t L = lanes<vec_of<T>>;
  const Lines lines = lines_of(s, line);
  for (int64_t j = 0; j < s.cols.outputs; ++j, y += inner) {
    const Span w = span(s.cols, j, s.adaptive);
    int64_t k = 0;
    const auto at = [&]() { return Indexed ? index + j * inner + k : nullptr; };
    if constexpr (T(0.5) != T(0))
      for (; k + 4 * L <= inner; k += 4 * L) max_of_channels<T, 4, Indexed>(y + k, at(), x + k, inner, lines, w, L);
    for (; k < inner; k += L)
      max_of_channels<T, 1, Indexed>(y + k, at(), x + k, inner, lines, w, inner - k < L ? inner - k : L);
  }
}
template <class T>
void max_channels(const PoolShape& s, int64_t inner, T* y, int32_t* index, const T* x, int64_t line) {
  index ? max_channels<T, true>(s, inner, y, index, x, line) : max_channels<T, false>(s, inner, y, index, x, line);
}

template <class T>
void max_side_by_side(const MaxPool& a) {
  constexpr int64_t L = lanes<vec_of<T>>;
  const PoolShape& s = a.shape;
  const int64_t in = elements_in(s), out = elements_out(s), groups = (s.volumes + L - 1) / L;
  parallel_ranges(groups, 16384 / (in * L) + 1, [&](int64_t begin, int64_t end) {
    alignas(64) T x[kSmall * L], y[kSmall * L];
    alignas(64) int32_t index[kSmall * L];
    for (int64_t g = begin; g < end; ++g) {
      const int64_t v = g * L, n = s.volumes - v < L ? s.volumes - v : L;
      if (n < L) __builtin_memset(x, 0, sizeof(x));
      lay_side_by_side(x, (const T*)a.x + v * in, n, L, in);
      for (int64_t line = 0; line < lines_out(s); ++line) {
        int64_t at = line * s.cols.outputs * L;
        max_channels<T>(s, L, y + at, a.index ? index + at : nullptr, x, line);
      }
      lay_apart((T*)a.y + v * out, y, n, L, out);
      if (a.index) lay_apart(a.index + v * out, index, n, L, out);
    }
  });
}

template <class T>
void max_forward(const MaxPool& a) {
  const PoolShape& s = a.shape;
  if (side_by_side<T>(s)) return max_side_by_side<T>(a);
  const int64_t width = s.cols.outputs * s.inner, lines = lines_out(s), volume = elements_in(s) * s.inner;
  parallel_ranges(s.volumes * lines, grain(s, width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* x = (const T*)a.x + i / lines * volume;
      T* y = (T*)a.y + i * width;
      int32_t* index = a.index ? a.index + i * width : nullptr;
      if (s.inner > 1)
        max_channels(s, s.inner, y, index, x, i % lines);
      else
        max_line(s, y, index, x, i % lines);
    }
  });
}

}  // namespace weft::WEFT_ISA::pool
