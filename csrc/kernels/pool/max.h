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
WEFT_INLINE bool beats(T v, T best) {
  return (v > best) | (v != v);
}

template <class T, bool Indexed, int Stride>
void max_tap(T* WEFT_RESTRICT best, int32_t* WEFT_RESTRICT index, const T* WEFT_RESTRICT x, int32_t position, int64_t n,
             int64_t runtime_stride) {
  const int64_t stride = Stride ? Stride : runtime_stride;
  for (int64_t i = 0; i < n; ++i) {
    T v = x[i * stride];
    bool take = beats(v, best[i]);
    best[i] = take ? v : best[i];
    if (Indexed) index[i] = take ? position + (int32_t)(i * stride) : index[i];
  }
}

template <class T, bool Indexed>
void max_line_by_taps(const PoolShape& s, T* y, int32_t* index, const T* x, int64_t line) {
  const Lines lines = lines_of(s, line);
  for (int64_t j = 0; j < s.cols.outputs; ++j) {
    y[j] = lowest<T>();
    if (Indexed) index[j] = (int32_t)(lines.first() + span(s.cols, j, false).begin);
  }
  lines.each([&](int64_t at) {
    for (int64_t k = 0; k < s.cols.kernel; ++k) {
      int64_t first, last;
      outputs_of_tap(s.cols, k, &first, &last);
      if (first >= last) continue;
      int64_t position = at + first * s.cols.stride + k * s.cols.dilation - s.cols.pad;
      auto tap = s.cols.stride == 1   ? max_tap<T, Indexed, 1>
                 : s.cols.stride == 2 ? max_tap<T, Indexed, 2>
                                      : max_tap<T, Indexed, 0>;
      tap(y + first, Indexed ? index + first : nullptr, x + position, (int32_t)position, last - first, s.cols.stride);
    }
  });
}

template <class T>
void max_line_by_windows(const PoolShape& s, T* y, int32_t* index, const T* x, int64_t line) {
  const Lines lines = lines_of(s, line);
  for (int64_t j = 0; j < s.cols.outputs; ++j) {
    Span w = span(s.cols, j, s.adaptive);
    T best = lowest<T>();
    int64_t best_at = lines.first() + w.begin;
    lines.each([&](int64_t at) {
      for (int64_t c = w.begin; c < w.end; ++c) {
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
}

template <class T>
void max_forward(const MaxPool& a) {
  const PoolShape& s = a.shape;
  const int64_t width = s.cols.outputs, lines = lines_out(s), volume = elements_in(s);
  parallel_ranges(s.volumes * lines, grain(s, width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* x = (const T*)a.x + i / lines * volume;
      T* y = (T*)a.y + i * width;
      int32_t* index = a.index ? a.index + i * width : nullptr;
      if (by_windows(s))
        max_line_by_windows(s, y, index, x, i % lines);
      else if (index)
        max_line_by_taps<T, true>(s, y, index, x, i % lines);
      else
        max_line_by_taps<T, false>(s, y, index, x, i % lines);
    }
  });
}

}  // namespace weft::WEFT_ISA::pool
