#include "kernels/batch_norm.h"

#include "base/threads.h"
#include "simd/past.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

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

// Is a result stored past the caches, of which an operation touches `arrays`? Where its rows have whole lines or many.
template <class T>
WEFT_INLINE bool goes_past(int64_t arrays, int64_t n, int64_t channels, int64_t length) {
  const int64_t row = (length > 1 ? length : channels) * (int64_t)sizeof(T);
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

// ---- forward ----

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
void apply(const BatchNormForward& a, const Items& p, bool past) {
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
  if (p.length > 1) {
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
    for (int64_t c = 0; c < a.channels; ++c) {
      ((A*)a.mean)[c] = ((const A*)a.running_mean)[c];
      ((A*)a.rstd)[c] = 1 / root(((const A*)a.running_var)[c] + (A)a.eps);
    }
  }
  const bool past = a.y != a.x && goes_past<T>(a.residual ? 3 : 2, a.n, a.channels, a.length);
  each_piece(a.n, a.channels, a.length, [&](int64_t, const Items& p) { apply<T>(a, p, past); });
}

// ---- backward ----

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
  const bool past = a.dx != a.x && a.dx != second.dy && goes_past<T>(3, a.n, a.channels, a.length);
  each_piece(a.n, a.channels, a.length,
             [&](int64_t, const Items& p) { apply_backward<T>(second, total, total + a.channels, p, past); });
}

void batch_norm_forward(const BatchNormForward& a) {
  switch (a.dtype) {
    case DType::Float16: return batch_norm_forward_of<float16>(a);
    case DType::BFloat16: return batch_norm_forward_of<bfloat16>(a);
    case DType::Float32: return batch_norm_forward_of<float>(a);
    default: return batch_norm_forward_of<double>(a);
  }
}

void batch_norm_backward(const BatchNormBackward& a) {
  switch (a.dtype) {
    case DType::Float16: return batch_norm_backward_of<float16>(a);
    case DType::BFloat16: return batch_norm_backward_of<bfloat16>(a);
    case DType::Float32: return batch_norm_backward_of<float>(a);
    default: return batch_norm_backward_of<double>(a);
  }
}

}  // namespace

void fill(BatchNormKernels& k) {
  k.forward = batch_norm_forward;
  k.backward = batch_norm_backward;
}

}  // namespace weft::WEFT_ISA
