// Optimizer steps over many tensors in one launch: a block takes one piece of one tensor.
#include "kernels/optimizer.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPiece = 4096;

struct Piece {
  int tensor;
  int64_t begin, end;
};
WEFT_DEVICE Piece find_piece(const OptimizerList& list, int64_t index, int64_t size) {
  for (int t = 0; t < list.count; ++t) {
    int64_t pieces = (list.t[t].n + size - 1) / size;
    if (index < pieces) {
      int64_t begin = index * size, end = begin + size;
      return {t, begin, end < list.t[t].n ? end : list.t[t].n};
    }
    index -= pieces;
  }
  return {0, 0, 0};
}
int64_t count_pieces(const OptimizerList& list, int64_t size) {
  int64_t pieces = 0;
  for (int t = 0; t < list.count; ++t) pieces += divide_up(list.t[t].n, size);
  return pieces;
}
WEFT_DEVICE bool aligned(const OptimizerTensor& t) {
  return (reinterpret_cast<uintptr_t>(t.p) | reinterpret_cast<uintptr_t>(t.g) | reinterpret_cast<uintptr_t>(t.m) |
          reinterpret_cast<uintptr_t>(t.v) | reinterpret_cast<uintptr_t>(t.x)) %
             16 ==
         0;
}

// A rule updates one element. has_g, m, v, x: which buffers it uses beside the parameter.
template <class T>
struct SgdRule {
  using C = Wide<T>;
  struct Scalars {
    C lr, scale;
  };
  C momentum, dampening, weight_decay;
  double lr, scale;
  const float *lr_at, *scale_at;
  bool nesterov, maximize, first, has_m;
  static constexpr bool has_g = true, has_v = false, has_x = false;

  WEFT_DEVICE Scalars prepare(const OptimizerTensor&) const {
    return {(C)(lr_at ? *lr_at : lr), (C)(maximize ? -1 : 1) * (C)(scale_at ? *scale_at : scale)};
  }
  WEFT_DEVICE void update(const Scalars& s, C& p, C g, C& m, C&, C&) const {
    g = g * s.scale + weight_decay * p;
    if (has_m) {
      m = first ? g : momentum * m + (1 - dampening) * g;
      g = nesterov ? g + momentum * m : m;
    }
    p -= s.lr * g;
  }
};

template <class T>
struct AdamRule {
  using C = Wide<T>;
  struct Scalars {
    C scale, keep, step_size, root_scale;
  };
  C beta1, beta2, eps, weight_decay;
  double lr, wide_beta1, wide_beta2, wide_decay, scale;
  const float *lr_at, *scale_at;
  bool decoupled, maximize, has_x;
  static constexpr bool has_g = true, has_m = true, has_v = true;

  WEFT_DEVICE Scalars prepare(const OptimizerTensor& t) const {
    double rate = lr_at ? *lr_at : lr, step = *t.step;
    return {(C)(maximize ? -1 : 1) * (C)(scale_at ? *scale_at : scale), (C)(1 - rate * wide_decay),
            (C)(rate / (1 - ::pow(wide_beta1, step))), (C)(1 / ::sqrt(1 - ::pow(wide_beta2, step)))};
  }
  WEFT_DEVICE void update(const Scalars& s, C& p, C g, C& m, C& v, C& x) const {
    g *= s.scale;
    if (decoupled)
      p *= s.keep;
    else
      g += weight_decay * p;
    m += (1 - beta1) * (g - m);
    v = beta2 * v + (1 - beta2) * g * g;
    C second = v;
    if (has_x) second = x = v > x || v != v ? v : x;
    p -= s.step_size * m / (math::vsqrt(second) * s.root_scale + eps);
  }
};

template <class T>
struct ScaleRule {
  using C = Wide<T>;
  struct Scalars {
    C scale;
  };
  double scale;
  const float* scale_at;
  static constexpr bool has_g = false, has_m = false, has_v = false, has_x = false;

  WEFT_DEVICE Scalars prepare(const OptimizerTensor&) const { return {(C)(scale_at ? *scale_at : scale)}; }
  WEFT_DEVICE void update(const Scalars& s, C& p, C, C&, C&, C&) const { p *= s.scale; }
};

