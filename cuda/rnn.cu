// Recurrent layers step by step: a launch for a step, a thread for a unit of a sequence.
#include "kernels/rnn.h"

#include "device.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 128;

// One step of one direction: rows of sequence 0 at it, before it and after it, and how many sequences have each.
struct Step {
  int64_t row, row_before, row_after, rows, going_on, coming_back;
  int direction;
};
Step step_of(const RnnShape& s, int direction, int64_t i) {
  const int64_t t = direction ? s.steps - 1 - i : i, before = direction ? t + 1 : t - 1, after = 2 * t - before;
  auto has = [&](int64_t k) { return k >= 0 && k < s.steps; };
  Step step{s.first[t], 0, 0, s.active[t], 0, 0, direction};
  if (has(before)) step.row_before = s.first[before], step.going_on = s.active[before];
  if (has(after)) step.row_after = s.first[after], step.coming_back = s.active[after];
  return step;
}

template <class T>
WEFT_DEVICE T sigmoid(T x) {
  return 1 / (1 + exp(-x));
}
template <class T>
WEFT_DEVICE T dot(const T* a, const T* b, int64_t n, int64_t b_step) {
  T sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += a[k] * b[k * b_step];
  return sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads) forward_step(RnnForward p, Step step) {
  const RnnShape& s = p.s;
  const RnnForward::Direction& d = p.d[step.direction];
  const int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x, H = s.hidden, b = i / H, u = i % H;
  if (b >= step.rows) return;
  const int64_t row = step.row + b * s.row_step, G = rnn_gates(s.mode);
  const T* before = b < step.going_on
                        ? (const T*)p.y + (step.row_before + b * s.row_step) * p.y_row + step.direction * s.out
                        : (const T*)d.h0 + b * s.out;
  T* gates = (T*)d.gates + row * G * H + u;
  auto q = [&](int64_t g) { return dot(before, (const T*)d.weight + (g * H + u) * s.out, s.out, 1); };
  T h;
  if (s.mode == RnnMode::Tanh) {
    h = tanh(gates[0] + q(0));
  } else if (s.mode == RnnMode::Relu) {
    T v = gates[0] + q(0);
    h = v < 0 ? (T)0 : v;
  } else if (s.mode == RnnMode::Lstm) {
    T in = sigmoid(gates[0] + q(0)), f = sigmoid(gates[H] + q(1)), g = tanh(gates[2 * H] + q(2));
    T o = sigmoid(gates[3 * H] + q(3)), *cell = (T*)d.c + b * H + u, c = f * *cell + in * g;
    *cell = c;
    h = o * tanh(c);
    if (p.keep) {
      gates[0] = in, gates[H] = f, gates[2 * H] = g, gates[3 * H] = o;
      ((T*)d.kept)[row * H + u] = c;
    }
  } else {
    T r = sigmoid(gates[0] + q(0)), z = sigmoid(gates[H] + q(1)), hidden = q(2);
    if (d.bias) hidden += ((const T*)d.bias)[u];
    T n = tanh(gates[2 * H] + r * hidden);
    h = n + z * (before[u] - n);
    if (p.keep) {
      gates[0] = r, gates[H] = z, gates[2 * H] = n;
      ((T*)d.kept)[row * H + u] = hidden;
    }
  }
  if (s.projected) {
    ((T*)d.raw)[row * H + u] = h;
  } else {
    ((T*)p.y)[row * p.y_row + step.direction * s.out + u] = h;
    ((T*)d.h)[b * H + u] = h;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) project(RnnForward p, Step step) {
  const RnnShape& s = p.s;
  const RnnForward::Direction& d = p.d[step.direction];
  const int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x, b = i / s.out, u = i % s.out;
  if (b >= step.rows) return;
  const int64_t row = step.row + b * s.row_step;
  T h = dot((const T*)d.raw + row * s.hidden, (const T*)d.projection + u * s.hidden, s.hidden, 1);
  ((T*)p.y)[row * p.y_row + step.direction * s.out + u] = h;
  ((T*)d.h)[b * s.out + u] = h;
}

void forward(const RnnForward& p) {
  auto run = [&](auto type) {
    using T = typename decltype(type)::type;
    for (int d = 0; d < p.s.directions; ++d)
      for (int64_t i = 0; i < p.s.steps; ++i) {
        const Step step = step_of(p.s, d, i);
        WEFT_LAUNCH((forward_step<T>), (unsigned)divide_up(step.rows * p.s.hidden, kThreads), kThreads, 0, p, step);
        if (p.s.projected)
          WEFT_LAUNCH((project<T>), (unsigned)divide_up(step.rows * p.s.out, kThreads), kThreads, 0, p, step);
      }
  };
  p.s.dtype == DType::Float64 ? run(Type<double>{}) : run(Type<float>{});
}

// What reaches h from the output and from the step after.
template <class T>
WEFT_DEVICE T gradient_of_h(const RnnBackward& p, const Step& step, int64_t b, int64_t u) {
  const RnnShape& s = p.s;
  const RnnBackward::Direction& d = p.d[step.direction];
  const bool gru = s.mode == RnnMode::Gru, fresh = b >= step.coming_back;
  const int64_t row = step.row + b * s.row_step, G = rnn_gates(s.mode) * s.hidden;
  T dh = p.dy ? ((const T*)p.dy)[row * p.y_row + step.direction * s.out + u] : (T)0;
  if (fresh || gru) dh += ((const T*)d.dh)[b * s.out + u];
  if (!fresh)
    dh += dot((const T*)(gru ? d.dhidden : d.dgates) + (step.row_after + b * s.row_step) * G, (const T*)d.weight + u, G,
              s.out);
  return dh;
}

// The state before the step: h, which is kept for the gradient of the weights.
template <class T>
WEFT_DEVICE T state_before(const RnnBackward& p, const Step& step, int64_t b, int64_t u) {
  const RnnBackward::Direction& d = p.d[step.direction];
  const int64_t before = step.row_before + b * p.s.row_step;
  T h = b < step.going_on ? ((const T*)p.y)[before * p.y_row + step.direction * p.s.out + u]
                          : ((const T*)d.h0)[b * p.s.out + u];
  ((T*)d.before)[(step.row + b * p.s.row_step) * p.s.out + u] = h;
  return h;
}

template <class T>
__global__ void __launch_bounds__(kThreads) backward_projection(RnnBackward p, Step step) {
  const int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x, b = i / p.s.out, u = i % p.s.out;
  if (b >= step.rows) return;
  state_before<T>(p, step, b, u);
  T* dout = (T*)p.d[step.direction].dout + (step.row + b * p.s.row_step) * p.s.out;
  dout[u] = gradient_of_h<T>(p, step, b, u);
}

template <class T>
__global__ void __launch_bounds__(kThreads) backward_step(RnnBackward p, Step step) {
  const RnnShape& s = p.s;
  const RnnBackward::Direction& d = p.d[step.direction];
  const int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x, H = s.hidden, b = i / H, u = i % H;
  if (b >= step.rows) return;
  const int64_t row = step.row + b * s.row_step, at = row * rnn_gates(s.mode) * H + u;
  const T before = s.projected ? (T)0 : state_before<T>(p, step, b, u);
  const T dh = s.projected ? dot((const T*)d.dout + row * s.out, (const T*)d.projection + u, s.out, H)
                           : gradient_of_h<T>(p, step, b, u);
  T* give = (T*)d.dgates + at;
  const T* gates = (const T*)d.gates + at;
  if (s.mode <= RnnMode::Relu) {
    T h = ((const T*)p.y)[row * p.y_row + step.direction * s.out + u];
    give[0] = s.mode == RnnMode::Tanh ? dh * (1 - h * h) : h > 0 ? dh : (T)0;
  } else if (s.mode == RnnMode::Lstm) {
    T in = gates[0], f = gates[H], g = gates[2 * H], o = gates[3 * H], t = tanh(((const T*)d.kept)[row * H + u]);
    T c = b < step.going_on ? ((const T*)d.kept)[(step.row_before + b * s.row_step) * H + u]
                            : ((const T*)d.c0)[b * H + u];
    T *carry = (T*)d.dc + b * H + u, dc = *carry + dh * o * (1 - t * t);
    *carry = dc * f;
    give[0] = dc * g * in * (1 - in);
    give[H] = dc * c * f * (1 - f);
    give[2 * H] = dc * in * (1 - g * g);
    give[3 * H] = dh * t * o * (1 - o);
  } else {
    T r = gates[0], z = gates[H], n = gates[2 * H], hidden = ((const T*)d.kept)[row * H + u];
    T dn = dh * (1 - z) * (1 - n * n), dz = dh * (before - n) * z * (1 - z), dr = dn * hidden * r * (1 - r);
    ((T*)d.dh)[b * H + u] = dh * z;
    T* to = (T*)d.dhidden + at;
    give[0] = to[0] = dr;
    give[H] = to[H] = dz;
    give[2 * H] = dn;
    to[2 * H] = dn * r;
  }
}

// The gradients of h0 of sequences [b0, b1), whose first step is the one given.
template <class T>
__global__ void __launch_bounds__(kThreads) finish(RnnBackward p, Step step, int64_t b0, int64_t b1) {
  const RnnShape& s = p.s;
  const RnnBackward::Direction& d = p.d[step.direction];
  const int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x, b = b0 + i / s.out, u = i % s.out;
  if (b >= b1) return;
  const bool gru = s.mode == RnnMode::Gru;
  const int64_t G = rnn_gates(s.mode) * s.hidden;
  T* dh = (T*)d.dh + b * s.out + u;
  T v = dot((const T*)(gru ? d.dhidden : d.dgates) + (step.row + b * s.row_step) * G, (const T*)d.weight + u, G, s.out);
  *dh = gru ? *dh + v : v;
}

void backward(const RnnBackward& p) {
  auto run = [&](auto type) {
    using T = typename decltype(type)::type;
    for (int d = 0; d < p.s.directions; ++d) {
      for (int64_t i = p.s.steps - 1; i >= 0; --i) {
        const Step step = step_of(p.s, d, i);
        if (p.s.projected)
          WEFT_LAUNCH((backward_projection<T>), (unsigned)divide_up(step.rows * p.s.out, kThreads), kThreads, 0, p,
                      step);
        WEFT_LAUNCH((backward_step<T>), (unsigned)divide_up(step.rows * p.s.hidden, kThreads), kThreads, 0, p, step);
      }
      for (int64_t i = 0; p.first && i < p.s.steps; ++i) {
        const Step step = step_of(p.s, d, i);
        const int64_t begun = step.going_on, all = step.rows;
        if (all > begun)
          WEFT_LAUNCH((finish<T>), (unsigned)divide_up((all - begun) * p.s.out, kThreads), kThreads, 0, p, step, begun,
                      all);
      }
    }
  };
  p.s.dtype == DType::Float64 ? run(Type<double>{}) : run(Type<float>{});
}

}  // namespace

void fill(RnnKernels& k) {
  k.forward = forward;
  k.backward = backward;
}

}  // namespace weft::cuda
