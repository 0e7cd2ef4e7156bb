// Statistics of a batch, and its elements shifted and scaled by them.
#pragma once

#include "kernels/batch_norm/pieces.h"

namespace weft::WEFT_ISA::batch_norm {

// Mean and sum of squared distances of each channel, for one piece. The second pass is about the first pass's rough
// mean m and corrects it: mean = m + sum(d) / n, squares = sum(d^2) - sum(d)^2 / n.
template <class T>
void piece_statistics(double* mean, double* squares, const T* x, const Items& p) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  double n = (double)p.count();
  if (p.length > 1) {
    for (int64_t c = 0; c < p.channels; ++c) {
      double sum, none, d, dd;
      sum_plane<V>(&sum, &none, p, c, [=](Sums<V>& s, int64_t, int64_t at, auto io) { s.a += io.load(x + at); });
      A m = (A)(sum / n);
      sum_plane<V>(&d, &dd, p, c, [=](Sums<V>& s, int64_t, int64_t at, auto io) {
        V v = io.keep(io.load(x + at) - m);
        s.a += v;
        s.b += v * v;
      });
      mean[c] = m + d / n;
      squares[c] = dd - d * d / n;
    }
    return;
  }
  each_vector<V>(p.channels, [&](int64_t j, auto io) {
    auto rough = sum_columns<V>(p, j, io, [=](Sums<V>& s, int64_t, int64_t at, auto io) { s.a += io.load(x + at); });
    V m = rough.a / (A)n;
    auto about = sum_columns<V>(p, j, io, [=](Sums<V>& s, int64_t, int64_t at, auto io) {
      V v = io.load(x + at) - m;
      s.a += v;
      s.b += v * v;
    });
    for (int64_t l = 0; l < lanes<V> && j + l < p.channels; ++l) {
      double d = (double)about.a[l];
      mean[j + l] = (double)m[l] + d / n;
      squares[j + l] = (double)about.b[l] - d * d / n;
    }
  });
}

// Statistics of the pieces to those of the batch; running statistics. A block of neighbouring channels at a time.
constexpr int64_t kBlock = 64;
template <class A>
WEFT_ONE_COPY void combine_channels(const BatchNormForward& a, int64_t begin, int64_t end) {
  int64_t pieces = batch_norm_pieces(a.n, a.channels, a.length), width = 2 * a.channels;
  int64_t items = batch_norm_items_per_piece(a.channels, a.length);
  double n = (double)(a.n * a.length);
  auto share = [&](int64_t p) { return (double)((p + 1 < pieces ? items : a.n - p * items) * a.length); };
  for (int64_t from = begin; from < end; from += kBlock) {
    double mean[kBlock] = {}, squares[kBlock] = {};
    int64_t count = end - from < kBlock ? end - from : kBlock;
    for (int64_t p = 0; p < pieces; ++p) {
      double part = share(p) / n;
      for (int64_t j = 0; j < count; ++j) mean[j] += a.workspace[p * width + from + j] * part;
    }
    for (int64_t p = 0; p < pieces; ++p) {
      double number = share(p);
      for (int64_t j = 0; j < count; ++j) {
        double d = a.workspace[p * width + from + j] - mean[j];
        squares[j] += a.workspace[p * width + a.channels + from + j] + d * d * number;
      }
    }
    for (int64_t j = 0; j < count; ++j) {
      ((A*)a.mean)[from + j] = (A)mean[j];
      ((A*)a.rstd)[from + j] = (A)(1 / root(squares[j] / n + a.eps));
      if (!a.running_mean) continue;
      A &running_mean = ((A*)a.running_mean)[from + j], &running_var = ((A*)a.running_var)[from + j];
      running_mean = (A)(running_mean + a.momentum * (mean[j] - running_mean));
      running_var = (A)(running_var + a.momentum * (squares[j] / (n - 1) - running_var));
    }
  }
}
template <class A>
void combine_statistics(const BatchNormForward& a) {
  const int64_t pieces = batch_norm_pieces(a.n, a.channels, a.length);
  parallel_ranges(a.channels, 16384 / (pieces + 1) / kBlock * kBlock + kBlock,
                  [&](int64_t begin, int64_t end) { combine_channels<A>(a, begin, end); });
}

