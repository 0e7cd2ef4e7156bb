// Connectionist temporal classification: a block per item of the batch, whose threads share the states; time passes in
// the block.
#include "kernels/ctc_loss.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 128;

template <class T>
WEFT_DEVICE T log_sum(T a, T b, T c) {
  T m = math::vmax(math::vmax(a, b), c);
  return m == (T)-INFINITY ? m : m + math::vlog(math::vexp(a - m) + math::vexp(b - m) + math::vexp(c - m));
}

// One item's states and its rows of the workspace.
template <class T>
struct Item {
  const T* log_probs;
  int64_t stride, steps, states;
  int64_t *label, *first;  // first: whether no earlier state but the blanks has the label
  T *skip, *beta[2], *share;

  WEFT_DEVICE Item(const CtcProblem& p, int64_t n) {
    int64_t row = ctc_row(p.states);
    char* room = static_cast<char*>(p.workspace) + n * ctc_workspace(p.states);
    label = reinterpret_cast<int64_t*>(room);
    first = label + row;
    skip = reinterpret_cast<T*>(room + 2 * row * 8);
    beta[0] = reinterpret_cast<T*>(room + 3 * row * 8);
    beta[1] = reinterpret_cast<T*>(room + 4 * row * 8);
    share = reinterpret_cast<T*>(room + 5 * row * 8);
    stride = p.batch * p.classes;
    log_probs = static_cast<const T*>(p.log_probs) + n * p.classes;
    steps = p.steps[n];
    states = 2 * p.labels[n] + 1;
    const int64_t* target = p.targets + p.offsets[n];
    for (int64_t s = threadIdx.x; s < states + 2; s += kThreads) {
      bool real = s % 2 && s < states;
      skip[s] = real && s > 1 && target[s / 2] != target[s / 2 - 1] ? (T)0 : (T)-INFINITY;
      if (s >= states) continue;
      label[s] = real ? target[s / 2] : p.blank;
      first[s] = real;
      for (int64_t k = 0; real && k < s / 2; ++k)
        if (target[k] == target[s / 2]) first[s] = 0;
    }
    __syncthreads();
  }
  WEFT_DEVICE T emit(int64_t t, int64_t s) const { return log_probs[t * stride + label[s]]; }
};

template <class T>
__global__ void __launch_bounds__(kThreads) ctc_forward(CtcForward a) {
  int64_t n = blockIdx.x, row = ctc_row(a.problem.states);
  Item<T> item(a.problem, n);
  T* alpha = static_cast<T*>(a.alpha) + n * a.problem.time * row;
  for (int64_t t = 0; t < item.steps; ++t) {
    T *now = alpha + t * row, *before = now - row;
    if (threadIdx.x < 2) now[threadIdx.x] = (T)-INFINITY;
    for (int64_t s = threadIdx.x; s < item.states; s += kThreads) {
      T from = t == 0 ? (s < 2 ? (T)0 : (T)-INFINITY) : log_sum(before[s + 2], before[s + 1], before[s] + item.skip[s]);
      now[s + 2] = from + item.emit(t, s);
    }
    __syncthreads();
  }
  if (threadIdx.x) return;
  const T* last = alpha + (item.steps - 1) * row;
  T loss = item.states == 1 ? (T)0 : (T)INFINITY;
  if (item.steps) loss = -log_sum(last[item.states + 1], last[item.states], (T)-INFINITY);
  static_cast<T*>(a.loss)[n] = loss;
}

template <class T>
WEFT_DEVICE void beta_row(Item<T>& item, int64_t t) {
  T *now = item.beta[t % 2], *after = item.beta[(t + 1) % 2];
  for (int64_t s = threadIdx.x; s < item.states + 2; s += kThreads) {
    T to = (T)-INFINITY;
    if (s < item.states && t < item.steps - 1) to = log_sum(after[s], after[s + 1], after[s + 2] + item.skip[s + 2]);
    if (s < item.states && t == item.steps - 1 && s >= item.states - 2) to = 0;
    now[s] = s < item.states ? to + item.emit(t, s) : to;
  }
  __syncthreads();
}

template <class T>
__global__ void __launch_bounds__(kThreads) ctc_backward(CtcBackward a) {
  const CtcProblem& p = a.problem;
  int64_t n = blockIdx.x;
  Item<T> item(p, n);
  T loss = static_cast<const T*>(a.loss)[n], d = static_cast<const T*>(a.dloss)[n];
  T* dx = static_cast<T*>(a.dx) + n * p.classes;
  bool endless = loss == (T)INFINITY;
  if (endless && !a.zero_infinity) d = (T)NAN;
  int64_t steps = endless && a.zero_infinity ? 0 : item.steps;
  for (int64_t t = steps; t < p.time; ++t)
    for (int64_t c = threadIdx.x; c < p.classes; c += kThreads) dx[t * item.stride + c] = 0;
  for (int64_t t = steps - 1; t >= 0; --t) {
    beta_row(item, t);
    const T* alpha = static_cast<const T*>(a.alpha) + (n * p.time + t) * ctc_row(p.states) + 2;
    T blanks = 0;
    for (int64_t s = threadIdx.x; s < item.states; s += kThreads) {
      T both = alpha[s] + item.beta[t % 2][s];
      T share = both == (T)-INFINITY ? (T)0 : math::vexp(both - item.emit(t, s) + loss);
      item.share[s] = share;
      if (s % 2 == 0) blanks += share;
    }
    T* row = dx + t * item.stride;
    for (int64_t c = threadIdx.x; c < p.classes; c += kThreads)
      row[c] = math::vexp(item.log_probs[t * item.stride + c]) * d;
    blanks = block_sum(blanks);  // a barrier too
    __syncthreads();
    for (int64_t s = threadIdx.x; s < item.states; s += kThreads) {
      if (!item.first[s]) continue;
      T sum = 0;
      for (int64_t k = s; k < item.states; k += 2)
        if (item.label[k] == item.label[s]) sum += item.share[k];
      row[item.label[s]] -= sum * d;
    }
    __syncthreads();
    if (threadIdx.x == 0) row[p.blank] -= blanks * d;
    __syncthreads();
  }
}

void forward(const CtcForward& a) {
  if (a.problem.dtype == DType::Float64)
    WEFT_LAUNCH((ctc_forward<double>), (unsigned)a.problem.batch, kThreads, 0, a);
  else
    WEFT_LAUNCH((ctc_forward<float>), (unsigned)a.problem.batch, kThreads, 0, a);
}
void backward(const CtcBackward& a) {
  if (a.problem.dtype == DType::Float64)
    WEFT_LAUNCH((ctc_backward<double>), (unsigned)a.problem.batch, kThreads, 0, a);
  else
    WEFT_LAUNCH((ctc_backward<float>), (unsigned)a.problem.batch, kThreads, 0, a);
}

}  // namespace

void fill(CtcLossKernels& k) {
  k.forward = forward;
  k.backward = backward;
}

}  // namespace weft::cuda
