// Random numbers: a thread takes one block of the stream, that is four elements of one word or two of two words.
#include "kernels/random.h"

#include "convert.cuh"
#include "math.cuh"

#include "base/philox.h"

namespace weft::cuda {
namespace {

constexpr double kTwoPi = 6.283185307179586477;

WEFT_DEVICE uint64_t word64(const Philox4& w, int k) { return (uint64_t)w.v[2 * k + 1] << 32 | w.v[2 * k]; }
WEFT_DEVICE double unit53(uint64_t w) { return (double)(int64_t)(w >> 11) * 0x1p-53; }

// floor(w * range / 2^64)
WEFT_DEVICE uint64_t scale64(uint64_t w, uint64_t range) {
  if (range == 0) return w;
#if defined(WEFT_EMULATION)
  return (uint64_t)((unsigned __int128)w * range >> 64);
#else
  return __umul64hi(w, range);
#endif
}

WEFT_DEVICE void uniform(const RandomFill& a, const Philox4& w, float (&v)[4]) {
  int bits = a.dtype == DType::Float32 ? 24 : a.dtype == DType::Float16 ? 11 : 8;
  float unit = 1.0f / (float)(1 << bits);
#pragma unroll
  for (int e = 0; e < 4; ++e) v[e] = (float)(int)(w.v[e] >> (32 - bits)) * unit * (float)(a.b - a.a) + (float)a.a;
}
WEFT_DEVICE void uniform(const RandomFill& a, const Philox4& w, double (&v)[2]) {
#pragma unroll
  for (int e = 0; e < 2; ++e) v[e] = unit53(word64(w, e)) * (a.b - a.a) + a.a;
}
WEFT_DEVICE void normal(const RandomFill& a, const Philox4& w, float (&v)[4]) {
#pragma unroll
  for (int e = 0; e < 4; e += 2) {  // u in (0, 1], of the top 31 bits
    float u = (float)(int)(w.v[e] >> 1) * 0x1p-31f + 0x1p-33f;
    float radius = math::vsqrt(-2.0f * math::vlog(u)) * (float)a.b, turn = (float)w.v[e + 1] * 0x1p-31f;
    v[e] = math::vcos((float)(kTwoPi / 2) * turn) * radius + (float)a.a;
    v[e + 1] = math::vsin((float)(kTwoPi / 2) * turn) * radius + (float)a.a;
  }
}
WEFT_DEVICE void normal(const RandomFill& a, const Philox4& w, double (&v)[2]) {
  double u = 1 - unit53(word64(w, 0)), angle = kTwoPi * unit53(word64(w, 1));
  double radius = math::vsqrt(-2 * math::vlog(u)) * a.b;
  v[0] = radius * math::vcos(angle) + a.a;
  v[1] = radius * math::vsin(angle) + a.a;
}

template <RandomKind kind, class V, int E>
__global__ void __launch_bounds__(256) random_numbers(RandomFill a) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  int64_t blocks = (a.n + E - 1) / E;
  for (int64_t b = (int64_t)blockIdx.x * 256 + threadIdx.x; b < blocks; b += (int64_t)gridDim.x * 256) {
    Philox4 w = philox(seed, offset, (uint64_t)b);
    V v[E];
    if constexpr (kind == RandomKind::Uniform) {
      uniform(a, w, v);
    } else if constexpr (kind == RandomKind::Normal) {
      normal(a, w, v);
    } else if constexpr (kind == RandomKind::Integer) {
      for (int e = 0; e < E; ++e) v[e] = (int64_t)((uint64_t)a.low + scale64(word64(w, e), a.range));
    } else {
      for (int e = 0; e < E; ++e)
        if (b * E + e < a.n)
          v[e] = (double)philox_uniform(w.v[e]) < (a.p ? load_one<double>(a.p, a.p_dtype, b * E + e) : a.a);
    }
#pragma unroll
    for (int e = 0; e < E; ++e)
      if (b * E + e < a.n) store_scalar<V>(a.y, a.dtype, b * E + e, v[e]);
  }
}

void fill_random(const RandomFill& a) {
  if (a.n == 0) return;
  bool wide = a.dtype == DType::Float64;
  int each = wide || a.kind == RandomKind::Integer ? 2 : 4;
  if (a.kind == RandomKind::Bernoulli) each = 4;
  unsigned grid = grid_for(divide_up(a.n, each), 256);
  switch (a.kind) {
    case RandomKind::Uniform:
      if (wide)
        WEFT_LAUNCH((random_numbers<RandomKind::Uniform, double, 2>), grid, 256, 0, a);
      else
        WEFT_LAUNCH((random_numbers<RandomKind::Uniform, float, 4>), grid, 256, 0, a);
      break;
    case RandomKind::Normal:
      if (wide)
        WEFT_LAUNCH((random_numbers<RandomKind::Normal, double, 2>), grid, 256, 0, a);
      else
        WEFT_LAUNCH((random_numbers<RandomKind::Normal, float, 4>), grid, 256, 0, a);
      break;
    case RandomKind::Integer: WEFT_LAUNCH((random_numbers<RandomKind::Integer, int64_t, 2>), grid, 256, 0, a); break;
    case RandomKind::Bernoulli: WEFT_LAUNCH((random_numbers<RandomKind::Bernoulli, int64_t, 4>), grid, 256, 0, a);
  }
}

}  // namespace

void fill(RandomKernels& k) { k.fill = fill_random; }

}  // namespace weft::cuda