// What forward stores and what backward asks again: the same expression, so that both see the same sign.
template <class V, class S>
WEFT_INLINE V normalised(V x, S mean, S scale, S shift) {
  return (x - mean) * scale + shift;
}

template <class T>
void apply(const BatchNormForward& a, const Owners& owners, const Items& p, bool past) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  const A *mean = (const A*)a.mean, *rstd = (const A*)a.rstd, *weight = (const A*)a.weight, *bias = (const A*)a.bias;
  const T *x = (const T*)a.x, *residual = (const T*)a.residual;
  T* y = (T*)a.y;
  const A least = a.relu ? 0 : -(A)__builtin_inf();
  auto finish = [=](T* to, int64_t at, V v, auto io) __attribute__((always_inline)) {
    fetch_ahead(x + at);
    if (residual) v += io.load(residual + at);
    io.store(to, v < least ? splat<V>(least) : v);
  };
  if (owners.any) {
    if constexpr (sizeof(A) == 4)
      for (int64_t i = p.begin; i < p.end; ++i)
        for (int64_t c = 0; c < p.channels; c += Owners::L) {
          const int64_t n = p.channels - c < Owners::L ? p.channels - c : Owners::L,
                        at = (i * p.channels + c) * p.length;
          V m = load_n<V>(mean + c, n), scale = load_n<V>(rstd + c, n), shift{};
          if (weight) scale *= load_n<V>(weight + c, n);
          if (bias) shift = load_n<V>(bias + c, n);
          each_part(y + at, n * p.length, past, [=, &owners](int64_t from, T* to, int64_t count) {
            each_vector<V>(count, [=, &owners, at = at + from](int64_t j, auto io) {
              const i32v own = load<i32v>(owners.channel + from + j);
              V v = normalised(io.load(x + at + j), permute(m, own), permute(scale, own), permute(shift, own));
              finish(to + j, at + j, v, io);
            });
          });
        }
  } else if (p.length > 1) {
    for (int64_t i = p.begin * p.channels; i < p.end * p.channels; ++i) {
      int64_t c = i % p.channels, at = i * p.length;
      A m = mean[c], scale = weight ? rstd[c] * weight[c] : rstd[c], shift = bias ? bias[c] : 0;
      each_part(y + at, p.length, past, [=](int64_t from, T* to, int64_t count) {
        each_vector<V>(count, [=, at = at + from](int64_t j, auto io) {
          finish(to + j, at + j, normalised(io.load(x + at + j), m, scale, shift), io);
        });
      });
    }
  } else {
    for (int64_t i = p.begin; i < p.end; ++i)
      each_part(y + i * p.channels, p.channels, past, [=, at = i * p.channels](int64_t from, T* to, int64_t count) {
        each_vector<V>(count, [=](int64_t k, auto io) {
          const int64_t j = from + k;
          V scale = io.load(rstd + j), shift{};
          if (weight) scale *= io.load(weight + j);
          if (bias) shift = io.load(bias + j);
          finish(to + k, at + j, normalised(io.load(x + at + j), io.load(mean + j), scale, shift), io);
        });
      });
  }
  if (past) end_past();
}

template <class T>
void batch_norm_forward_of(const BatchNormForward& a) {
  using A = compute_of<T>;
  if (a.training) {
    each_piece(a.n, a.channels, a.length, [&](int64_t piece, const Items& p) {
      double* to = a.workspace + piece * 2 * a.channels;
      piece_statistics(to, to + a.channels, (const T*)a.x, p);
    });
    combine_statistics<A>(a);
  } else {
    using V = vec_of<A>;
    each_vector<V>(a.channels, [&](int64_t c, auto io) {
      io.store((A*)a.mean + c, io.load((const A*)a.running_mean + c));
      io.store((A*)a.rstd + c, (A)1 / vsqrt(io.load((const A*)a.running_var + c) + (A)a.eps));
    });
  }
  Owners owners;
  owners.find<T>(a.length);
  const bool past = a.y != a.x && goes_past<T>(a.residual ? 3 : 2, a.n, a.channels, a.length, owners.any);
  each_piece(a.n, a.channels, a.length, [&](int64_t, const Items& p) { apply<T>(a, owners, p, past); });
}

}  // namespace weft::WEFT_ISA::batch_norm
