// Pieces of [n, channels, length] arrays, and sums per channel of one.
#pragma once

#include "base/threads.h"
#include "kernels/batch_norm.h"
#include "simd/past.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA::batch_norm {

WEFT_INLINE float root(float x) { return __builtin_sqrtf(x); }
WEFT_INLINE double root(double x) { return __builtin_sqrt(x); }

// The items [begin, end) that a piece has of [n, channels, length].
struct Items {
  int64_t begin, end, channels, length;
  int64_t count() const { return (end - begin) * length; }
};
template <class Body>
WEFT_INLINE void each_piece(int64_t n, int64_t channels, int64_t length, const Body& body) {
  int64_t size = batch_norm_items_per_piece(channels, length);
  parallel(batch_norm_pieces(n, channels, length), [&](int64_t piece, int) {
    int64_t begin = piece * size, end = begin + size < n ? begin + size : n;
    body(piece, Items{begin, end, channels, length});
  });
}

// Rows of a few vectors leave much of their last one empty. Of as many channels as a vector has lanes, though, `length`
// vectors are full, and their lanes belong to the same channels in every such block.
struct Owners {
  static constexpr int64_t kMost = 128;  // elements of a row
  static constexpr int L = lanes<f32v>;
  bool any = false;
  alignas(64) int32_t channel[kMost * L];

  template <class T>
  void find(int64_t length) {
    any = L > 4 && sizeof(compute_of<T>) == 4 && length > 1 && length < kMost && length % L != 0;
    for (int c = 0; any && c < L; ++c)
      for (int64_t j = 0; j < length; ++j) channel[c * length + j] = c;
  }
};

// Is a result stored past the caches, of which an operation touches `arrays`? Where its rows, or the blocks of channels
// that are stored as one, have whole lines or many.
template <class T>
WEFT_INLINE bool goes_past(int64_t arrays, int64_t n, int64_t channels, int64_t length, bool blocks) {
  const int64_t together = !blocks && length > 1 ? 1 : blocks && channels > Owners::L ? Owners::L : channels;
  const int64_t row = together * length * (int64_t)sizeof(T);
  return arrays * n * channels * length * (int64_t)sizeof(T) >= kPast &&
         (row % WEFT_VEC_BYTES == 0 || row >= kPastChunk);
}

template <class V>
WEFT_INLINE void store_double(double* to, V v, int64_t n) {
  for (int64_t l = 0; l < (n < lanes<V> ? n : lanes<V>); ++l) to[l] = (double)v[l];
}

// ---- sums per channel of one piece: body(sums, channel j, element offset, io) adds to a pair of vectors ----

// Channels are planes: `first` and `second` of channel c in one pass over its planes.
template <class V, class Body>
WEFT_INLINE void sum_plane(double* first, double* second, const Items& p, int64_t c, const Body& body) {
  double a = 0, b = 0;
  for (int64_t i = p.begin; i < p.end; ++i) {
    int64_t at = (i * p.channels + c) * p.length;
    auto s = sum_over<V, Sums<V>>(p.length, [=](Sums<V>& s, int64_t j, auto io) { body(s, c, at + j, io); });
    a += (double)hsum(s.a);
    b += (double)hsum(s.b);
  }
  *first = a;
  *second = b;
}
// Channels are columns: a vector of them at a time, in two chains.
template <class V, class IO, class Body>
WEFT_INLINE Sums<V> sum_columns(const Items& p, int64_t j, IO io, const Body& body) {
  Sums<V> even{}, odd{};
  int64_t i = p.begin;
  for (; i + 2 <= p.end; i += 2) {
    body(even, j, i * p.channels + j, io);
    body(odd, j, (i + 1) * p.channels + j, io);
  }
  if (i < p.end) body(even, j, i * p.channels + j, io);
  return even + odd;
}

}  // namespace weft::WEFT_ISA::batch_norm
