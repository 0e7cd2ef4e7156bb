// Matrix product with multiply-adds in registers: float32, float64 and integers. A block computes a tile of C; slices
// of A and B pass through shared memory, the next one fetched into registers while the present one is used.
#include "kernels/matmul.h"

#include "matmul/common.cuh"

namespace weft::cuda {
namespace {

// A slice of one operand on its way into shared memory: `R` rows of A (or columns of B) by `K`. Neighbouring threads
// follow the direction in which memory is contiguous.
template <class T, int R, int K, int kThreads>
struct Slice {
  static_assert(kThreads % R == 0 && kThreads % K == 0);
  static constexpr int kEach = R * K / kThreads;
  const T* p;
  int64_t step, k_step;  // to this thread's next element; to the next slice
  int row, k, rows_left;
  bool along_k;
  T held[kEach];

  WEFT_DEVICE Slice(const T* matrix, int64_t first, int64_t rows, int64_t row_stride, int64_t k_stride, bool along_k)
      : along_k(along_k) {
    int i = (int)threadIdx.x;
    row = along_k ? i / K : i % R;
    k = along_k ? i % K : i / R;
    p = matrix + (first + row) * row_stride + k * k_stride;
    step = along_k ? kThreads / K * row_stride : kThreads / R * k_stride;
    k_step = K * k_stride;
    int64_t left = rows - first - row;
    rows_left = left < R ? (int)left : R;
  }
  WEFT_DEVICE void fetch(int64_t k_left) {
#pragma unroll
    for (int e = 0; e < kEach; ++e) {
      bool inside =
          along_k ? e * (kThreads / K) < rows_left && k < k_left : rows_left > 0 && k + e * (kThreads / R) < k_left;
      held[e] = inside ? p[e * step] : (T)0;
    }
    p += k_step;
  }
  WEFT_DEVICE void put(T (*tile)[R + 4]) const {
#pragma unroll
    for (int e = 0; e < kEach; ++e)
      if (along_k)
        tile[k][row + e * (kThreads / K)] = held[e];
      else
        tile[k + e * (kThreads / R)][row] = held[e];
  }
};

// Each thread computes TM x TN elements, in groups of four neighbours so that its reads from shared memory are vectors.
template <class T, int BM, int BN, int BK, int TM, int TN>
__global__ void __launch_bounds__(BM / TM * (BN / TN), 2) matmul_tiles(MatmulArgs g) {
  constexpr int kThreads = BM / TM * (BN / TN), kMGroups = TM / 4, kNGroups = TN / 4;
  WEFT_SHARED(T, as, [2][BK][BM + 4]);
  WEFT_SHARED(T, bs, [2][BK][BN + 4]);
  Tile tile = tile_of(blockIdx.x, (g.m + BM - 1) / BM, (g.n + BN - 1) / BN, BM, BN);
  int ty = (int)threadIdx.x / (BN / TN), tx = (int)threadIdx.x % (BN / TN);

  int64_t batches = 1;
  for (int d = 0; d < g.batch_dims; ++d) batches *= g.batch[d];
  for (int64_t item = blockIdx.z; item < batches; item += gridDim.z) {
    BatchOffsets o = batch_offsets(g, item);
    const T* a = static_cast<const T*>(g.a) + o.a;
    const T* b = static_cast<const T*>(g.b) + o.b;
    T sums[TM][TN] = {};

    Slice<T, BM, BK, kThreads> a_slice(a, tile.m, g.m, g.a_row, g.a_col, g.a_col == 1);
    Slice<T, BN, BK, kThreads> b_slice(b, tile.n, g.n, g.b_col, g.b_row, g.b_row == 1 && g.b_col != 1);
    a_slice.fetch(g.k);
    b_slice.fetch(g.k);
    __syncthreads();  // the previous item's slices have been used
    a_slice.put(as[0]);
    b_slice.put(bs[0]);
    __syncthreads();
    int now = 0;
    for (int64_t k = 0; k < g.k; k += BK, now ^= 1) {
      bool more = k + BK < g.k;
      if (more) {
        a_slice.fetch(g.k - k - BK);
        b_slice.fetch(g.k - k - BK);
      }
#pragma unroll
      for (int kk = 0; kk < BK; ++kk) {
        Vec<T, 4> av[kMGroups], bv[kNGroups];
#pragma unroll
        for (int i = 0; i < kMGroups; ++i) av[i] = load<4>(&as[now][kk][i * (BM / kMGroups) + ty * 4]);
#pragma unroll
        for (int j = 0; j < kNGroups; ++j) bv[j] = load<4>(&bs[now][kk][j * (BN / kNGroups) + tx * 4]);
#pragma unroll
        for (int i = 0; i < TM; ++i)
#pragma unroll
          for (int j = 0; j < TN; ++j) sums[i][j] += av[i / 4].v[i % 4] * bv[j / 4].v[j % 4];
      }
      if (more) {
        a_slice.put(as[now ^ 1]);
        b_slice.put(bs[now ^ 1]);
      }
      __syncthreads();
    }

#pragma unroll
    for (int i = 0; i < TM; ++i)
#pragma unroll
      for (int j = 0; j < TN; ++j) {
        int64_t m = tile.m + i / 4 * (BM / kMGroups) + ty * 4 + i % 4;
        int64_t n = tile.n + j / 4 * (BN / kNGroups) + tx * 4 + j % 4;
        if (m < g.m && n < g.n) finish<T>(g, o.c, m, n, sums[i][j]);
      }
  }
}

template <class T>
void matmul_small_tiles(const MatmulArgs& g) {
  WEFT_LAUNCH((matmul_tiles<T, 64, 64, 16, 4, 4>), tile_grid(g, 64, 64), 256, 0, g);
}

void matmul_float(const MatmulArgs& g) {
  // Big tiles need half the traffic, small ones fill the device sooner.
  if (divide_up(g.m, 128) * divide_up(g.n, 128) * batch_count(g) >= multiprocessors())
    WEFT_LAUNCH((matmul_tiles<float, 128, 128, 8, 8, 8>), tile_grid(g, 128, 128), 256, 0, g);
  else
    matmul_small_tiles<float>(g);
}

// One thread computes an element.
template <class A>
__global__ void __launch_bounds__(256) matmul_bytes(MatmulArgs g) {
  for (int64_t i = blockIdx.x * 256ll + threadIdx.x; i < g.m * g.n; i += gridDim.x * 256ll) {
    int64_t m = i / g.n, n = i % g.n;
    const A* a = static_cast<const A*>(g.a) + m * g.a_row;
    const int8_t* b = static_cast<const int8_t*>(g.b) + n * g.b_col;
    int32_t sum = 0;
    for (int64_t k = 0; k < g.k; ++k) sum += (int32_t)a[k * g.a_col] * b[k * g.b_row];
    static_cast<int32_t*>(g.c)[m * g.c_row + n * g.c_col] = sum;
  }
}

void matmul_forward(const MatmulArgs& g) {
  if (g.m == 0 || g.n == 0 || batch_count(g) == 0) return;
  const int64_t blocks = divide_up(g.m * g.n, 256), grid = blocks < 65535 ? blocks : 65535;
  if (g.bytes == ByteProduct::Signed) {
    WEFT_LAUNCH(matmul_bytes<int8_t>, dim3((unsigned)grid), 256, 0, g);
    return;
  }
  if (g.bytes == ByteProduct::Unsigned) {
    WEFT_LAUNCH(matmul_bytes<uint8_t>, dim3((unsigned)grid), 256, 0, g);
    return;
  }
  switch (g.dtype) {
    case DType::Float16:
    case DType::BFloat16: return matmul_half(g);
    case DType::Float32: return matmul_float(g);
    case DType::Float64: return matmul_small_tiles<double>(g);
    case DType::Int64: return matmul_small_tiles<int64_t>(g);
    case DType::Int32: return matmul_small_tiles<int32_t>(g);
    case DType::Int16: return matmul_small_tiles<int16_t>(g);
    case DType::Int8: return matmul_small_tiles<int8_t>(g);
    default: return matmul_small_tiles<uint8_t>(g);
  }
}

}  // namespace

void fill(MatmulKernels& k) {
  k.forward = matmul_forward;
  k.workspace = [](const MatmulArgs&) -> int64_t { return 0; };
}

}  // namespace weft::cuda
