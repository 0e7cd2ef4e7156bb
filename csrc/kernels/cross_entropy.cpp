#include "kernels/cross_entropy.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

WEFT_INLINE float log_of(float x) { return vlog(splat<f32v>(x))[0]; }
WEFT_INLINE double log_of(double x) { return vlog(splat<f64v>(x))[0]; }

template <class A>
double sum_of_weights(const A* weight, int64_t classes) {
  if (!weight) return (double)classes;
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) sum += (double)weight[c];
  return sum;
}

// Two passes over the row while it is in cache: its maximum, then the sum of exponentials.
template <class T, class A = compute_of<T>>
void log_sum_exp(A* max, A* log_sum, const T* x, int64_t n) {
  using V = row_vec<T>;
  A m = largest_number(x, n);
  A sum = hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) { s += io.keep(vexp_falling(io.load(x + j) - m)); }));
  *max = m;
  *log_sum = log_of(sum);
}

// sum over c of w[c] * -log p[c]
template <class T, class A = compute_of<T>>
A smooth_loss(const T* x, const A* weight, A max, A log_sum, int64_t n) {
  using V = row_vec<T>;
  return hsum(sum_over<V>(n, [=](V& s, int64_t j, auto io) {
    V v = max - io.load(x + j) + log_sum;
    if (weight) v *= io.load(weight + j);
    s += io.keep(v);
  }));
}

template <class T>
void cross_entropy_rows(const CrossEntropyForward& a) {
  using A = compute_of<T>;
  const A* weight = (const A*)a.weight;
  int64_t per_piece = cross_entropy_rows_per_piece(a.classes), pieces = cross_entropy_pieces(a.rows, a.classes);
  parallel(pieces, [&](int64_t piece, int) {
    int64_t begin = piece * per_piece, end = begin + per_piece < a.rows ? begin + per_piece : a.rows;
    double total = 0, total_weight = 0, wrong = 0;
    for (int64_t i = begin; i < end; ++i) {
      int64_t t = a.target[i];
      A loss = 0, *max = (A*)a.max + i, *log_sum = (A*)a.log_sum + i;
      if (t != a.ignore_index && (uint64_t)t >= (uint64_t)a.classes) {
        ++wrong;
      } else if (t != a.ignore_index) {
        const T* x = (const T*)a.x + i * a.classes;
        log_sum_exp(max, log_sum, x, a.classes);
        A w = weight ? weight[t] : 1;
        loss = w * (*max - to_compute(x[t]) + *log_sum);
        if (a.smoothing > 0)
          loss = (A)(1 - a.smoothing) * loss +
                 (A)(a.smoothing / (double)a.classes) * smooth_loss(x, weight, *max, *log_sum, a.classes);
        total_weight += (double)w;
      }
      total += (double)loss;
      if (a.reduction == LossReduction::None) from_compute((T*)a.y + i, loss);
    }
    a.workspace[3 * piece] = total;
    a.workspace[3 * piece + 1] = total_weight;
    a.workspace[3 * piece + 2] = wrong;
  });
  double sums[3] = {};
  for (int64_t p = 0; p < pieces; ++p)
    for (int k = 0; k < 3; ++k) sums[k] += a.workspace[3 * p + k];
  for (int k = 0; k < 3; ++k) a.totals[k] = sums[k];
  const double total = sums[0], total_weight = sums[1];
  if (a.reduction == LossReduction::Sum) from_compute((T*)a.y, (A)total);
  if (a.reduction == LossReduction::Mean) from_compute((T*)a.y, (A)(total_weight == 0 ? 0 : total / total_weight));
}

// dx[c] = scale * p[c] - smooth * w[c], and `hit` less at the target.
template <class T, class A = compute_of<T>>
void cross_entropy_backward_row(T* dx, const T* x, const A* weight, A max, A log_sum, A scale, A smooth, A hit,
                                int64_t target, int64_t n) {
  using V = row_vec<T>;
  auto gradient = [=](V v, V w) { return scale * vexp(v - max - log_sum) - smooth * w; };
  const A chosen = to_compute(x[target]);  // dx may be x
  if (smooth == 0)
    each_vector<V>(n, [=](int64_t j, auto io) { io.store(dx + j, scale * vexp(io.load(x + j) - max - log_sum)); });
  else
    each_vector<V>(n, [=](int64_t j, auto io) {
      io.store(dx + j, gradient(io.load(x + j), weight ? io.load(weight + j) : splat<V>(1)));
    });
  A w = weight ? weight[target] : 1;
  from_compute(dx + target, gradient(splat<V>(chosen), splat<V>(w))[0] - hit);
}

template <class T>
void cross_entropy_backward_rows(const CrossEntropyBackward& a) {
  using A = compute_of<T>;
  const A* weight = (const A*)a.weight;
  double share = a.smoothing / (double)a.classes;
  double all = a.smoothing > 0 ? share * sum_of_weights(weight, a.classes) : 0;
  double divisor = a.reduction == LossReduction::Mean && a.totals[1] != 0 ? a.totals[1] : 1;
  parallel_ranges(a.rows, cross_entropy_rows_per_piece(a.classes), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t t = a.target[i];
      T* dx = (T*)a.dx + i * a.classes;
      bool counts = t != a.ignore_index && (uint64_t)t < (uint64_t)a.classes;
      A d = 0, scale = 0;
      if (counts) {
        d = (A)((double)((const A*)a.dy)[a.reduction == LossReduction::None ? i : 0] / divisor);
        A hit = (weight ? weight[t] : 1) * (A)(1 - a.smoothing);
        scale = hit + (A)all;
        cross_entropy_backward_row(dx, (const T*)a.x + i * a.classes, weight, ((const A*)a.max)[i],
                                   ((const A*)a.log_sum)[i], d * scale, d * (A)share, d * hit, t, a.classes);
      } else {
        __builtin_memset(dx, 0, sizeof(T) * (size_t)a.classes);
      }
      if (a.row_scale) ((A*)a.row_scale)[i] = d * scale;
    }
  });
}

void cross_entropy_forward(const CrossEntropyForward& a) {
  switch (a.dtype) {
    case DType::Float16: return cross_entropy_rows<float16>(a);
    case DType::BFloat16: return cross_entropy_rows<bfloat16>(a);
    case DType::Float32: return cross_entropy_rows<float>(a);
    default: return cross_entropy_rows<double>(a);
  }
}

void cross_entropy_backward(const CrossEntropyBackward& a) {
  switch (a.dtype) {
    case DType::Float16: return cross_entropy_backward_rows<float16>(a);
    case DType::BFloat16: return cross_entropy_backward_rows<bfloat16>(a);
    case DType::Float32: return cross_entropy_backward_rows<float>(a);
    default: return cross_entropy_backward_rows<double>(a);
  }
}

}  // namespace

void fill(CrossEntropyKernels& k) {
  k.forward = cross_entropy_forward;
  k.backward = cross_entropy_backward;
}

}  // namespace weft::WEFT_ISA
