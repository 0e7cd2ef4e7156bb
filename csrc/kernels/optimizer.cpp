#include "kernels/optimizer.h"

#include "base/threads.h"
#include "simd/lanes.h"

namespace weft::WEFT_ISA {
namespace {

// body(tensor, begin, end, piece) for each piece of each tensor.
template <class F>
WEFT_INLINE void over_pieces(const OptimizerList& list, const F& body) {
  auto run = [&](int64_t piece, int) {
    int64_t within = piece;
    for (int i = 0; i < list.count; ++i) {
      int64_t n = list.t[i].n, count = (n + kOptimizerGrain - 1) / kOptimizerGrain;
      if (within < count) {
        int64_t begin = within * kOptimizerGrain, end = begin + kOptimizerGrain < n ? begin + kOptimizerGrain : n;
        return body(i, begin, end, piece);
      }
      within -= count;
    }
  };
  int64_t total = 0, pieces = optimizer_pieces(list);
  for (int i = 0; i < list.count; ++i) total += list.t[i].n;
  if (total >= 2 * kOptimizerGrain) return parallel(pieces, run);
  for (int64_t piece = 0; piece < pieces; ++piece) run(piece, 0);
}

#define WEFT_BY_DTYPE(dtype, call)                  \
  switch (dtype) {                                  \
    case DType::Float16: return call<float16>(a);   \
    case DType::BFloat16: return call<bfloat16>(a); \
    case DType::Float64: return call<double>(a);    \
    default: return call<float>(a);                 \
  }

template <class T>
void sgd_list(const SgdStep& a) {
  using V = typename Lanes<T>::V;
  using S = scalar_of<V>;
  double factor = a.scale_at ? *a.scale_at : a.scale, lr = a.lr_at ? *a.lr_at : a.lr;
  S scale = (S)(a.maximize ? -factor : factor), step = (S)-lr, decay = (S)a.weight_decay;
  S momentum = (S)a.momentum, fresh = (S)(1 - a.dampening);
  over_pieces(a.list, [&](int k, int64_t begin, int64_t end, int64_t) {
    const OptimizerTensor& t = a.list.t[k];
    over_vectors<T>(begin, end, [&](auto get, auto put) {
      V p = get(t.p), g = get(t.g) * scale + p * decay;
      if (t.m) {
        V b = a.first ? g : get(t.m) * momentum + g * fresh;
        put(t.m, b);
        g = a.nesterov ? g + b * momentum : b;
      }
      put(t.p, p + g * step);
    });
  });
}
void sgd(const SgdStep& a) { WEFT_BY_DTYPE(a.list.dtype, sgd_list) }

template <class T>
void adam_list(const AdamStep& a) {
  using V = typename Lanes<T>::V;
  using S = scalar_of<V>;
  // Bias corrections, once for all tensors that have seen as many steps.
  S step_size[kOptimizerTensors], root[kOptimizerTensors];
  double lr = a.lr_at ? *a.lr_at : a.lr, factor = a.scale_at ? *a.scale_at : a.scale;
  for (int k = 0; k < a.list.count; ++k) {
    float step = *a.list.t[k].step += 1;
    if (k && step == *a.list.t[k - 1].step) {
      step_size[k] = step_size[k - 1], root[k] = root[k - 1];
      continue;
    }
    step_size[k] = (S)(-lr / (1 - __builtin_pow(a.beta1, step)));
    root[k] = (S)(1 / __builtin_sqrt(1 - __builtin_pow(a.beta2, step)));
  }
  S scale = (S)(a.maximize ? -factor : factor), coupled = a.decoupled ? 0 : (S)a.weight_decay;
  S keep = a.decoupled ? (S)(1 - lr * a.weight_decay) : 1, eps = (S)a.eps;
  S beta2 = (S)a.beta2, fresh1 = (S)(1 - a.beta1), fresh2 = (S)(1 - a.beta2);
  over_pieces(a.list, [&](int k, int64_t begin, int64_t end, int64_t) {
    const OptimizerTensor& t = a.list.t[k];
    S by = step_size[k], correct = root[k];
    over_vectors<T>(begin, end, [&](auto get, auto put) {
      V p = get(t.p), g = get(t.g) * scale + p * coupled;
      V m = get(t.m), v = get(t.v);
      m += (g - m) * fresh1;
      v = v * beta2 + g * g * fresh2;
      put(t.m, m);
      put(t.v, v);
      if (a.amsgrad) {
        v = vmax(get(t.x), v);
        put(t.x, v);
      }
      put(t.p, p * keep + m * by / (vsqrt(v) * correct + eps));
    });
  });
}
void adam(const AdamStep& a) { WEFT_BY_DTYPE(a.list.dtype, adam_list) }

template <class T>
void scale_list(const ScaleList& a) {
  using S = scalar_of<typename Lanes<T>::V>;
  S scale = (S)(a.scale_at ? *a.scale_at : a.scale);
  over_pieces(a.list, [&](int k, int64_t begin, int64_t end, int64_t) {
    void* p = a.list.t[k].p;
    over_vectors<T>(begin, end, [&](auto get, auto put) { put(p, get(p) * scale); });
  });
}
void scale(const ScaleList& a){WEFT_BY_DTYPE(a.list.dtype, scale_list)}

WEFT_INLINE f64v add_square(f64v sum, f64v x) {
  return sum + x * x;
}
WEFT_INLINE f64v add_square(f64v sum, f32v x) {
  f64v low = widen_low(x), high = widen_high(x);
  return sum + low * low + high * high;
}

template <class T>
void norm_list(const NormOfList& a) {
  over_pieces(a.list, [&](int k, int64_t begin, int64_t end, int64_t piece) {
    const void* p = a.list.t[k].p;
    f64v sum{}, other{};  // taken in turns: two chains of additions
    over_vectors<T>(begin, end, [&](auto get, auto) {
      f64v now = add_square(sum, get(p));
      sum = other;
      other = now;
    });
    a.partial[piece] = hsum(sum + other);
  });
  double sum = a.first ? 0 : *a.sum;
  for (int64_t i = 0, n = optimizer_pieces(a.list); i < n; ++i) sum += a.partial[i];
  *a.sum = sum;
  if (a.last) *a.norm = (float)__builtin_sqrt(sum);
}
void norm(const NormOfList& a) { WEFT_BY_DTYPE(a.list.dtype, norm_list) }

}  // namespace

void fill(OptimizerKernels& k) {
  k.sgd = sgd;
  k.adam = adam;
  k.scale = scale;
  k.norm = norm;
}

}  // namespace weft::WEFT_ISA
