// One kernel per function computed in float32, for any dtypes, strides and constants. What is computed in float64 or
// int64 picks its function by number, in one kernel for each number of inputs: a compiler takes as long for each of
// hundreds of kernels, and the jump is cheap beside eight bytes of memory.
#pragma once

#include "math.cuh"

#include "strided.cuh"

namespace weft::cuda {

struct PointwiseJob {
  Pointwise a;
  PointwiseOp op;
  Walk walk;
  bool vectors[kPointwiseInputs], out_vectors;
};

// A function of its own kernel.
template <class F>
struct Alone {
  template <class V, class... In>
  WEFT_DEVICE static V value(PointwiseOp, const Params& p, In... in) {
    return F::template value<V>(in..., p);
  }
};

// F::value where the domain has that computation.
template <class F, Domain domain, class V, class... In>
WEFT_DEVICE V value_within(const Params& p, In... in) {
  if constexpr (domain == (std::is_same_v<V, int64_t> ? Domain::Real : Domain::Whole))
    return V{};
  else
    return F::template value<V>(in..., p);
}

template <class F, int N, class V>
WEFT_DEVICE V apply(const V (&in)[N][kGroup], int e, PointwiseOp op, const Params& p) {
  if constexpr (N == 1)
    return F::template value<V>(op, p, in[0][e]);
  else if constexpr (N == 2)
    return F::template value<V>(op, p, in[0][e], in[1][e]);
  else
    return F::template value<V>(op, p, in[0][e], in[1][e], in[2][e]);
}

template <class V>
WEFT_DEVICE void load_operand(const PointwiseOperand& x, bool vectors, int64_t at, int64_t stride, int count, V* out) {
  if (vectors && count == kGroup && load_group(x.data, x.dtype, at, out)) return;
#pragma unroll
  for (int e = 0; e < kGroup; ++e)
    if (e < count) out[e] = load_scalar<V>(x.data, x.dtype, at + e * stride);
}

constexpr int kPointwiseThreads = 256;

template <class F, int N, class V>
__global__ void __launch_bounds__(kPointwiseThreads) pointwise(const __grid_constant__ PointwiseJob job) {
  const Pointwise& a = job.a;
  int last = job.walk.outer;
  V in[N][kGroup];
#pragma unroll
  for (int k = 0; k < N; ++k)
#pragma unroll
    for (int e = 0; e < kGroup; ++e) in[k][e] = std::is_same_v<V, int64_t> ? (V)a.in[k].integer : (V)a.in[k].number;

  int64_t step = (int64_t)gridDim.x * kPointwiseThreads;
  for (int64_t g = (int64_t)blockIdx.x * kPointwiseThreads + threadIdx.x; g < job.walk.groups; g += step) {
    Group group = group_at(job.walk, g);
    int64_t out_at = a.ndim ? group.first * a.out_strides[last] : 0, at[N];
#pragma unroll
    for (int k = 0; k < N; ++k) at[k] = a.ndim && a.in[k].data ? group.first * a.in[k].strides[last] : 0;
    seek(job.walk, group.row, [&](int d, int64_t i) {
      out_at += i * a.out_strides[d];
#pragma unroll
      for (int k = 0; k < N; ++k)
        if (a.in[k].data) at[k] += i * a.in[k].strides[d];
    });
#pragma unroll
    for (int k = 0; k < N; ++k)
      if (a.in[k].data)
        load_operand(a.in[k], job.vectors[k], at[k], a.ndim ? a.in[k].strides[last] : 0, group.count, in[k]);
    V out[kGroup];
#pragma unroll
    for (int e = 0; e < kGroup; ++e) out[e] = apply<F, N, V>(in, e, job.op, a.params);
    if (job.out_vectors && group.count == kGroup && store_group(a.out, a.out_dtype, out_at, out)) continue;
#pragma unroll
    for (int e = 0; e < kGroup; ++e)
      if (e < group.count) store_scalar<V>(a.out, a.out_dtype, out_at + (a.ndim ? e * a.out_strides[last] : 0), out[e]);
  }
}

inline PointwiseJob pointwise_job(const Pointwise& a, PointwiseOp op) {
  PointwiseJob job{a, op, walk_over(a.ndim, a.shape), {}, false};
  auto vectors = [&](const void* p, DType t, const int64_t* strides) {
    return groups_are_vectors(p, size_of(t), a.ndim, a.shape, strides);
  };
  for (int k = 0; k < a.inputs; ++k) job.vectors[k] = vectors(a.in[k].data, a.in[k].dtype, a.in[k].strides);
  job.out_vectors = vectors(a.out, a.out_dtype, a.out_strides);
  return job;
}

template <class F, int N, class V>
void launch_pointwise(const Pointwise& a, PointwiseOp op = {}) {
  PointwiseJob job = pointwise_job(a, op);
  if (job.walk.groups > 0)
    WEFT_LAUNCH((pointwise<F, N, V>), grid_for(job.walk.groups, kPointwiseThreads), kPointwiseThreads, 0, job);
}

// Registers F, number `op` of the functions All, for the computations of its domain.
template <class F, class All, int N, Domain domain, PointwiseOp op>
void add(PointwiseKernels& k) {
  PointwiseKernel* entry = k.table[(int)op];
  if constexpr (domain != Domain::Whole) {
    entry[(int)weft::Compute::Float32] = [](const Pointwise& a) { launch_pointwise<Alone<F>, N, float>(a); };
    entry[(int)weft::Compute::Float64] = [](const Pointwise& a) { launch_pointwise<All, N, double>(a, op); };
  }
  if constexpr (domain != Domain::Real)
    entry[(int)weft::Compute::Int64] = [](const Pointwise& a) { launch_pointwise<All, N, int64_t>(a, op); };
}

// The functions of a list in a struct of this name, by number.
#define WEFT_POINTWISE_CASE(F, number, domain) \
  case PointwiseOp::number: return value_within<F, Domain::domain, V>(p, in...);
#define WEFT_POINTWISE_SET(name, cases)                                          \
  struct name {                                                                  \
    template <class V, class... In>                                              \
    static __noinline__ __device__ V value(PointwiseOp op, Params p, In... in) { \
      switch (op) { cases default : return V{}; }                                \
    }                                                                            \
  }

void fill_unary(PointwiseKernels& k);
void fill_grad(PointwiseKernels& k);
void fill_binary(PointwiseKernels& k);
void fill_ternary(PointwiseKernels& k);

}  // namespace weft::cuda
