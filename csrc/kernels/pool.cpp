// Two ways through a window. By taps, when rows of output are long: for each (row, column) of the window, one loop over
// a row of outputs, which the compiler vectorises. By windows, when they are wide or differ from output to output:
// for each output, loops along the rows of its window.
#include "kernels/pool.h"

#include "base/threads.h"

namespace weft::WEFT_ISA {

namespace {

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

WEFT_INLINE int64_t count(const Span& s) { return s.end > s.begin ? (s.end - s.begin + s.step - 1) / s.step : 0; }

// The outputs whose tap k lies inside the plane: [first, last).
WEFT_INLINE void outputs_of_tap(const PoolAxis& a, int64_t k, int64_t* first, int64_t* last) {
  int64_t shift = k * a.dilation - a.pad;
  *first = shift >= 0 ? 0 : (-shift + a.stride - 1) / a.stride;
  int64_t end = a.n > shift ? (a.n - shift + a.stride - 1) / a.stride : 0;
  *last = end < a.outputs ? end : a.outputs;
}

WEFT_INLINE bool by_windows(const PoolShape& s) {
  return s.adaptive || (s.cols.dilation == 1 && s.cols.kernel > s.cols.outputs);
}

// About 32k positions a piece.
WEFT_INLINE int64_t grain(const PoolShape& s, int64_t outputs_per_item) {
  int64_t window =
      s.adaptive ? (s.rows.n / s.rows.outputs + 1) * (s.cols.n / s.cols.outputs + 1) : s.rows.kernel * s.cols.kernel;
  return 32768 / (outputs_per_item * window) + 1;
}

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

// ---- max

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
void max_row_by_taps(const PoolShape& s, T* y, int32_t* index, const T* x, int64_t row) {
  Span h = span(s.rows, row, false);
  for (int64_t j = 0; j < s.cols.outputs; ++j) {
    y[j] = lowest<T>();
    if (Indexed) index[j] = (int32_t)(h.begin * s.cols.n + span(s.cols, j, false).begin);
  }
  for (int64_t r = h.begin; r < h.end; r += h.step)
    for (int64_t k = 0; k < s.cols.kernel; ++k) {
      int64_t first, last;
      outputs_of_tap(s.cols, k, &first, &last);
      if (first >= last) continue;
      int64_t position = r * s.cols.n + first * s.cols.stride + k * s.cols.dilation - s.cols.pad;
      auto tap = s.cols.stride == 1   ? max_tap<T, Indexed, 1>
                 : s.cols.stride == 2 ? max_tap<T, Indexed, 2>
                                      : max_tap<T, Indexed, 0>;
      tap(y + first, Indexed ? index + first : nullptr, x + position, (int32_t)position, last - first, s.cols.stride);
    }
}

template <class T>
void max_row_by_windows(const PoolShape& s, T* y, int32_t* index, const T* x, int64_t row) {
  Span h = span(s.rows, row, s.adaptive);
  for (int64_t j = 0; j < s.cols.outputs; ++j) {
    Span w = span(s.cols, j, s.adaptive);
    T best = lowest<T>();
    int64_t at = h.begin * s.cols.n + w.begin;
    for (int64_t r = h.begin; r < h.end; r += h.step)
      for (int64_t c = w.begin; c < w.end; ++c) {
        T v = x[r * s.cols.n + c];
        if (beats(v, best)) {
          best = v;
          at = r * s.cols.n + c;
        }
      }
    y[j] = best;
    if (index) index[j] = (int32_t)at;
  }
}

template <class T>
void max_forward(const MaxPool& a) {
  const PoolShape& s = a.shape;
  const int64_t width = s.cols.outputs, plane = s.rows.n * s.cols.n;
  parallel_ranges(s.planes * s.rows.outputs, grain(s, width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* x = (const T*)a.x + i / s.rows.outputs * plane;
      T* y = (T*)a.y + i * width;
      int32_t* index = a.index ? a.index + i * width : nullptr;
      int64_t row = i % s.rows.outputs;
      if (by_windows(s))
        max_row_by_windows(s, y, index, x, row);
      else if (index)
        max_row_by_taps<T, true>(s, y, index, x, row);
      else
        max_row_by_taps<T, false>(s, y, index, x, row);
    }
  });
}

template <class T>
void scatter(const PoolMove& a) {
  parallel_ranges(a.planes, 32768 / (a.plane_in + a.plane_out) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      T* dx = (T*)a.x + p * a.plane_in;
      const T* dy = (const T*)a.y + p * a.plane_out;
      const int32_t* index = a.index + p * a.plane_out;
      for (int64_t i = 0; i < a.plane_in; ++i) dx[i] = 0;
      for (int64_t i = 0; i < a.plane_out; ++i) dx[index[i]] += dy[i];
    }
  });
}

template <class T>
void gather(const PoolMove& a) {
  parallel_ranges(a.planes, 32768 / a.plane_out + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      const T* x = (const T*)a.x + p * a.plane_in;
      T* y = (T*)a.y + p * a.plane_out;
      const int32_t* index = a.index + p * a.plane_out;
      for (int64_t i = 0; i < a.plane_out; ++i) y[i] = x[index[i]];
    }
  });
}

// ---- average

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

template <class T>
WEFT_INLINE T inverse_divisor(const AveragePool& a, const Span& h, const Span& w) {
  if (a.divisor > 0) return T(1) / (T)a.divisor;
  int64_t n = a.count_pad ? h.padded * w.padded : count(h) * count(w);
  return n > 0 ? T(1) / (T)n : T(0);
}

