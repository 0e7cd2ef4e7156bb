// Layer normalisation. Rows of up to 32 numbers per lane stay in the registers of one warp; its backward then makes dx
// and the partial sums of dweight and dbias in one pass over dy and x. Longer rows take a block and are read again from
// the cache.
#include "kernels/layer_norm.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kWarps = 4;

template <class T>
WEFT_DEVICE const T* row_of(const void* p, int64_t row, int64_t cols) {
  return static_cast<const T*>(p) + row * cols;
}
template <class C>
WEFT_DEVICE C parameter(const void* p, int64_t c, C otherwise) {
  return p ? static_cast<const C*>(p)[c] : otherwise;
}

template <class T, int N, int K>
__global__ void __launch_bounds__(kWarps * 32) layer_norm_forward_warp(LayerNormForward a) {
  using C = Wide<T>;
  int64_t row = (int64_t)blockIdx.x * kWarps + threadIdx.x / 32;
  if (row >= a.rows) return;
  int lane = threadIdx.x % 32;
  const T* x = row_of<T>(a.x, row, a.cols);
  T* y = static_cast<T*>(a.y) + row * a.cols;

  C v[K][N] = {}, mean = 0, square = 0;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t c = (int64_t)(k * 32 + lane) * N;
    if (c >= a.cols) continue;
    Vec<T, N> in = load<N>(x + c);
#pragma unroll
    for (int i = 0; i < N; ++i) mean += v[k][i] = widen(in.v[i]);
  }
  mean = a.mean ? warp_sum(mean) / (C)a.cols : (C)0;
#pragma unroll
  for (int k = 0; k < K; ++k)
    if ((int64_t)(k * 32 + lane) * N < a.cols)
#pragma unroll
      for (int i = 0; i < N; ++i) square += (v[k][i] - mean) * (v[k][i] - mean);
  C rstd = 1 / math::vsqrt(warp_sum(square) / (C)a.cols + (C)a.eps);
  if (lane == 0) {
    if (a.mean) static_cast<C*>(a.mean)[row] = mean;
    static_cast<C*>(a.rstd)[row] = rstd;
  }
#pragma unroll
  for (int k = 0; k < K; ++k) {
    int64_t c = (int64_t)(k * 32 + lane) * N;
    if (c >= a.cols) continue;
    Vec<T, N> out;
#pragma unroll
    for (int i = 0; i < N; ++i)
      out.v[i] = narrow<T>((v[k][i] - mean) * rstd * parameter<C>(a.weight, c + i, 1) + parameter<C>(a.bias, c + i, 0));
    store(y + c, out);
  }
}

template <class T, int N>
__global__ void __launch_bounds__(1024) layer_norm_forward_block(LayerNormForward a) {
  using C = Wide<T>;
  int64_t row = blockIdx.x, step = (int64_t)blockDim.x * N, begin = (int64_t)threadIdx.x * N;
  const T* x = row_of<T>(a.x, row, a.cols);
  T* y = static_cast<T*>(a.y) + row * a.cols;

  C mean = 0, square = 0;
  for (int64_t c = begin; c < a.cols; c += step) {
    Vec<T, N> in = load<N>(x + c);
#pragma unroll
    for (int i = 0; i < N; ++i) mean += widen(in.v[i]);
  }
  mean = a.mean ? block_sum(mean) / (C)a.cols : (C)0;
  for (int64_t c = begin; c < a.cols; c += step) {
    Vec<T, N> in = load<N>(x + c);
#pragma unroll
    for (int i = 0; i < N; ++i) square += (widen(in.v[i]) - mean) * (widen(in.v[i]) - mean);
  }
  C rstd = 1 / math::vsqrt(block_sum(square) / (C)a.cols + (C)a.eps);
  if (threadIdx.x == 0) {
    if (a.mean) static_cast<C*>(a.mean)[row] = mean;
    static_cast<C*>(a.rstd)[row] = rstd;
  }
  for (int64_t c = begin; c < a.cols; c += step) {
    Vec<T, N> in = load<N>(x + c), out;
#pragma unroll
    for (int i = 0; i < N; ++i)
      out.v[i] =
          narrow<T>((widen(in.v[i]) - mean) * rstd * parameter<C>(a.weight, c + i, 1) + parameter<C>(a.bias, c + i, 0));
    store(y + c, out);
  }
}

