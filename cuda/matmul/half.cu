// Matrix product of float16 and bfloat16 on the tensor cores, through the 16x16x16 warp products that every GPU from
// sm_80 on has. Slices of A and B arrive in shared memory by asynchronous copies, two in flight.
#include "matmul/common.cuh"

#if defined(WEFT_EMULATION)
#include "emulation/wmma.h"
#else
#include <cuda_pipeline_primitives.h>
#include <mma.h>
#endif

namespace weft::cuda {
namespace {

namespace wmma = nvcuda::wmma;

#if defined(WEFT_EMULATION)
template <class T>
using Native = T;
#else
template <class T>
using Native = std::conditional_t<std::is_same_v<T, float16>, __half, __nv_bfloat16>;
#endif

constexpr int kK = 32;        // of a slice
constexpr int kPad = 8;       // elements: keeps rows 16-byte aligned and spreads them over the banks
constexpr int kStaging = 20;  // floats in a row of the epilogue's tile

// One operand's slice in shared memory, as it lies in global memory: `kAlongK`: [R][kK], else [kK][R].
template <class T, int R, bool kAlongK, int kThreads>
struct Slice {
  static constexpr int kStride = (kAlongK ? kK : R) + kPad;
  static constexpr int kSize = (kAlongK ? R : kK) * kStride;

  static WEFT_DEVICE T* at(T* tile, int row, int k) { return tile + (kAlongK ? row * kStride + k : k * kStride + row); }

