#include "kernels/optimizer.h"

#include "base/threads.h"
#include "simd/lanes.h"

#define WEFT_FUNCTORS weft::WEFT_ISA
#include "kernels/optimizer_rules.h"

namespace weft::WEFT_ISA {
namespace {

int64_t elements_of(const OptimizerList& list) {
  int64_t total = 0;
  for (int i = 0; i < list.count; ++i) total += list.t[i].n;
  return total;
}

// Pieces for what each element does by itself: some for each thread, and long ones, because whoever fetches memory
// ahead of use has to begin anew in each of a piece's arrays.
int64_t long_grain(const OptimizerList& list) {
  const int64_t grain = elements_of(list) / (8 * num_threads()) / kOptimizerGrain * kOptimizerGrain;
  return grain < kOptimizerGrain ? kOptimizerGrain : grain < 16 * kOptimizerGrain ? grain : 16 * kOptimizerGrain;
}

// body(tensor, begin, end, piece) for each piece of each tensor.
template <class F>
WEFT_INLINE void over_pieces(const OptimizerList& list, int64_t grain, const F& body) {
  int64_t pieces = 0;
  auto end_of = [&](int i, int64_t begin) { return begin + grain < list.t[i].n ? begin + grain : list.t[i].n; };
  if (elements_of(list) < 2 * kOptimizerGrain) {
    for (int i = 0; i < list.count; ++i)
      for (int64_t begin = 0; begin < list.t[i].n; begin += grain) body(i, begin, end_of(i, begin), pieces++);
    return;
  }
  for (int i = 0; i < list.count; ++i) pieces += (list.t[i].n + grain - 1) / grain;
  parallel(pieces, [&](int64_t piece, int) {
    int64_t within = piece;
    for (int i = 0; i < list.count; ++i) {
      int64_t count = (list.t[i].n + grain - 1) / grain;
      if (within < count) return body(i, within * grain, end_of(i, within * grain), piece);
      within -= count;
    }
  });
}

// Rows lie anywhere: the one that is needed soon comes into the cache meanwhile.
constexpr int64_t kRowsAhead = 8;
void fetch_row(const OptimizerTensor& t, int64_t i, const OptimizerList& list, int64_t size) {
  if (i >= t.n) return;
  const int64_t from = (i + optimizer_shift(list, i)) * size, bytes = list.cols * size;
  for (int64_t at = 0; at < bytes && at < 1024; at += 64) {
    __builtin_prefetch((const char*)t.p + from + at, 1);
    for (void* s : t.s)
      if (s) __builtin_prefetch((const char*)s + from + at, 1);
  }
}

template <class T, template <class> class Rule, int States>
void step_list(const OptimizerStep& a) {
  using V = typename Lanes<T>::V;
  using S = scalar_of<V>;
  double factor = a.scale_at ? *a.scale_at : a.scale, lr = a.lr_at ? *a.lr_at : a.lr;
  S scale = (S)(a.maximize ? -factor : factor), coupled = a.decoupled ? 0 : (S)a.weight_decay;
  S keep = a.decoupled ? (S)(1 - lr * a.weight_decay) : 1;
  // Constants, once for all tensors that have seen as many steps.
  Rule<S> rules[kOptimizerTensors];
  float before = -1;
  for (int k = 0; k < a.list.count; ++k) {
    const OptimizerTensor& t = a.list.t[k];
    Rule<S>::begin(t, a.numbers);
    float step = t.step ? *t.step : 0;
    if (!Rule<S>::kOwn && k && step == before)
      rules[k] = rules[k - 1];
    else
      rules[k] = Rule<S>({a.numbers, lr, step, (bool)(a.list.fresh >> k & 1), t});
    before = step;
  }
  over_pieces(a.list, long_grain(a.list), [&](int k, int64_t begin, int64_t end, int64_t) {
    const OptimizerTensor t = a.list.t[k];
    const Rule<S> rule = rules[k];
    for (int64_t i = begin, stop; i < end; i = stop) {  // a run of neighbours: everything, or one row
      stop = a.list.ids && (i / a.list.cols + 1) * a.list.cols < end ? (i / a.list.cols + 1) * a.list.cols : end;
      if (a.list.ids) fetch_row(t, (i / a.list.cols + kRowsAhead) * a.list.cols, a.list, sizeof(T));
      const int64_t shift = optimizer_shift(a.list, i) * (int64_t)sizeof(T);
      auto at = [shift](void* p) { return (char*)p + shift; };
      over_vectors<T>(i, stop, [&](auto get, auto put) {
        V p = get(at(t.p)), g = get(t.g) * scale + p * coupled, s[kOptimizerStates]{};
        p = p * keep;
        for (int j = 0; j < States; ++j)
          if (t.s[j]) s[j] = get(at(t.s[j]));
        rule.update(p, g, s);
        for (int j = 0; j < States; ++j)
          if (t.s[j]) put(at(t.s[j]), s[j]);
        put(at(t.p), p);
      });
    }
  });
  for (int k = 0; Rule<S>::kEnds && k < a.list.count; ++k) Rule<S>::end(a.list.t[k], a.numbers, lr);
}

template <template <class> class Rule, int States>
void step_rule(const OptimizerStep& a) {
  switch (a.list.dtype) {
    case DType::Float16: return step_list<float16, Rule, States>(a);
    case DType::BFloat16: return step_list<bfloat16, Rule, States>(a);
    case DType::Float64: return step_list<double, Rule, States>(a);
    default: return step_list<float, Rule, States>(a);
  }
}

void step(const OptimizerStep& a) {
  if (left_out(a)) return;
  switch (a.rule) {
#define RULE(name, text, states, counted, numbers) \
  case OptimizerRule::name: return step_rule<name##Rule, states>(a);
    WEFT_OPTIMIZERS(RULE)
#undef RULE
  }
}

template <class T>
void scale_list(const ScaleList& a) {
  using S = scalar_of<typename Lanes<T>::V>;
  S scale = (S)(a.scale_at ? *a.scale_at : a.scale);
  over_pieces(a.list, long_grain(a.list), [&](int k, int64_t begin, int64_t end, int64_t) {
    void* p = a.list.t[k].p;
    over_vectors<T>(begin, end, [&](auto get, auto put) { put(p, get(p) * scale); });
  });
}

WEFT_INLINE f64v add_square(f64v sum, f64v x) { return sum + x * x; }
WEFT_INLINE f64v add_square(f64v sum, f32v x) {
  f64v low = widen_low(x), high = widen_high(x);
  return sum + low * low + high * high;
}

template <class T>
void norm_list(const NormOfList& a) {
  over_pieces(a.list, kOptimizerGrain, [&](int k, int64_t begin, int64_t end, int64_t piece) {
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
  if (a.last) finish_norm(a, sum);
}

#define WEFT_BY_DTYPE(call)                         \
  switch (a.list.dtype) {                           \
    case DType::Float16: return call<float16>(a);   \
    case DType::BFloat16: return call<bfloat16>(a); \
    case DType::Float64: return call<double>(a);    \
    default: return call<float>(a);                 \
  }
void scale(const ScaleList& a) { WEFT_BY_DTYPE(scale_list) }
void norm(const NormOfList& a) { WEFT_BY_DTYPE(norm_list) }

}  // namespace

void fill(OptimizerKernels& k) {
  k.step = step;
  k.scale = scale;
  k.norm = norm;
}

}  // namespace weft::WEFT_ISA