// A block takes one piece of rows, each warp every fourth row of it.
template <class T, int N, int K>
__global__ void __launch_bounds__(kWarps * 32) layer_norm_backward_warp(LayerNormBackward a, int64_t rows_per_piece) {
  using C = Wide<T>;
  WEFT_DYNAMIC_SHARED(C, sums);  // dweight, dbias of this piece
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  int64_t first = blockIdx.x * rows_per_piece, end = first + rows_per_piece;
  if (end > a.rows) end = a.rows;

  C dw[K][N] = {}, db[K][N] = {}, w[K][N];
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int i = 0; i < N; ++i) {
      int64_t c = (int64_t)(k * 32 + lane) * N + i;
      w[k][i] = c < a.cols ? parameter<C>(a.weight, c, 1) : 0;
    }
  for (int64_t row = first + warp; row < end; row += kWarps) {
    const T *x = row_of<T>(a.x, row, a.cols), *dy = row_of<T>(a.dy, row, a.cols);
    C mean = parameter<C>(a.mean, row, 0), rstd = static_cast<const C*>(a.rstd)[row];
    C xhat[K][N] = {}, g[K][N] = {}, sum_g = 0, sum_gx = 0;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      int64_t c = (int64_t)(k * 32 + lane) * N;
      if (c >= a.cols) continue;
      Vec<T, N> vx = load<N>(x + c), vdy = load<N>(dy + c);
#pragma unroll
      for (int i = 0; i < N; ++i) {
        C d = widen(vdy.v[i]);
        xhat[k][i] = (widen(vx.v[i]) - mean) * rstd;
        g[k][i] = d * w[k][i];
        sum_g += g[k][i];
        sum_gx += g[k][i] * xhat[k][i];
        dw[k][i] += d * xhat[k][i];
        db[k][i] += d;
      }
    }
    if (!a.dx) continue;
    sum_g = a.mean ? warp_sum(sum_g) / (C)a.cols : (C)0;
    sum_gx = warp_sum(sum_gx) / (C)a.cols;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      int64_t c = (int64_t)(k * 32 + lane) * N;
      if (c >= a.cols) continue;
      Vec<T, N> out;
#pragma unroll
      for (int i = 0; i < N; ++i) out.v[i] = narrow<T>(rstd * (g[k][i] - sum_g - xhat[k][i] * sum_gx));
      store(static_cast<T*>(a.dx) + row * a.cols + c, out);
    }
  }
  if (!a.dweight) return;

  // The warps add theirs one after another.
  for (int turn = 0; turn < kWarps; ++turn) {
    if (warp == turn)
#pragma unroll
      for (int k = 0; k < K; ++k)
#pragma unroll
        for (int i = 0; i < N; ++i) {
          int64_t c = (int64_t)(k * 32 + lane) * N + i;
          if (c >= a.cols) continue;
          sums[c] = (turn ? sums[c] : 0) + dw[k][i];
          sums[a.cols + c] = (turn ? sums[a.cols + c] : 0) + db[k][i];
        }
    __syncthreads();
  }
  C* piece = static_cast<C*>(a.workspace) + blockIdx.x * 2 * a.cols;
  for (int64_t c = threadIdx.x; c < 2 * a.cols; c += kWarps * 32) piece[c] = sums[c];
}

template <class T, int N>
__global__ void __launch_bounds__(1024) layer_norm_backward_block(LayerNormBackward a) {
  using C = Wide<T>;
  int64_t row = blockIdx.x, step = (int64_t)blockDim.x * N, begin = (int64_t)threadIdx.x * N;
  const T *x = row_of<T>(a.x, row, a.cols), *dy = row_of<T>(a.dy, row, a.cols);
  C mean = parameter<C>(a.mean, row, 0), rstd = static_cast<const C*>(a.rstd)[row], sum_g = 0, sum_gx = 0;
  for (int64_t c = begin; c < a.cols; c += step) {
    Vec<T, N> vx = load<N>(x + c), vdy = load<N>(dy + c);
#pragma unroll
    for (int i = 0; i < N; ++i) {
      C g = widen(vdy.v[i]) * parameter<C>(a.weight, c + i, 1);
      sum_g += g;
      sum_gx += g * (widen(vx.v[i]) - mean) * rstd;
    }
  }
  sum_g = a.mean ? block_sum(sum_g) / (C)a.cols : (C)0;
  sum_gx = block_sum(sum_gx) / (C)a.cols;
  for (int64_t c = begin; c < a.cols; c += step) {
    Vec<T, N> vx = load<N>(x + c), vdy = load<N>(dy + c), out;
#pragma unroll
    for (int i = 0; i < N; ++i) {
      C g = widen(vdy.v[i]) * parameter<C>(a.weight, c + i, 1), xhat = (widen(vx.v[i]) - mean) * rstd;
      out.v[i] = narrow<T>(rstd * (g - sum_g - xhat * sum_gx));
    }
    store(static_cast<T*>(a.dx) + row * a.cols + c, out);
  }
}

