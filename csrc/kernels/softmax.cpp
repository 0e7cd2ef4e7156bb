#include "kernels/softmax.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece of work

WEFT_INLINE float log_of(float x) { return vlog(splat<f32v>(x))[0]; }
WEFT_INLINE double log_of(double x) { return vlog(splat<f64v>(x))[0]; }

template <class T>
void softmax_row(T* y, const T* x, int64_t n, bool log) {
  using A = compute_of<T>;
  using V = row_vec<T>;
  A m = max_over(x, n);

  // sum of exp(x - max); the exponentials wait in y unless rounding them to half precision would show
  constexpr bool kept = sizeof(T) == sizeof(A);
  bool keep = kept && !log;
  A sum = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) {
    V e = vexp(io.load(x + j) - m);
    if (keep) io.store(y + j, e);
    s += io.keep(e);
  }));

  if (log) {
    A shift = log_of(sum);
    each_vector<V>(n, [=](int64_t j, auto io) { io.store(y + j, io.load(x + j) - m - shift); });
  } else {
    A scale = 1 / sum;
    each_vector<V>(n, [=](int64_t j, auto io) {
      V e = kept ? io.load(y + j) : vexp(io.load(x + j) - m);
      io.store(y + j, e * scale);
    });
  }
}

template <class T>
void softmax_backward_row(T* dx, const T* dy, const T* y, int64_t n, bool log) {
  using V = row_vec<T>;
  if (log) {
    auto sum = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) { s += io.load(dy + j); }));
    each_vector<V>(n, [=](int64_t j, auto io) { io.store(dx + j, io.load(dy + j) - vexp(io.load(y + j)) * sum); });
  } else {
    auto dot = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) { s += io.load(dy + j) * io.load(y + j); }));
    each_vector<V>(n, [=](int64_t j, auto io) { io.store(dx + j, io.load(y + j) * (io.load(dy + j) - dot)); });
  }
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
        y = m + log_of(hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) { s += io.keep(vexp(io.load(x + j) - m)); })));
      from_compute((T*)a.y + r, y);
    }
  });
}

template <class T>
void softmax_rows(const SoftmaxForward& a) {
  parallel_ranges(a.rows, kGrain / (a.cols + 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * a.cols; i < end * a.cols; i += a.cols)
      softmax_row((T*)a.y + i, (const T*)a.x + i, a.cols, a.log);
  });
}

template <class T>
void softmax_backward_rows(const SoftmaxBackward& a) {
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
