#include "kernels/softmax.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece of work

WEFT_INLINE float log_of(float x) { return vlog(splat<f32v>(x))[0]; }
WEFT_INLINE double log_of(double x) { return vlog(splat<f64v>(x))[0]; }

// Short rows are taken together, a step of all of them at a time: a row by itself would wait for its maximum, then for
// its sum. Exponentials of half precision, where rounding would show, wait in a buffer; longer rows compute them twice.
constexpr int64_t kKept = 4096, kTogether = 16;

template <class T>
void softmax_few(T* y, const T* x, int64_t rows, int64_t n, bool log) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  constexpr bool in_place = sizeof(T) == sizeof(A);
  A max[kTogether], sum[kTogether] = {}, room[in_place ? 1 : kKept];
  A* kept = log ? nullptr : in_place ? (A*)y : n <= kKept ? room : nullptr;
  for (int64_t r = 0; r < rows; ++r) max[r] = largest_number(x + r * n, n);
  for (int64_t r = 0; r < rows; ++r) {
    const T* from = x + r * n;
    A *to = kept + r * n, m = max[r];
    sum[r] = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) {
      __builtin_prefetch(from + rows * n + j);  // the next rows, while there is much to compute
      __builtin_prefetch(y + (rows + r) * n + j, 1);
      V e = vexp_falling(io.load(from + j) - m);
      if (kept) io.store(to + j, e);
      s += io.keep(e);
    }));
  }
  for (int64_t r = 0; r < kTogether; r += lanes<V>)
    store<V>(sum + r, log ? vlog(load<V>(sum + r)) : 1 / load<V>(sum + r));
  for (int64_t r = 0; r < rows; ++r) {
    const T* from = x + r * n;
    const A *e = kept + r * n, m = max[r], s = sum[r];
    T* to = y + r * n;
    if (log)
      each_vector<V>(n, [=](int64_t j, auto io) { io.store(to + j, io.load(from + j) - m - s); });
    else if (kept)
      each_vector<V>(n, [=](int64_t j, auto io) { io.store(to + j, io.load(e + j) * s); });
    else
      each_vector<V>(n, [=](int64_t j, auto io) { io.store(to + j, vexp_falling(io.load(from + j) - m) * s); });
  }
}

template <class T>
void softmax_backward_row(T* dx, const T* dy, const T* y, int64_t n, bool log) {
  using V = row_vec<T>;
  if (log) {
    auto sum = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) {
      fetch_ahead(dy + j);
      s += io.load(dy + j);
    }));
    each_vector<V>(n, [=](int64_t j, auto io) {
      fetch_ahead(y + j);
      fetch_to_write(dx + j);
      io.store(dx + j, io.load(dy + j) - vexp(io.load(y + j)) * sum);
    });
  } else {
    auto dot = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) {
      fetch_ahead(dy + j);
      fetch_ahead(y + j);
      s += io.load(dy + j) * io.load(y + j);
    }));
    each_vector<V>(n, [=](int64_t j, auto io) {
      fetch_to_write(dx + j);
      io.store(dx + j, io.load(y + j) * (io.load(dy + j) - dot));
    });
  }
}

// ---- slices that lie side by side: N vectors of them at a time, `step` elements from one row to the next ----

template <int N, class V, class Body>
WEFT_INLINE void each_row(int64_t n, int64_t step, const Body& body) {
  for (int64_t c = 0; c < n; ++c)
#pragma GCC unroll 4
    for (int u = 0; u < N; ++u) body(u, c * step + u * lanes<V>);
}

// Sums of up to 256 rows, added up: a short rounding path.
template <int N, class V, class Body>
WEFT_INLINE void sum_rows(V* total, int64_t n, int64_t step, const Body& body) {
  for (int u = 0; u < N; ++u) total[u] = V{};
  for (int64_t begin = 0; begin < n; begin += 256) {
    V s[N] = {};
    each_row<N, V>(n - begin < 256 ? n - begin : 256, step,
                   [&](int u, int64_t at) __attribute__((always_inline)) { s[u] += body(u, begin * step + at); });
    for (int u = 0; u < N; ++u) total[u] += s[u];
  }
}

template <int N, class T, class IO>
void softmax_columns(T* y, const T* x, int64_t n, int64_t step, bool log, IO io) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  V m[N], s[N];
  for (int u = 0; u < N; ++u) m[u] = splat<V>(-(A)__builtin_inf());
  each_row<N, V>(
      n, step, [&](int u, int64_t at) __attribute__((always_inline)) { m[u] = max_of_numbers(io.load(x + at), m[u]); });
  const bool kept = sizeof(T) == sizeof(A) && !log;
  sum_rows<N>(s, n, step, [&](int u, int64_t at) __attribute__((always_inline)) {
    V e = vexp_falling(io.load(x + at) - m[u]);
    if (kept) io.store(y + at, e);
    return e;
  });
  for (int u = 0; u < N; ++u) s[u] = log ? vlog(s[u]) : 1 / s[u];
  each_row<N, V>(n, step, [&](int u, int64_t at) __attribute__((always_inline)) {
    if (log)
      io.store(y + at, io.load(x + at) - m[u] - s[u]);
    else
      io.store(y + at, (kept ? io.load(y + at) : vexp_falling(io.load(x + at) - m[u])) * s[u]);
  });
}

