// The register tiles of depthwise convolutions: one vector of channels, some neighbouring outputs of a line. Of
// channels-last memory a strip of many vectors is taken for the same few outputs, because that is how it follows on in
// memory.
#pragma once

#include "kernels/conv/axis.h"
#include "kernels/matmul/activation.h"

namespace weft::WEFT_ISA::conv {

constexpr int kAcross = 7;  // outputs of a tile: it divides the maps of most networks

// Two lines that meet: of the source and of a filter, or of the source and of dy.
template <class T>
struct LinePair {
  const T* source;
  const T* other;
};

// Neighbouring vectors of channels: vector v begins at channel min(v * lanes, last).
struct Strip {
  int64_t count, last;
};

// A line of outputs of a strip: out[x] = bias + the sum over pairs and taps l of filter[l] * source[the column that
// output x meets at tap l]. Taps of a filter are one vector apart, filters of neighbouring vectors `filter_step`.
template <class T>
struct DepthLine {
  const LinePair<T>* pairs;
  int64_t count;
  Strip strip;
  int64_t filter_step, source_step, source_cols, out_step, cols;
  int64_t taps, pad;
  const int32_t* columns;  // [cols, in whole tiles; taps]: the columns met, or -1
  const T* bias;           // or null
  bool clip;               // the larger of that and 0
  T* out;
  int64_t ahead;  // from the last lines of the source to those that the next outputs read, to be fetched meanwhile
};

// Output x meets column x * S + l - pad; Back: column (x + pad - l) / S if S divides that.
template <class T, int KW, int S, bool Back>
void depth_line(const DepthLine<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>, W = Back ? S * 4 : kAcross;
  constexpr int first = Back ? -((KW - 1) / S) : 0, end = Back ? W / S : (W - 1) * S + KW;
  for (int64_t x = Back ? -(t.pad % S) : 0; x < t.cols; x += W) {
    const int64_t c = Back ? (x + t.pad) / S : x * S - t.pad;
    const bool inner = c + first >= 0 && c + end <= t.source_cols;
    for (int64_t vec = 0; vec < t.strip.count; ++vec) {
      const int64_t channel = smaller(vec * L, t.strip.last);
      const V bias = t.bias ? load<V>(t.bias + channel) : V{};
      V acc[W];
#pragma GCC unroll 8
      for (int a = 0; a < W; ++a) acc[a] = bias;
      for (int64_t p = 0; p < t.count; ++p) {
        const T* filter = t.pairs[p].other + vec * t.filter_step;
        V w[KW];
#pragma GCC unroll 8
        for (int l = 0; l < KW; ++l) w[l] = load<V>(filter + l * L);
        const T* source = t.pairs[p].source + channel + c * t.source_step;
        const T* ahead = source + (p + (Back ? 1 : S) >= t.count ? t.ahead : 0);
#pragma GCC unroll 32
        for (int i = first; i < end; ++i) {
          if (!inner && (uint64_t)(c + i) >= (uint64_t)t.source_cols) continue;
          __builtin_prefetch(ahead + i * t.source_step, 0, 2);
          const V v = load<V>(source + i * t.source_step);
#pragma GCC unroll 8
          for (int l = 0; l < KW; ++l) {
            const int at = Back ? i * S + l : (i - l) % S ? -1 : (i - l) / S;
            if (at >= 0 && at < W) acc[at] += v * w[l];
          }
        }
      }
      T* out = t.out + channel + x * t.out_step;
#pragma GCC unroll 8
      for (int a = 0; a < W; ++a)
        if ((uint64_t)(x + a) < (uint64_t)t.cols) store<V>(out + a * t.out_step, t.clip ? mm::relu(acc[a]) : acc[a]);
    }
  }
}

// Any geometry, as t.columns has it.
template <class T>
void depth_line_any(const DepthLine<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>, W = kAcross;
  for (int64_t x = 0; x < t.cols; x += W)
    for (int64_t vec = 0; vec < t.strip.count; ++vec) {
      const int64_t channel = smaller(vec * L, t.strip.last);
      const V bias = t.bias ? load<V>(t.bias + channel) : V{};
      V acc[W];
#pragma GCC unroll 8
      for (int a = 0; a < W; ++a) acc[a] = bias;
      for (int64_t p = 0; p < t.count; ++p)
        for (int64_t l = 0; l < t.taps; ++l) {
          const V w = load<V>(t.pairs[p].other + vec * t.filter_step + l * L);
          const T* source = t.pairs[p].source + channel;
          const int32_t* column = t.columns + x * t.taps + l;
#pragma GCC unroll 8
          for (int a = 0; a < W; ++a) {
            const int64_t c = column[a * t.taps];
            if (c >= 0) acc[a] += load<V>(source + c * t.source_step) * w;
          }
        }
      T* out = t.out + channel + x * t.out_step;
#pragma GCC unroll 8
      for (int a = 0; a < W; ++a)
        if (x + a < t.cols) store<V>(out + a * t.out_step, t.clip ? mm::relu(acc[a]) : acc[a]);
    }
}

// For one vector of channels and one row of its filter: sums[l] += the sum over the pairs of lines that meet there and
// x < cols of dy[x] * source[x * stride + l * dilation - pad], for l < taps.
template <class T>
struct DepthSums {
  const LinePair<T>* pairs;
  int64_t count;
  int64_t source_step, source_cols, dy_step, cols;
  int64_t taps, pad, stride, dilation;
  int64_t source_ahead, dy_ahead;  // from these lines to those to be fetched meanwhile
  T* sums;
};

// The outputs from x on, one tap at a time.
template <class T>
void depth_sums_from(const DepthSums<T>& t, int64_t x) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  for (int64_t l = 0; l < t.taps; ++l) {
    const int64_t start = l * t.dilation - t.pad;
    const Range there = inside(start, t.stride, t.source_cols, t.cols);
    V acc[4] = {};
    for (int64_t p = 0; p < t.count; ++p) {
      const T* source = t.pairs[p].source + start * t.source_step;
      int64_t i = larger(x, there.begin);
      auto add = [&](V& sum) {
        sum += load<V>(t.pairs[p].other + i * t.dy_step) * load<V>(source + i * t.stride * t.source_step);
        ++i;
      };
      while (i + 4 <= there.end) add(acc[0]), add(acc[1]), add(acc[2]), add(acc[3]);
      while (i < there.end) add(acc[0]);
    }
    store<V>(t.sums + l * L, load<V>(t.sums + l * L) + ((acc[0] + acc[1]) + (acc[2] + acc[3])));
  }
}

