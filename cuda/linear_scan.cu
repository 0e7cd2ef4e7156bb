// The recurrence, a thread for a sequence or, where there are few, for a chunk of one.
#include "kernels/linear_scan.h"

#include "device.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 128;

struct Chunks {
  int64_t count, length;
};

// One thread's walk over its chunk, from `h`; gives the last state and the product of the factors.
template <class T, class C>
WEFT_DEVICE void walk(const LinearScan& a, int64_t sequence, int64_t chunk, Chunks chunks, C* h, C* product) {
  int64_t o = sequence / a.inner, base = o * a.n * a.inner + (sequence - o * a.inner);
  const T *factors = static_cast<const T*>(a.a) + base, *b = static_cast<const T*>(a.b) + base;
  T* y = static_cast<T*>(a.y) + base;
  int64_t to = (chunk + 1) * chunks.length < a.n ? (chunk + 1) * chunks.length : a.n;
  for (int64_t step = chunk * chunks.length; step < to; ++step) {
    int64_t t = a.reverse ? a.n - 1 - step : step, before = a.reverse ? t + 1 : t - 1;
    C factor = !a.delayed ? (C)widen(factors[t * a.inner]) : step > 0 ? (C)widen(factors[before * a.inner]) : (C)0;
    *h = factor * *h + (C)widen(b[t * a.inner]);
    if (product)
      *product *= factor;
    else
      y[t * a.inner] = narrow<T>(*h);
  }
}

// Every chunk but the last, from 0: its last state and the product of its factors.
template <class T>
__global__ void __launch_bounds__(kThreads) scan_ends(LinearScan a, Chunks chunks) {
  using C = Wide<T>;
  int64_t all = a.outer * a.inner, i = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (i >= all * (chunks.count - 1)) return;
  C h = 0, product = 1;
  walk<T>(a, i % all, i / all, chunks, &h, &product);
  static_cast<C*>(a.workspace)[i] = h;
  static_cast<C*>(a.workspace)[chunks.count * all + i] = product;
}

template <class T>
__global__ void __launch_bounds__(kThreads) scan_all(LinearScan a, Chunks chunks) {
  using C = Wide<T>;
  int64_t all = a.outer * a.inner, i = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (i >= all * chunks.count) return;
  int64_t sequence = i % all, chunk = i / all;
  C h = a.initial ? (C)widen(static_cast<const T*>(a.initial)[sequence]) : (C)0;
  const C *states = static_cast<const C*>(a.workspace), *products = states + chunks.count * all;
  for (int64_t before = 0; before < chunk; ++before)
    h = products[before * all + sequence] * h + states[before * all + sequence];
  walk<T>(a, sequence, chunk, chunks, &h, (C*)nullptr);
}

void scan(const LinearScan& a) {
  int64_t count = linear_scan_chunks(a.outer, a.n, a.inner), all = a.outer * a.inner;
  Chunks chunks{count, divide_up(a.n, count)};
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (count > 1)
      WEFT_LAUNCH((scan_ends<T>), (unsigned)divide_up(all * (count - 1), kThreads), kThreads, 0, a, chunks);
    WEFT_LAUNCH((scan_all<T>), (unsigned)divide_up(all * count, kThreads), kThreads, 0, a, chunks);
  });
}

}  // namespace

void fill(LinearScanKernels& k) { k.scan = scan; }

}  // namespace weft::cuda