template <int N, class T, class Rule>
WEFT_DEVICE void update_at(const Rule& rule, const typename Rule::Scalars& scalars, const OptimizerTensor& t,
                           int64_t i) {
  using C = Wide<T>;
  T *p = static_cast<T*>(t.p) + i, *m = static_cast<T*>(t.m) + i, *v = static_cast<T*>(t.v) + i,
    *x = static_cast<T*>(t.x) + i;
  Vec<T, N> ps = load<N>(p), gs{}, ms{}, vs{}, xs{};
  if (rule.has_g) gs = load<N>(static_cast<const T*>(t.g) + i);
  if (rule.has_m) ms = load<N>(m);
  if (rule.has_v) vs = load<N>(v);
  if (rule.has_x) xs = load<N>(x);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    C pk = widen(ps.v[k]), mk = widen(ms.v[k]), vk = widen(vs.v[k]), xk = widen(xs.v[k]);
    rule.update(scalars, pk, widen(gs.v[k]), mk, vk, xk);
    ps.v[k] = narrow<T>(pk);
    ms.v[k] = narrow<T>(mk);
    vs.v[k] = narrow<T>(vk);
    xs.v[k] = narrow<T>(xk);
  }
  store(p, ps);
  if (rule.has_m) store(m, ms);
  if (rule.has_v) store(v, vs);
  if (rule.has_x) store(x, xs);
}

template <class T, class Rule>
__global__ void __launch_bounds__(kThreads) update_tensors(Rule rule, OptimizerList list) {
  WEFT_SHARED(typename Rule::Scalars, scalars, [1]);
  Piece piece = find_piece(list, blockIdx.x, kPiece);
  const OptimizerTensor& t = list.t[piece.tensor];
  if (threadIdx.x == 0) scalars[0] = rule.prepare(t);  // powers in double: once per block
  __syncthreads();
  constexpr int N = kVector<T>;
  int64_t i = piece.begin;
  if (aligned(t)) {
    int64_t whole = piece.begin + (piece.end - piece.begin) / N * N;
    for (i += threadIdx.x * N; i < whole; i += kThreads * N) update_at<N, T>(rule, scalars[0], t, i);
    i = whole;
  }
  for (i += threadIdx.x; i < piece.end; i += kThreads) update_at<1, T>(rule, scalars[0], t, i);
}

// All blocks of a tensor read its step, so it moves on in a launch of its own.
__global__ void count_steps(OptimizerList list) {
  if ((int)threadIdx.x < list.count) *list.t[threadIdx.x].step += 1;
}

template <class T>
__global__ void __launch_bounds__(kThreads) square_pieces(OptimizerList list, double* partial) {
  Piece piece = find_piece(list, blockIdx.x, kOptimizerGrain);
  const T* p = static_cast<const T*>(list.t[piece.tensor].p);
  double sum = 0;
  for (int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) {
    double v = (double)widen(p[i]);
    sum += v * v;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}
__global__ void __launch_bounds__(kThreads) combine_pieces(NormOfList a, int64_t pieces) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < pieces; i += kThreads) sum += a.partial[i];
  sum = block_sum(sum);
  if (threadIdx.x) return;
  *a.sum = sum = a.first ? sum : *a.sum + sum;
  if (a.last) *a.norm = (float)::sqrt(sum);
}

template <class T, class Rule>
void launch_update(const Rule& rule, const OptimizerList& list) {
  int64_t pieces = count_pieces(list, kPiece);
  if (pieces) WEFT_LAUNCH((update_tensors<T, Rule>), (unsigned)pieces, kThreads, 0, rule, list);
}

void sgd(const SgdStep& a) {
  dispatch_floating(a.list.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using C = Wide<T>;
    SgdRule<T> rule{(C)a.momentum,
                    (C)a.dampening,
                    (C)a.weight_decay,
                    a.lr,
                    a.scale,
                    a.lr_at,
                    a.scale_at,
                    a.nesterov,
                    a.maximize,
                    a.first,
                    a.list.count > 0 && a.list.t[0].m};
    launch_update<T>(rule, a.list);
  });
}

void adam(const AdamStep& a) {
  if (a.list.count) WEFT_LAUNCH(count_steps, 1, kOptimizerTensors, 0, a.list);
  dispatch_floating(a.list.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    using C = Wide<T>;
    AdamRule<T> rule{(C)a.beta1,     (C)a.beta2, (C)a.eps, (C)a.weight_decay, a.lr,        a.beta1,    a.beta2,
                     a.weight_decay, a.scale,    a.lr_at,  a.scale_at,        a.decoupled, a.maximize, a.amsgrad};
    launch_update<T>(rule, a.list);
  });
}

void scale(const ScaleList& a) {
  dispatch_floating(a.list.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    launch_update<T>(ScaleRule<T>{a.scale, a.scale_at}, a.list);
  });
}

void norm(const NormOfList& a) {
  int64_t pieces = optimizer_pieces(a.list);
  dispatch_floating(a.list.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (pieces) WEFT_LAUNCH((square_pieces<T>), (unsigned)pieces, kThreads, 0, a.list, a.partial);
  });
  WEFT_LAUNCH(combine_pieces, 1, kThreads, 0, a, pieces);
}

}  // namespace

void fill(OptimizerKernels& k) {
  k.sgd = sgd;
  k.adam = adam;
  k.scale = scale;
  k.norm = norm;
}

}  // namespace weft::cuda