// Unrolled, for a dilation of 1.
template <class T, int KW, int S>
void depth_sums(const DepthSums<T>& t) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>, W = kAcross, end = (W - 1) * S + KW, chains = KW < 7 ? 2 : 1;
  V acc[chains][KW] = {};
  const int64_t whole = t.cols / W * W;
  for (int64_t p = 0; p < t.count; ++p)
    for (int64_t x = 0; x < whole; x += W) {
      V dy[W];
#pragma GCC unroll 8
      for (int a = 0; a < W; ++a) {
        const T* from = t.pairs[p].other + (x + a) * t.dy_step;
        __builtin_prefetch(from + t.dy_ahead, 0, 2);
        dy[a] = load<V>(from);
      }
      const int64_t c = x * S - t.pad;
      const bool inner = c >= 0 && c + end <= t.source_cols;
      const T* source = t.pairs[p].source + c * t.source_step;
#pragma GCC unroll 32
      for (int i = 0; i < end; ++i) {
        if (!inner && (uint64_t)(c + i) >= (uint64_t)t.source_cols) continue;
        __builtin_prefetch(source + i * t.source_step + t.source_ahead, 0, 2);
        const V v = load<V>(source + i * t.source_step);
#pragma GCC unroll 8
        for (int l = 0; l < KW; ++l) {
          const int a = (i - l) % S ? -1 : (i - l) / S;
          if (a >= 0 && a < W) acc[a % chains][l] += v * dy[a];
        }
      }
    }
#pragma GCC unroll 8
  for (int l = 0; l < KW; ++l)
    store<V>(t.sums + l * L, load<V>(t.sums + l * L) + (chains == 1 ? acc[0][l] : acc[0][l] + acc[chains - 1][l]));
  if (whole < t.cols) depth_sums_from(t, whole);
}

}  // namespace weft::WEFT_ISA::conv
