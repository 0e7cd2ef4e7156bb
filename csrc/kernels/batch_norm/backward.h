// Gradients of batch normalisation.
#pragma once

#include "kernels/batch_norm/forward.h"

namespace weft::WEFT_ISA::batch_norm {

// dy, or 0 where ReLU was not passed.
template <class T, class S, class IO>
WEFT_INLINE row_vec<T> incoming(const BatchNormBackward& a, int64_t at, S mean, S scale, S shift, IO io) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  V d = io.load((const T*)a.dy + at);
  if (!a.relu) return d;
  V v = a.y ? io.load((const T*)a.y + at) : normalised(io.load((const T*)a.x + at), mean, scale, shift);
  return v > (A)0 ? d : V{};
}

// Sums of dy and dy * xhat of each channel, for one piece; dresidual on the way.
template <class T>
void piece_gradients(double* sum_dy, double* sum_dyx, const BatchNormBackward& a, const Items& p) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const T* x = (const T*)a.x;
  T* dresidual = (T*)a.dresidual;
  const A *mean = (const A*)a.mean, *rstd = (const A*)a.rstd, *weight = (const A*)a.weight, *bias = (const A*)a.bias;
  if (p.length > 1) {
    for (int64_t c = 0; c < p.channels; ++c) {
      A m = mean[c], scale = weight ? rstd[c] * weight[c] : rstd[c], shift = bias ? bias[c] : 0;
      sum_plane<V>(sum_dy + c, sum_dyx + c, p, c, [=, &a](Sums<V>& s, int64_t, int64_t at, auto io) {
        V d = incoming<T>(a, at, m, scale, shift, io);
        if (dresidual) io.store(dresidual + at, d);
        s.a += d;
        s.b += d * (io.load(x + at) - m);
      });
      sum_dyx[c] *= (double)rstd[c];
    }
    return;
  }
  each_vector<V>(p.channels, [&](int64_t j, auto io) {
    V m = io.load(mean + j), r = io.load(rstd + j), scale = weight ? r * io.load(weight + j) : r, shift{};
    if (bias) shift = io.load(bias + j);
    auto s = sum_columns<V>(p, j, io, [=, &a](Sums<V>& s, int64_t, int64_t at, auto io) {
      V d = incoming<T>(a, at, m, scale, shift, io);
      if (dresidual) io.store(dresidual + at, d);
      s.a += d;
      s.b += d * (io.load(x + at) - m);
    });
    store_double(sum_dy + j, s.a, p.channels - j);
    store_double(sum_dyx + j, s.b * r, p.channels - j);
  });
}

// dx = scale * (dy - mean_dy - (x - mean) * slope), where slope = rstd * mean(dy * xhat).
template <class T>
void apply_backward(const BatchNormBackward& a, const double* sum_dy, const double* sum_dyx, const Items& p,
                    bool past) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const A *mean = (const A*)a.mean, *rstd = (const A*)a.rstd, *weight = (const A*)a.weight, *bias = (const A*)a.bias;
  const T* x = (const T*)a.x;
  T* dx = (T*)a.dx;
  double n = a.training ? 1 / (double)(a.n * a.length) : 0;
  if (p.length > 1) {
    for (int64_t i = p.begin * p.channels; i < p.end * p.channels; ++i) {
      int64_t c = i % p.channels, at = i * p.length;
      A m = mean[c], scale = weight ? rstd[c] * weight[c] : rstd[c], shift = bias ? bias[c] : 0;
      A mean_dy = (A)(sum_dy[c] * n), slope = (A)(rstd[c] * sum_dyx[c] * n);
      each_part(dx + at, p.length, past, [=, &a](int64_t from, T* to, int64_t count) {
        each_vector<V>(count, [=, &a, at = at + from](int64_t j, auto io) {
          fetch_ahead(x + at + j);
          fetch_ahead((const T*)a.dy + at + j);
          V d = incoming<T>(a, at + j, m, scale, shift, io) - mean_dy - (io.load(x + at + j) - m) * slope;
          io.store(to + j, scale * d);
        });
      });
    }
    if (past) end_past();
    return;
  }
  each_vector<V>(p.channels, [&](int64_t j, auto io) {
    V m = io.load(mean + j), r = io.load(rstd + j), scale = weight ? r * io.load(weight + j) : r;
    V shift{}, mean_dy{}, slope{};
    if (bias) shift = io.load(bias + j);
    for (int64_t l = 0; l < lanes<V> && j + l < p.channels; ++l) {
      mean_dy[l] = (A)(sum_dy[j + l] * n);
      slope[l] = (A)(r[l] * sum_dyx[j + l] * n);
    }
    for (int64_t i = p.begin; i < p.end; ++i) {
      int64_t at = i * p.channels + j;
      V d = incoming<T>(a, at, m, scale, shift, io) - mean_dy - (io.load(x + at) - m) * slope;
      io.store(dx + at, scale * d);
    }
  });
}

// Where pass 1 has left dresidual, pass 2 takes it for dy.
BatchNormBackward after_sums(BatchNormBackward a) {
  if (a.dresidual) {
    a.dy = a.dresidual;
    a.relu = false;
  }
  return a;
}

template <class T>
void batch_norm_backward_of(const BatchNormBackward& a) {
  using A = compute_of<T>;
  int64_t pieces = batch_norm_pieces(a.n, a.channels, a.length), width = 2 * a.channels;
  double* total = a.workspace + pieces * width;
  for (int64_t j = 0; j < width; ++j) total[j] = 0;
  if (a.dweight || a.training || a.dresidual) {
    each_piece(a.n, a.channels, a.length, [&](int64_t piece, const Items& p) {
      piece_gradients<T>(a.workspace + piece * width, a.workspace + piece * width + a.channels, a, p);
    });
    for (int64_t p = 0; p < pieces; ++p)
      for (int64_t j = 0; j < width; ++j) total[j] += a.workspace[p * width + j];
  }
  for (int64_t c = 0; a.dweight && c < a.channels; ++c) {
    ((A*)a.dbias)[c] = (A)total[c];
    ((A*)a.dweight)[c] = (A)total[a.channels + c];
  }
  if (!a.dx) return;
  const BatchNormBackward second = after_sums(a);
  const bool past = a.dx != a.x && a.dx != second.dy && goes_past<T>(3, a.n, a.channels, a.length, false);
  each_piece(a.n, a.channels, a.length,
             [&](int64_t, const Items& p) { apply_backward<T>(second, total, total + a.channels, p, past); });
}

}  // namespace weft::WEFT_ISA::batch_norm
