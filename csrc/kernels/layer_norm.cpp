#include "kernels/layer_norm.h"

#include "base/threads.h"
#include "simd/past.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece of work

WEFT_INLINE float root(float x) { return __builtin_sqrtf(x); }
WEFT_INLINE double root(double x) { return __builtin_sqrt(x); }

template <class T, class A = compute_of<T>>
void layer_norm_row(T* y, A* mean, A* rstd, const T* x, const A* weight, const A* bias, int64_t n, double eps,
                    bool past) {
  using V = row_vec<T>;
  const T* wanted = past ? x : y;  // a line that is not read first need not be fetched
  A m = 0;
  if (mean) *mean = m = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) { s += io.load(x + j); })) / (A)n;
  A variance = hsum(sum_over<V>(n,
                                [=](V& s, int64_t j, auto io) {
                                  fetch_ahead(x + j);
                                  fetch_to_write((void*)(wanted + j));
                                  V d = io.keep(io.load(x + j) - m);
                                  s += d * d;
                                })) /
               (A)n;
  A r = 1 / root(variance + (A)eps);
  *rstd = r;
  each_part(y, n, past, [=](int64_t from, T* to, int64_t count) {
    const T* p = x + from;
    const A *w = weight ? weight + from : nullptr, *b = bias ? bias + from : nullptr;
    if (w && b)
      each_vector<V>(count, [=](int64_t j, auto io) {
        io.store(to + j, (io.load(p + j) - m) * r * io.load(w + j) + io.load(b + j));
      });
    else
      each_vector<V>(count, [=](int64_t j, auto io) {
        V v = (io.load(p + j) - m) * r;
        if (w) v *= io.load(w + j);
        if (b) v += io.load(b + j);
        io.store(to + j, v);
      });
  });
}

template <class T>
void layer_norm_rows(const LayerNormForward& a) {
  using A = compute_of<T>;
  const bool past = a.y != a.x && 2 * a.rows * a.cols * (int64_t)sizeof(T) >= kPast;
  parallel_ranges(a.rows, kGrain / (a.cols + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      layer_norm_row((T*)a.y + i * a.cols, a.mean ? (A*)a.mean + i : nullptr, (A*)a.rstd + i,
                     (const T*)a.x + i * a.cols, (const A*)a.weight, (const A*)a.bias, a.cols, a.eps, past);
    if (past) end_past();
  });
}

// Two sums over the row, then dx; on the way the row's share of dweight and dbias while it is in cache.
template <class T, class A = compute_of<T>>
void layer_norm_backward_row(T* dx, A* dweight, A* dbias, const T* dy, const T* x, const A* mean_of, A rstd,
                             const A* weight, int64_t n, bool past) {
  using V = row_vec<T>;
  const A mean = mean_of ? *mean_of : 0;
  A mean_g = 0, mean_gx = 0;
  if (dx) {
    auto sums = sum_over<V, Sums<V>>(n, [=](Sums<V>& s, int64_t j, auto io) {
      fetch_ahead(dy + j);
      fetch_ahead(x + j);
      V g = io.load(dy + j), xhat = (io.load(x + j) - mean) * rstd;
      if (weight) g *= io.load(weight + j);
      s.a += g;
      s.b += g * xhat;
    });
    if (mean_of) mean_g = hsum(sums.a) / (A)n;
    mean_gx = hsum(sums.b) / (A)n;
  }
  each_part(dx, n, past, [=](int64_t from, T* to, int64_t count) {
    const T *p = x + from, *q = dy + from;
    const A* w = weight ? weight + from : nullptr;
    A *dw = dweight ? dweight + from : nullptr, *db = dbias ? dbias + from : nullptr;
    const T* wanted = past || !to ? p : to;
    each_vector<V>(count, [=](int64_t j, auto io) {
      fetch_to_write((void*)(wanted + j));
      V d = io.load(q + j), xhat = (io.load(p + j) - mean) * rstd;
      if (dw) {
        io.store(dw + j, io.load(dw + j) + d * xhat);
        io.store(db + j, io.load(db + j) + d);
      }
      if (to) {
        if (w) d *= io.load(w + j);
        io.store(to + j, rstd * (d - mean_g - xhat * mean_gx));
      }
    });
  });
}

template <class T>
void layer_norm_backward_rows(const LayerNormBackward& a) {
  using A = compute_of<T>;
  int64_t n = a.cols, per_piece = layer_norm_rows_per_piece(n), pieces = layer_norm_pieces(a.rows, n);
  A* partial = a.dweight ? (A*)a.workspace : nullptr;  // [pieces, 2, cols]
  const bool past = a.dx && a.dx != a.x && a.dx != a.dy && 3 * a.rows * n * (int64_t)sizeof(T) >= kPast;
  parallel(pieces, [&](int64_t piece, int) {
    int64_t begin = piece * per_piece, end = begin + per_piece < a.rows ? begin + per_piece : a.rows;
    A* dweight = partial ? partial + piece * 2 * n : nullptr;
    if (dweight) __builtin_memset(dweight, 0, sizeof(A) * 2 * (size_t)n);
    for (int64_t i = begin; i < end; ++i)
      layer_norm_backward_row(a.dx ? (T*)a.dx + i * n : nullptr, dweight, dweight ? dweight + n : nullptr,
                              (const T*)a.dy + i * n, (const T*)a.x + i * n, a.mean ? (const A*)a.mean + i : nullptr,
                              ((const A*)a.rstd)[i], (const A*)a.weight, n, past);
    if (past) end_past();
  });
  if (!a.dweight) return;
  constexpr int64_t tile = 64;
  parallel_ranges(2 * n, kGrain / (pieces + 1) / tile * tile + tile, [&](int64_t begin, int64_t end) {
    for (int64_t from = begin; from < end; from += tile) {
      double total[tile] = {};
      int64_t width = end - from < tile ? end - from : tile;
      for (int64_t p = 0; p < pieces; ++p)
        for (int64_t j = 0; j < width; ++j) total[j] += partial[p * 2 * n + from + j];
      for (int64_t j = 0; j < width; ++j)
        (from + j < n ? (A*)a.dweight + from + j : (A*)a.dbias + from + j - n)[0] = (A)total[j];
    }
  });
}

void layer_norm_forward(const LayerNormForward& a) {
  switch (a.dtype) {
    case DType::Float16: return layer_norm_rows<float16>(a);
    case DType::BFloat16: return layer_norm_rows<bfloat16>(a);
    case DType::Float32: return layer_norm_rows<float>(a);
    default: return layer_norm_rows<double>(a);
  }
}

void layer_norm_backward(const LayerNormBackward& a) {
  switch (a.dtype) {
    case DType::Float16: return layer_norm_backward_rows<float16>(a);
    case DType::BFloat16: return layer_norm_backward_rows<bfloat16>(a);
    case DType::Float32: return layer_norm_backward_rows<float>(a);
    default: return layer_norm_backward_rows<double>(a);
  }
}

}  // namespace

void fill(LayerNormKernels& k) {
  k.forward = layer_norm_forward;
  k.backward = layer_norm_backward;
}

}  // namespace weft::WEFT_ISA
