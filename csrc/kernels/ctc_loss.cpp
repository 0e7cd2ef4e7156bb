#include "kernels/ctc_loss.h"

#include "base/threads.h"
#include "simd/lanes.h"
#include "simd/math.h"

namespace weft::WEFT_ISA {
namespace {

constexpr double kNever = -__builtin_inf();

template <class V>
WEFT_INLINE V log_sum(V a, V b, V c) {
  using T = scalar_of<V>;
  V m = vmax(vmax(a, b), c), sum = vexp(a - m) + vexp(b - m) + vexp(c - m);
  return m == splat<V>((T)kNever) ? m : m + vlog(sum);
}

// One item's states and room to work in.
template <class T>
struct Item {
  using V = typename Lanes<T>::V;
  const T* log_probs;  // of time 0; `stride` apart
  int64_t stride, steps, states;
  int64_t* label;
  T *skip, *emit, *beta[2], *share;  // skip[s]: 0 where state s may follow s - 2

  Item(const CtcProblem& p, int64_t n) {
    int64_t row = ctc_row(p.states);
    char* room = static_cast<char*>(p.workspace) + n * ctc_workspace(p.states);
    label = reinterpret_cast<int64_t*>(room);
    T** part[] = {&skip, &emit, &beta[0], &beta[1], &share};
    for (int k = 0; k < 5; ++k) *part[k] = reinterpret_cast<T*>(room + (k + 1) * row * 8);
    stride = p.batch * p.classes;
    log_probs = static_cast<const T*>(p.log_probs) + n * p.classes;
    steps = p.steps[n];
    states = 2 * p.labels[n] + 1;
    const int64_t* target = p.targets + p.offsets[n];
    for (int64_t s = 0; s < states; ++s) {
      label[s] = s % 2 ? target[s / 2] : p.blank;
      skip[s] = s % 2 && s > 1 && label[s] != label[s - 2] ? 0 : (T)kNever;
    }
    skip[states] = skip[states + 1] = (T)kNever;
  }
  void read(int64_t t) {
    for (int64_t s = 0; s < states; ++s) emit[s] = log_probs[t * stride + label[s]];
  }
};

template <class T>
void never(T* row, int64_t n) {
  for (int64_t i = 0; i < n; ++i) row[i] = (T)kNever;
}

template <class T>
T forward_item(const CtcForward& a, int64_t n) {
  using V = typename Lanes<T>::V;
  Item<T> item(a.problem, n);
  int64_t row = ctc_row(a.problem.states), states = item.states;
  if (item.steps == 0) return states == 1 ? 0 : (T)-kNever;
  T* now = static_cast<T*>(a.alpha) + n * a.problem.time * row;
  never(now, states + 2);
  item.read(0);
  now[2] = item.emit[0];
  if (states > 1) now[3] = item.emit[1];
  for (int64_t t = 1; t < item.steps; ++t) {
    const T* before = now;
    now += row;
    never(now, 2);
    item.read(t);
    over_vectors<T>(0, states, [&](auto get, auto put) {
      put(now + 2, log_sum<V>(get(before + 2), get(before + 1), get(before) + get(item.skip)) + get(item.emit));
    });
  }
  V last = splat<V>(now[states + 1]), but_one = splat<V>(now[states]);
  return -log_sum<V>(last, but_one, splat<V>((T)kNever))[0];
}

template <class T>
void forward(const CtcForward& a) {
  T* loss = static_cast<T*>(a.loss);
  parallel(a.problem.batch, [&](int64_t n, int) { loss[n] = forward_item<T>(a, n); });
}

// beta, as alpha from the end of time; both hold the emission at t.
template <class T>
void beta_row(Item<T>& item, int64_t t) {
  using V = typename Lanes<T>::V;
  T *now = item.beta[t % 2], *after = item.beta[(t + 1) % 2];
  int64_t states = item.states;
  item.read(t);
  if (t == item.steps - 1) {
    never(now, states);
    now[states - 1] = item.emit[states - 1];
    if (states > 1) now[states - 2] = item.emit[states - 2];
  } else {
    over_vectors<T>(0, states, [&](auto get, auto put) {
      put(now, log_sum<V>(get(after), get(after + 1), get(after + 2) + get(item.skip + 2)) + get(item.emit));
    });
  }
  never(now + states, 2);
}

template <class T>
void backward_item(const CtcBackward& a, int64_t n) {
  using V = typename Lanes<T>::V;
  const CtcProblem& p = a.problem;
  Item<T> item(p, n);
  T loss = static_cast<const T*>(a.loss)[n], d = static_cast<const T*>(a.dloss)[n];
  T* dx = static_cast<T*>(a.dx) + n * p.classes;
  bool endless = loss == (T)-kNever;
  if (endless && !a.zero_infinity) d = (T)__builtin_nan("");
  int64_t steps = endless && a.zero_infinity ? 0 : item.steps;
  for (int64_t t = steps; t < p.time; ++t) __builtin_memset(dx + t * item.stride, 0, (size_t)p.classes * sizeof(T));
  for (int64_t t = steps - 1; t >= 0; --t) {
    beta_row(item, t);
    const T* alpha = static_cast<const T*>(a.alpha) + (n * p.time + t) * ctc_row(p.states) + 2;
    over_vectors<T>(0, item.states, [&](auto get, auto put) {
      V both = get(alpha) + get(item.beta[t % 2]), never = splat<V>((T)kNever);
      put(item.share, both == never ? V{} : vexp(both - get(item.emit) + splat<V>(loss)));
    });
    T* row = dx + t * item.stride;
    over_vectors<T>(0, p.classes,
                    [&](auto get, auto put) { put(row, vexp(get(item.log_probs + t * item.stride)) * d); });
    for (int64_t s = 0; s < item.states; ++s) row[item.label[s]] -= item.share[s] * d;
  }
}

template <class T>
void backward(const CtcBackward& a) {
  parallel(a.problem.batch, [&](int64_t n, int) { backward_item<T>(a, n); });
}

void run_forward(const CtcForward& a) { a.problem.dtype == DType::Float64 ? forward<double>(a) : forward<float>(a); }
void run_backward(const CtcBackward& a) {
  a.problem.dtype == DType::Float64 ? backward<double>(a) : backward<float>(a);
}

}  // namespace

void fill(CtcLossKernels& k) {
  k.forward = run_forward;
  k.backward = run_backward;
}

}  // namespace weft::WEFT_ISA