// A thread per column of a piece.
template <class T>
__global__ void __launch_bounds__(256) layer_norm_parameters(LayerNormBackward a, int64_t rows_per_piece) {
  using C = Wide<T>;
  int64_t c = (int64_t)blockIdx.y * 256 + threadIdx.x, first = blockIdx.x * rows_per_piece;
  if (c >= a.cols) return;
  int64_t end = first + rows_per_piece < a.rows ? first + rows_per_piece : a.rows;
  C dw = 0, db = 0;
  for (int64_t row = first; row < end; ++row) {
    C d = widen(row_of<T>(a.dy, row, a.cols)[c]), x = widen(row_of<T>(a.x, row, a.cols)[c]);
    dw += d * (x - parameter<C>(a.mean, row, 0)) * static_cast<const C*>(a.rstd)[row];
    db += d;
  }
  C* piece = static_cast<C*>(a.workspace) + blockIdx.x * 2 * a.cols;
  piece[c] = dw;
  piece[a.cols + c] = db;
}

template <class C>
__global__ void __launch_bounds__(256) layer_norm_combine(LayerNormBackward a, int64_t pieces) {
  int64_t c = (int64_t)blockIdx.x * 256 + threadIdx.x;
  if (c >= 2 * a.cols) return;
  C sum = 0;
#pragma unroll 8
  for (int64_t p = 0; p < pieces; ++p) sum += static_cast<const C*>(a.workspace)[p * 2 * a.cols + c];
  if (c < a.cols)
    static_cast<C*>(a.dweight)[c] = sum;
  else
    static_cast<C*>(a.dbias)[c - a.cols] = sum;
}

template <class T, int N>
void forward_rows(const LayerNormForward& a) {
  int64_t vectors = divide_up(a.cols, N);
  unsigned blocks = (unsigned)divide_up(a.rows, kWarps);
  if (vectors <= 32)
    WEFT_LAUNCH((layer_norm_forward_warp<T, N, 1>), blocks, kWarps * 32, 0, a);
  else if (vectors <= 64)
    WEFT_LAUNCH((layer_norm_forward_warp<T, N, 2>), blocks, kWarps * 32, 0, a);
  else if (vectors <= 128)
    WEFT_LAUNCH((layer_norm_forward_warp<T, N, 4>), blocks, kWarps * 32, 0, a);
  else
    WEFT_LAUNCH((layer_norm_forward_block<T, N>), (unsigned)a.rows, threads_per_row(vectors), 0, a);
}

template <class T, int N>
void backward_rows(const LayerNormBackward& a) {
  using C = Wide<T>;
  int64_t vectors = divide_up(a.cols, N), per_piece = layer_norm_rows_per_piece(a.cols);
  unsigned pieces = (unsigned)layer_norm_pieces(a.rows, a.cols);
  size_t shared = a.dweight ? 2 * a.cols * sizeof(C) : 0;
  if (vectors <= 32) {
    WEFT_LAUNCH((layer_norm_backward_warp<T, N, 1>), pieces, kWarps * 32, shared, a, per_piece);
  } else if (vectors <= 64) {
    WEFT_LAUNCH((layer_norm_backward_warp<T, N, 2>), pieces, kWarps * 32, shared, a, per_piece);
  } else if (vectors <= 128) {
    WEFT_LAUNCH((layer_norm_backward_warp<T, N, 4>), pieces, kWarps * 32, shared, a, per_piece);
  } else {
    if (a.dx) WEFT_LAUNCH((layer_norm_backward_block<T, N>), (unsigned)a.rows, threads_per_row(vectors), 0, a);
    if (a.dweight)
      WEFT_LAUNCH((layer_norm_parameters<T>), dim3(pieces, (unsigned)divide_up(a.cols, 256)), 256, 0, a, per_piece);
  }
  if (a.dweight) WEFT_LAUNCH((layer_norm_combine<C>), (unsigned)divide_up(2 * a.cols, 256), 256, 0, a, (int64_t)pieces);
}

void layer_norm_forward(const LayerNormForward& a) {
  if (a.rows == 0 || a.cols == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (vectorizable<T>(a.cols, a.x, a.y))
      forward_rows<T, kVector<T>>(a);
    else
      forward_rows<T, 1>(a);
  });
}
void layer_norm_backward(const LayerNormBackward& a) {
  if (a.cols == 0) return;
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (a.rows == 0) {  // sums over no rows
      if (a.dweight)
        WEFT_LAUNCH((layer_norm_combine<Wide<T>>), (unsigned)divide_up(2 * a.cols, 256), 256, 0, a, (int64_t)0);
    } else if (vectorizable<T>(a.cols, a.dx, a.dy, a.x)) {
      backward_rows<T, kVector<T>>(a);
    } else {
      backward_rows<T, 1>(a);
    }
  });
}

}  // namespace

void fill(LayerNormKernels& k) {
  k.forward = layer_norm_forward;
  k.backward = layer_norm_backward;
}

}  // namespace weft::cuda