template <class T>
void average_row(const AveragePool& a, T* y, const T* x, int64_t row) {
  const PoolShape& s = a.shape;
  const bool windows = by_windows(s);
  Span h = span(s.rows, row, s.adaptive);
  for (int64_t j = 0; j < s.cols.outputs; ++j) y[j] = 0;
  for (int64_t r = h.begin; !windows && r < h.end; r += h.step)
    for (int64_t k = 0; k < s.cols.kernel; ++k) {
      int64_t first, last;
      outputs_of_tap(s.cols, k, &first, &last);
      const T* from = x + r * s.cols.n + first * s.cols.stride + k * s.cols.dilation - s.cols.pad;
      auto tap = s.cols.stride == 1 ? add_tap<T, 1> : s.cols.stride == 2 ? add_tap<T, 2> : add_tap<T, 0>;
      if (first < last) tap(y + first, from, last - first, s.cols.stride);
    }
  for (int64_t j = 0; j < s.cols.outputs; ++j) {
    Span w = span(s.cols, j, s.adaptive);
    if (windows && count(w) == s.cols.n && h.step == 1)
      y[j] = h.end > h.begin ? sum(x + h.begin * s.cols.n, (h.end - h.begin) * s.cols.n) : 0;
    else if (windows)
      for (int64_t r = h.begin; r < h.end; r += h.step) y[j] += sum(x + r * s.cols.n + w.begin, w.end - w.begin);
    y[j] *= inverse_divisor<T>(a, h, w);
  }
}

template <class T>
void average_forward(const AveragePool& a) {
  const PoolShape& s = a.shape;
  const int64_t width = s.cols.outputs, plane = s.rows.n * s.cols.n;
  parallel_ranges(s.planes * s.rows.outputs, grain(s, width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      average_row(a, (T*)a.y + i * width, (const T*)a.x + i / s.rows.outputs * plane, i % s.rows.outputs);
  });
}

// `share` is scratch for one row of dy / divisor.
template <class T>
void average_row_backward(const AveragePool& a, T* dx, const T* dy, int64_t row, T* share, int64_t from, int64_t to) {
  const PoolShape& s = a.shape;
  Span h = span(s.rows, row, s.adaptive);
  for (int64_t j = from; j < to; ++j) share[j - from] = dy[j] * inverse_divisor<T>(a, h, span(s.cols, j, s.adaptive));
  if (by_windows(s)) {
    for (int64_t j = from; j < to; ++j) {
      Span w = span(s.cols, j, s.adaptive);
      for (int64_t r = h.begin; r < h.end; r += h.step)
        for (int64_t c = w.begin; c < w.end; ++c) dx[r * s.cols.n + c] += share[j - from];
    }
    return;
  }
  for (int64_t r = h.begin; r < h.end; r += h.step)
    for (int64_t k = 0; k < s.cols.kernel; ++k) {
      int64_t first, last;
      outputs_of_tap(s.cols, k, &first, &last);
      if (first < from) first = from;
      if (last > to) last = to;
      T* at = dx + r * s.cols.n + first * s.cols.stride + k * s.cols.dilation - s.cols.pad;
      auto tap = s.cols.stride == 1 ? spread_tap<T, 1> : s.cols.stride == 2 ? spread_tap<T, 2> : spread_tap<T, 0>;
      if (first < last) tap(at, share + first - from, last - first, s.cols.stride);
    }
}

template <class T>
void average_backward(const AveragePool& a) {
  const PoolShape& s = a.shape;
  const int64_t in = s.rows.n * s.cols.n, out = s.rows.outputs * s.cols.outputs;
  parallel_ranges(s.planes, grain(s, out), [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 512;
    T share[kBlock];
    for (int64_t p = begin; p < end; ++p) {
      T* dx = (T*)a.x + p * in;
      const T* dy = (const T*)a.y + p * out;
      for (int64_t i = 0; i < in; ++i) dx[i] = 0;
      for (int64_t row = 0; row < s.rows.outputs; ++row)
        for (int64_t from = 0; from < s.cols.outputs; from += kBlock) {
          int64_t to = from + kBlock < s.cols.outputs ? from + kBlock : s.cols.outputs;
          average_row_backward(a, dx, dy + row * s.cols.outputs, row, share, from, to);
        }
    }
  });
}

void max_any(const MaxPool& a) {
  switch (a.dtype) {
    case DType::Float32: return max_forward<float>(a);
    case DType::Float64: return max_forward<double>(a);
    case DType::Int32: return max_forward<int32_t>(a);
    default: return max_forward<int64_t>(a);
  }
}
void scatter_any(const PoolMove& a) { a.dtype == DType::Float32 ? scatter<float>(a) : scatter<double>(a); }
void gather_any(const PoolMove& a) { a.dtype == DType::Float32 ? gather<float>(a) : gather<double>(a); }
void average_any(const AveragePool& a) {
  a.dtype == DType::Float32 ? average_forward<float>(a) : average_forward<double>(a);
}
void average_backward_any(const AveragePool& a) {
  a.dtype == DType::Float32 ? average_backward<float>(a) : average_backward<double>(a);
}

}  // namespace

void fill(PoolKernels& k) {
  k.max = max_any;
  k.scatter = scatter_any;
  k.gather = gather_any;
  k.average = average_any;
  k.average_backward = average_backward_any;
}

}  // namespace weft::WEFT_ISA