template <int N, class T, class IO>
void softmax_backward_columns(T* dx, const T* dy, const T* y, int64_t n, int64_t step, bool log, IO io) {
  using V = row_vec<T>;
  V s[N];
  sum_rows<N>(s, n, step, [&](int, int64_t at) __attribute__((always_inline)) {
    V d = io.load(dy + at);
    return log ? d : d * io.load(y + at);
  });
  each_row<N, V>(n, step, [&](int u, int64_t at) __attribute__((always_inline)) {
    V d = io.load(dy + at), v = io.load(y + at);
    io.store(dx + at, log ? d - vexp(v) * s[u] : v * (d - s[u]));
  });
}

template <int N>
struct Count {
  static constexpr int value = N;
};

// body(offset, io, Count): four vectors of slices, or the lanes of one that io says.
template <class V, class Args, class Body>
void each_strip(const Args& a, const Body& body) {
  constexpr int64_t kStrip = 4 * lanes<V>;
  int64_t strips = (a.inner + kStrip - 1) / kStrip;
  parallel_ranges(a.rows * strips, kGrain / (a.cols * kStrip + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t k = i % strips * kStrip, at = i / strips * a.cols * a.inner + k, n = a.inner - k;
      if (n >= kStrip)
        body(at, AllLanes{}, Count<4>{});
      else
        each_vector<V>(n, [&](int64_t j, auto io) { body(at + j, io, Count<1>{}); });
    }
  });
}

template <class T>
void logsumexp_rows(const LogSumExp& a) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  int64_t n = a.cols;
  parallel_ranges(a.rows, kGrain / (n + 1), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* x = (const T*)a.x + r * n;
      A m = max_over(x, n), y = m;
      if (m - m == 0)
        y = m + log_of(hsum(
                    sum_over<V>(n, [=](V& s, int64_t j, auto io) { s += io.keep(vexp_falling(io.load(x + j) - m)); })));
      from_compute((T*)a.y + r, y);
    }
  });
}

template <class T>
void softmax_rows(const SoftmaxForward& a) {
  if (a.inner > 1)
    return each_strip<row_vec<T>>(a, [&](int64_t at, auto io, auto count) {
      softmax_columns<count.value>((T*)a.y + at, (const T*)a.x + at, a.cols, a.inner, a.log, io);
    });
  int64_t most = kKept / (a.cols + 1);
  most = most < 1 ? 1 : most > kTogether ? kTogether : most;
  parallel_ranges(a.rows, kGrain / (a.cols + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += most)
      softmax_few((T*)a.y + i * a.cols, (const T*)a.x + i * a.cols, end - i < most ? end - i : most, a.cols, a.log);
  });
}

template <class T>
void softmax_backward_rows(const SoftmaxBackward& a) {
  if (a.inner > 1)
    return each_strip<row_vec<T>>(a, [&](int64_t at, auto io, auto count) {
      softmax_backward_columns<count.value>((T*)a.dx + at, (const T*)a.dy + at, (const T*)a.y + at, a.cols, a.inner,
                                            a.log, io);
    });
  parallel_ranges(a.rows, kGrain / (a.cols + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * a.cols; i < end * a.cols; i += a.cols)
      softmax_backward_row((T*)a.dx + i, (const T*)a.dy + i, (const T*)a.y + i, a.cols, a.log);
  });
}

void softmax_forward(const SoftmaxForward& a) {
  switch (a.dtype) {
    case DType::Float16: return softmax_rows<float16>(a);
    case DType::BFloat16: return softmax_rows<bfloat16>(a);
    case DType::Float32: return softmax_rows<float>(a);
    default: return softmax_rows<double>(a);
  }
}

void softmax_backward(const SoftmaxBackward& a) {
  switch (a.dtype) {
    case DType::Float16: return softmax_backward_rows<float16>(a);
    case DType::BFloat16: return softmax_backward_rows<bfloat16>(a);
    case DType::Float32: return softmax_backward_rows<float>(a);
    default: return softmax_backward_rows<double>(a);
  }
}

void logsumexp(const LogSumExp& a) {
  switch (a.dtype) {
    case DType::Float16: return logsumexp_rows<float16>(a);
    case DType::BFloat16: return logsumexp_rows<bfloat16>(a);
    case DType::Float32: return logsumexp_rows<float>(a);
    default: return logsumexp_rows<double>(a);
  }
}

}  // namespace

void fill(SoftmaxKernels& k) {
  k.forward = softmax_forward;
  k.backward = softmax_backward;
  k.logsumexp = logsumexp;
}

}  // namespace weft::WEFT_ISA