  // Pieces of 16 bytes. Rows beyond the end repeat row 0 and are never stored; k beyond the end must be zero.
  static WEFT_DEVICE void copy(T* tile, const T* p, int64_t row, int64_t rows, int64_t stride, int64_t k,
                               int64_t k_end) {
    constexpr int kPieces = (kAlongK ? kK : R) / 8;
#pragma unroll 1
    for (int i = (int)threadIdx.x; i < R * kK / 8; i += kThreads) {
      int outer = i / kPieces, inner = i % kPieces * 8;
      int64_t r = row + (kAlongK ? outer : inner), kk = k + (kAlongK ? inner : outer);
      T* to = tile + outer * kStride + inner;
      if (r >= rows) r = 0;
      if (kk < k_end)
        __pipeline_memcpy_async(to, p + (kAlongK ? r * stride + kk : kk * stride + r), 16);
      else
        store<8>(to, Vec<T, 8>{});
    }
  }
  // Element by element, for any strides.
  static WEFT_DEVICE void gather(T* tile, const T* p, int64_t row, int64_t rows, int64_t row_stride, int64_t k,
                                 int64_t k_end, int64_t k_stride) {
#pragma unroll 4
    for (int i = (int)threadIdx.x; i < R * kK; i += kThreads) {
      int64_t r = row + i / kK, kk = k + i % kK;
      *at(tile, i / kK, i % kK) = r < rows && kk < k_end ? p[r * row_stride + kk * k_stride] : T{0};
    }
  }
};

// Warps lie side by side over the tile, each computing FM x FN products of 16 x 16.
template <class T, int BM, int BN, int FM, int FN, bool kARows, bool kBRows, bool kCopies>
__global__ void __launch_bounds__(BM / (16 * FM) * (BN / (16 * FN)) * 32, BM == 64 ? 4 : 2) matmul_warps(MatmulArgs g) {
  constexpr int kWarpsN = BN / (16 * FN), kThreads = BM / (16 * FM) * kWarpsN * 32;
  using A = Slice<T, BM, kARows, kThreads>;
  using B = Slice<T, BN, !kBRows, kThreads>;
  WEFT_SHARED(T, as, [2][A::kSize]);
  WEFT_SHARED(T, bs, [2][B::kSize]);
  Tile tile = tile_of(blockIdx.x, (g.m + BM - 1) / BM, (g.n + BN - 1) / BN, BM, BN);
  int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
  int warp_m = warp / kWarpsN * FM * 16, warp_n = warp % kWarpsN * FN * 16;

  int64_t batches = 1;
  for (int d = 0; d < g.batch_dims; ++d) batches *= g.batch[d];
  for (int64_t item = blockIdx.z; item < batches; item += gridDim.z) {
    BatchOffsets o = batch_offsets(g, item);
    const T* a = static_cast<const T*>(g.a) + o.a;
    const T* b = static_cast<const T*>(g.b) + o.b;
    auto stage = [&](int buffer, int64_t k) {
      if constexpr (kCopies) {
        A::copy(as[buffer], a, tile.m, g.m, kARows ? g.a_row : g.a_col, k, g.k);
        B::copy(bs[buffer], b, tile.n, g.n, kBRows ? g.b_row : g.b_col, k, g.k);
      } else {
        A::gather(as[buffer], a, tile.m, g.m, g.a_row, k, g.k, g.a_col);
        B::gather(bs[buffer], b, tile.n, g.n, g.b_col, k, g.k, g.b_row);
      }
      __pipeline_commit();
    };

    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums[FM][FN];
#pragma unroll
    for (int i = 0; i < FM; ++i)
#pragma unroll
      for (int j = 0; j < FN; ++j) wmma::fill_fragment(sums[i][j], 0.0f);

    if (g.k > 0) stage(0, 0);
    int now = 0;
    for (int64_t k = 0; k < g.k; k += kK, now ^= 1) {
      if (k + kK < g.k) {
        stage(now ^ 1, k + kK);
        __pipeline_wait_prior(1);
      } else {
        __pipeline_wait_prior(0);
      }
      __syncthreads();
#pragma unroll
      for (int kk = 0; kk < kK; kk += 16) {
        using LayoutA = std::conditional_t<kARows, wmma::row_major, wmma::col_major>;
        using LayoutB = std::conditional_t<kBRows, wmma::row_major, wmma::col_major>;
        wmma::fragment<wmma::matrix_a, 16, 16, 16, Native<T>, LayoutA> fa[FM];
#pragma unroll
        for (int i = 0; i < FM; ++i)
          wmma::load_matrix_sync(fa[i], reinterpret_cast<Native<T>*>(A::at(as[now], warp_m + i * 16, kk)), A::kStride);
#pragma unroll
        for (int j = 0; j < FN; ++j) {
          wmma::fragment<wmma::matrix_b, 16, 16, 16, Native<T>, LayoutB> fb;
          wmma::load_matrix_sync(fb, reinterpret_cast<Native<T>*>(B::at(bs[now], warp_n + j * 16, kk)), B::kStride);
#pragma unroll
          for (int i = 0; i < FM; ++i) wmma::mma_sync(sums[i][j], fa[i], fb, sums[i][j]);
        }
      }
      __syncthreads();  // before the next copy overwrites what was just read
    }

    // Which lane holds which element is unspecified: through shared memory, one 16 x 16 product at a time.
    float* staging = reinterpret_cast<float*>(as) + warp * 16 * kStaging;
#pragma unroll
    for (int i = 0; i < FM; ++i)
#pragma unroll
      for (int j = 0; j < FN; ++j) {
        wmma::store_matrix_sync(staging, sums[i][j], kStaging, wmma::mem_row_major);
        __syncwarp();
        int64_t m = tile.m + warp_m + i * 16 + lane / 2, n = tile.n + warp_n + j * 16 + lane % 2 * 8;
        if (m < g.m)
          for (int e = 0; e < 8; ++e)
            if (n + e < g.n) finish<T>(g, o.c, m, n + e, staging[lane / 2 * kStaging + lane % 2 * 8 + e]);
        __syncwarp();
      }
    __syncthreads();
  }
}

template <class T, bool kARows, bool kBRows, bool kCopies>
void launch_tiles(const MatmulArgs& g) {
  if (divide_up(g.m, 128) * divide_up(g.n, 128) * batch_count(g) >= multiprocessors())
    WEFT_LAUNCH((matmul_warps<T, 128, 128, 2, 4, kARows, kBRows, kCopies>), tile_grid(g, 128, 128), 256, 0, g);
  else
    WEFT_LAUNCH((matmul_warps<T, 64, 64, 2, 2, kARows, kBRows, kCopies>), tile_grid(g, 64, 64), 128, 0, g);
}

// Whether every piece of eight elements along the contiguous direction lies within the matrix and on 16 bytes.
bool pieces_fit(const void* p, int64_t extent, int64_t stride, const MatmulArgs& g, const int64_t* batch_stride) {
  bool fit = reinterpret_cast<uintptr_t>(p) % 16 == 0 && extent % 8 == 0 && stride % 8 == 0;
  for (int d = 0; d < g.batch_dims; ++d) fit = fit && batch_stride[d] % 8 == 0;
  return fit;
}

template <class T>
void matmul_half_as(const MatmulArgs& g) {
  bool a_rows = g.a_col == 1, b_rows = g.b_col == 1;
  bool copies = (a_rows || g.a_row == 1) && (b_rows || g.b_row == 1) &&
                pieces_fit(g.a, a_rows ? g.k : g.m, a_rows ? g.a_row : g.a_col, g, g.a_batch) &&
                pieces_fit(g.b, b_rows ? g.n : g.k, b_rows ? g.b_row : g.b_col, g, g.b_batch);
  if (!copies) return launch_tiles<T, true, true, false>(g);
  if (a_rows && b_rows) return launch_tiles<T, true, true, true>(g);
  if (a_rows) return launch_tiles<T, true, false, true>(g);
  if (b_rows) return launch_tiles<T, false, true, true>(g);
  launch_tiles<T, false, false, true>(g);
}

}  // namespace

void matmul_half(const MatmulArgs& g) {
  if (g.dtype == DType::Float16)
    matmul_half_as<float16>(g);
  else
    matmul_half_as<bfloat16>(g);
}

}  // namespace weft::cuda
