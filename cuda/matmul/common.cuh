// What the matrix kernels share: the batch item of a block, the order of tiles, the epilogue.
#pragma once

#include "kernels/matmul.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {

struct BatchOffsets {
  int64_t a, b, c;
};
WEFT_DEVICE BatchOffsets batch_offsets(const MatmulArgs& g, int64_t item) {
  BatchOffsets o{0, 0, 0};
  for (int d = g.batch_dims - 1; d >= 0; --d) {
    int64_t i = item % g.batch[d];
    item /= g.batch[d];
    o.a += i * g.a_batch[d];
    o.b += i * g.b_batch[d];
    o.c += i * g.c_batch[d];
  }
  return o;
}
inline int64_t batch_count(const MatmulArgs& g) {
  int64_t n = 1;
  for (int d = 0; d < g.batch_dims; ++d) n *= g.batch[d];
  return n;
}

// Tiles are taken in groups of eight rows of tiles, column by column, so that blocks that run together share their
// operands in the L2 cache.
struct Tile {
  int64_t m, n;  // first row and column
};
WEFT_DEVICE Tile tile_of(int64_t index, int64_t m_tiles, int64_t n_tiles, int bm, int bn) {
  int64_t group = index / (8 * n_tiles), first = group * 8;
  int64_t height = m_tiles - first < 8 ? m_tiles - first : 8;
  int64_t inside = index - group * 8 * n_tiles;
  return {(first + inside % height) * bm, inside / height * bn};
}

template <class C>
WEFT_DEVICE C activate(Activation act, C x) {
  if constexpr (std::is_floating_point_v<C>) {
    switch (act) {
      case Activation::Relu: return math::Relu::value(x, Params{});
      case Activation::Gelu: return math::Gelu::value(x, Params{});
      case Activation::GeluTanh: return math::GeluTanh::value(x, Params{});
      case Activation::Silu: return math::Silu::value(x, Params{});
      default: break;
    }
  }
  return x;
}

// Writes one element of C from its sum. The rarer parts are a call, because this is unrolled over a thread's elements.
template <class T, class C>
__device__ __noinline__ void finish_general(T* c, T* pre, C beta, Activation act, C v) {
  if (beta != 0) v += beta * (C)widen(*c);
  if (pre) *pre = narrow<T>(v);
  *c = narrow<T>(activate(act, v));
}
template <class T, class C>
WEFT_DEVICE void finish(const MatmulArgs& g, int64_t c_offset, int64_t m, int64_t n, C sum) {
  int64_t at = c_offset + m * g.c_row + n * g.c_col;
  T *c = static_cast<T*>(g.c) + at, *pre = g.pre ? static_cast<T*>(g.pre) + at : nullptr;
  C v = (C)g.alpha * sum;
  if (g.bias) v += (C)widen(static_cast<const T*>(g.bias)[n]);
  if (g.beta != 0 || pre || g.act != Activation::None)
    finish_general<T>(c, pre, (C)g.beta, g.act, v);
  else
    *c = narrow<T>(v);
}

inline dim3 tile_grid(const MatmulArgs& g, int bm, int bn) {
  int64_t batches = batch_count(g);
  return dim3((unsigned)(divide_up(g.m, bm) * divide_up(g.n, bn)), 1, (unsigned)(batches < 65535 ? batches : 65535));
}

void matmul_half(const MatmulArgs& g);  // float16 and bfloat16 on the tensor cores

}  // namespace weft::cuda
