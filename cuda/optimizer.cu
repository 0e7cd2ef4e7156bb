// Optimizer steps over many tensors in one launch: a block takes one piece of one tensor.
#include "kernels/optimizer.h"

#include "block.cuh"
#include "math.cuh"
// after math.cuh: its functions on numbers
#include "kernels/optimizer_rules.h"

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
  uintptr_t bits = reinterpret_cast<uintptr_t>(t.p) | reinterpret_cast<uintptr_t>(t.g);
  for (void* s : t.s) bits |= reinterpret_cast<uintptr_t>(s);
  return bits % 16 == 0;
}

// What every rule begins with, as kernels/optimizer.h says.
template <class C>
struct Begin {
  C scale, coupled, keep;
};

template <int N, int States, class T, class Rule>
WEFT_DEVICE void update_at(const Rule& rule, const Begin<Wide<T>>& begin, const OptimizerTensor& t, int64_t i,
                           int64_t shift = 0) {
  using C = Wide<T>;
  const int64_t at = i + shift;  // of the parameter; i: of the gradient
  T* p = static_cast<T*>(t.p) + at;
  Vec<T, N> ps = load<N>(p), gs = load<N>(static_cast<const T*>(t.g) + i), ss[kOptimizerStates] = {};
#pragma unroll
  for (int j = 0; j < States; ++j)
    if (t.s[j]) ss[j] = load<N>(static_cast<const T*>(t.s[j]) + at);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    C pk = widen(ps.v[k]), gk = widen(gs.v[k]) * begin.scale + pk * begin.coupled, sk[kOptimizerStates];
    for (int j = 0; j < kOptimizerStates; ++j) sk[j] = t.s[j] && j < States ? widen(ss[j].v[k]) : C(0);
    pk *= begin.keep;
    rule.update(pk, gk, sk);
    ps.v[k] = narrow<T>(pk);
    for (int j = 0; j < States; ++j) ss[j].v[k] = narrow<T>(sk[j]);
  }
  store(p, ps);
#pragma unroll
  for (int j = 0; j < States; ++j)
    if (t.s[j]) store(static_cast<T*>(t.s[j]) + at, ss[j]);
}

WEFT_DEVICE double rate_of(const OptimizerStep& a) { return a.lr_at ? *a.lr_at : a.lr; }

template <int States, class T, class Rule>
__global__ void __launch_bounds__(kThreads) step_tensors(OptimizerStep a) {
  using C = Wide<T>;
  WEFT_SHARED(Rule, rule, [1]);
  WEFT_SHARED(Begin<C>, begin, [1]);
  if (left_out(a)) return;
  Piece piece = find_piece(a.list, blockIdx.x, kPiece);
  const OptimizerTensor& t = a.list.t[piece.tensor];
  if (threadIdx.x == 0) {  // powers in double: once per block
    double lr = rate_of(a), scale = a.scale_at ? *a.scale_at : a.scale;
    begin[0] = {(C)(a.maximize ? -scale : scale), (C)(a.decoupled ? 0 : a.weight_decay),
                (C)(a.decoupled ? 1 - lr * a.weight_decay : 1)};
    rule[0] = Rule({a.numbers, lr, t.step ? *t.step : 0, (bool)(a.list.fresh >> piece.tensor & 1), t});
  }
  __syncthreads();
  constexpr int N = kVector<T>;
  int64_t i = piece.begin;
  if (aligned(t) && !a.list.ids) {
    int64_t whole = piece.begin + (piece.end - piece.begin) / N * N;
    for (i += threadIdx.x * N; i < whole; i += kThreads * N) update_at<N, States, T>(rule[0], begin[0], t, i);
    i = whole;
  }
  for (i += threadIdx.x; i < piece.end; i += kThreads)
    update_at<1, States, T>(rule[0], begin[0], t, i, optimizer_shift(a.list, i));
}

// All blocks of a tensor read what begin() and end() change, so these are launches of their own.
template <class Rule>
__global__ void begin_tensors(OptimizerStep a) {
  if ((int)threadIdx.x < a.list.count && !left_out(a)) Rule::begin(a.list.t[threadIdx.x], a.numbers);
}
template <class Rule>
__global__ void end_tensors(OptimizerStep a) {
  if ((int)threadIdx.x < a.list.count && !left_out(a)) Rule::end(a.list.t[threadIdx.x], a.numbers, rate_of(a));
}

template <template <class> class Rule, int States, bool Counted>
void step_rule(const OptimizerStep& a) {
  int64_t pieces = count_pieces(a.list, kPiece);
  if (a.list.count && Counted) WEFT_LAUNCH((begin_tensors<Rule<float>>), 1, kOptimizerTensors, 0, a);
  dispatch_floating(a.list.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (pieces) WEFT_LAUNCH((step_tensors<States, T, Rule<Wide<T>>>), (unsigned)pieces, kThreads, 0, a);
  });
  if constexpr (Rule<float>::kEnds)
    if (a.list.count) WEFT_LAUNCH((end_tensors<Rule<float>>), 1, kOptimizerTensors, 0, a);
}

void step(const OptimizerStep& a) {
  switch (a.rule) {
#define RULE(name, text, states, counted, numbers) \
  case OptimizerRule::name: return step_rule<math::name##Rule, states, counted>(a);
    WEFT_OPTIMIZERS(RULE)
#undef RULE
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) scale_tensors(ScaleList a) {
  Piece piece = find_piece(a.list, blockIdx.x, kPiece);
  T* p = static_cast<T*>(a.list.t[piece.tensor].p);
  Wide<T> scale = (Wide<T>)(a.scale_at ? *a.scale_at : a.scale);
  for (int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kThreads) p[i] = narrow<T>(widen(p[i]) * scale);
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
  if (a.last) finish_norm(a, sum);
}

void scale(const ScaleList& a) {
  dispatch_floating(a.list.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (int64_t pieces = count_pieces(a.list, kPiece))
      WEFT_LAUNCH((scale_tensors<T>), (unsigned)pieces, kThreads, 0, a);
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
  k.step = step;
  k.scale = scale;
  k.norm = norm;
}

}  // namespace weft::cuda
