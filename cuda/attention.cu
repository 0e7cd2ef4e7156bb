// Attention on the ordinary cores, by tiles of 32 queries and 32 keys. A warp owns eight rows of a tile of scores and a
// lane one column, so that a row's maximum and sum need no other warp. Results wider than a block's columns are shared
// out over grid.y, each recomputing the scores. Backward makes dk and dv in one kernel and dq in another, so that every
// sum has one owner and one order.
#include "kernels/attention.h"

#include "block.cuh"
#include "math.cuh"

#include "base/philox.h"

namespace weft::cuda {
namespace {

constexpr int kTile = 32, kRows = 8, kThreads = kTile / kRows * 32;
constexpr int kDepth = 32;  // of the sum in a product, read at a time
// Columns of a result per lane: as many as shared memory holds.
template <class T>
constexpr int kForward = 16 / (int)sizeof(T);
template <class T>
constexpr int kBackward = 8 / (int)sizeof(T);

template <class T>
using Square = T[kTile][kTile + 1];

// Up to kTile rows of a matrix.
template <class T>
struct Rows {
  const T* at;
  int64_t stride;
  int count;
};
// Which head and which of its tiles of rows a block has.
struct Place {
  int64_t head, begin;
};
WEFT_DEVICE Place place_of(int64_t rows) {
  int64_t tiles = (rows + kTile - 1) / kTile;
  return {blockIdx.x / tiles, blockIdx.x % tiles * kTile};
}
WEFT_DEVICE int rows_left(int64_t size, int64_t begin) { return (int)(size - begin < kTile ? size - begin : kTile); }

template <int Columns, int Pitch, class T>
WEFT_DEVICE void read(T (&to)[kTile][Pitch], Rows<T> from, int64_t begin, int64_t size) {
  for (int i = threadIdx.x; i < kTile * Columns; i += kThreads) {
    int row = i / Columns, column = i % Columns;
    bool inside = row < from.count && begin + column < size;
    to[row][column] = inside ? from.at[row * from.stride + begin + column] : T(0);
  }
}

// s[r] += row (8 warp + r) of a times row (lane) of b.
template <class T>
WEFT_DEVICE void multiply(T (&s)[kRows], Rows<T> a, Rows<T> b, int64_t depth, Square<T>& left, Square<T>& right) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  for (int64_t e0 = 0; e0 < depth; e0 += kDepth) {
    __syncthreads();
    read<kDepth>(left, a, e0, depth);
    read<kDepth>(right, b, e0, depth);
    __syncthreads();
#pragma unroll 8
    for (int e = 0; e < kDepth; ++e) {
      T y = right[lane][e];
#pragma unroll
      for (int r = 0; r < kRows; ++r) s[r] += left[warp * kRows + r][e] * y;
    }
  }
}

// sum[r][c] += row (8 warp + r) of the weights times column (begin + 32 c + lane) of b.
template <int K, class T>
WEFT_DEVICE void accumulate(T (&sum)[kRows][K], const Square<T>& weights, Rows<T> b, int64_t begin, int64_t size,
                            T (&columns)[kTile][32 * K]) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  __syncthreads();
  read<32 * K>(columns, b, begin, size);
  __syncthreads();
  for (int j = 0; j < kTile; ++j) {
    T y[K];
#pragma unroll
    for (int c = 0; c < K; ++c) y[c] = columns[j][c * 32 + lane];
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      T w = weights[warp * kRows + r][j];
#pragma unroll
      for (int c = 0; c < K; ++c) sum[r][c] += w * y[c];
    }
  }
}

// `to`: the tile's first row, rows `stride` apart.
template <int K, class T>
WEFT_DEVICE void write(T* to, int64_t stride, int64_t count, int64_t begin, int64_t size, const T (&sum)[kRows][K]) {
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
#pragma unroll
  for (int r = 0; r < kRows; ++r)
#pragma unroll
    for (int c = 0; c < K; ++c) {
      int64_t i = warp * kRows + r, column = begin + c * 32 + lane;
      if (i < count && column < size) to[i * stride + column] = sum[r][c];
    }
}

// Rows of one of `heads` heads of all batch items.
template <class T, class P>
WEFT_DEVICE T* head_rows(P* p, const AttentionStrides& at, int64_t head, int64_t heads) {
  return static_cast<T*>(p) + head / heads * at.batch + head % heads * at.head;
}

// One head of the inputs.
template <class T>
struct Head {
  const T *q, *k, *v;
  int64_t row;  // of the first query among all
};
template <class T, class Args>
WEFT_DEVICE Head<T> head_of(const Args& a, int64_t batch, int64_t h) {
  const AttentionShape& s = a.shape;
  int64_t kv = h / (s.heads / s.kv_heads);
  return {static_cast<const T*>(a.q) + batch * s.q.batch + h * s.q.head,
          static_cast<const T*>(a.k) + batch * s.k.batch + kv * s.k.head,
          static_cast<const T*>(a.v) + batch * s.v.batch + kv * s.v.head, (batch * s.heads + h) * s.queries};
}

// The score in units of log2, or -inf where query i may not see key j.
template <class T>
WEFT_DEVICE T masked(const AttentionShape& s, const void* mask, int64_t batch, int64_t h, int64_t i, int64_t j,
                     T product) {
  constexpr double kLog2E = 1.4426950408889634074;
  T score = product * (T)(s.scale * kLog2E);
  if (i >= s.queries || j >= s.keys || (s.causal && j > i)) return -INFINITY;
  if (!mask) return score;
  int64_t at = batch * s.mask_batch + h * s.mask_head + i * s.mask_row + j * s.mask_col;
  if (s.mask_is_bool) return static_cast<const uint8_t*>(mask)[at] ? score : (T)-INFINITY;
  return score + static_cast<const T*>(mask)[at] * (T)kLog2E;
}

template <class T>
WEFT_DEVICE T factor(const AttentionShape& s, int64_t row, int64_t j) {
  if (!s.dropout || j >= s.keys) return 1;
  uint64_t block = (uint64_t)row * (uint64_t)((s.keys + 3) / 4) + (uint64_t)j / 4;
  return philox(seed_of(s.stream), offset_of(s.stream), block).v[j % 4] < s.drop_below ? T(0) : (T)s.keep_scale;
}

template <class T>
__global__ void __launch_bounds__(kThreads) attention_forward(AttentionForward a) {
  constexpr int K = kForward<T>;
  WEFT_SHARED(T, left, [kTile][kTile + 1]);
  WEFT_SHARED(T, right, [kTile][kTile + 1]);
  WEFT_SHARED(T, weights, [kTile][kTile + 1]);
  WEFT_SHARED(T, columns, [kTile][32 * K]);
  const AttentionShape& s = a.shape;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  Place place = place_of(s.queries);
  int64_t batch = place.head / s.heads, h = place.head % s.heads, begin = (int64_t)blockIdx.y * 32 * K;
  int64_t i0 = place.begin, i = i0 + warp * kRows;
  Head<T> head = head_of<T>(a, batch, h);
  Rows<T> q{head.q + i0 * s.q.row, s.q.row, rows_left(s.queries, i0)};
  int64_t visible = s.causal && i0 + kTile < s.keys ? i0 + kTile : s.keys;

  T out[kRows][K] = {}, top[kRows], total[kRows] = {};
#pragma unroll
  for (int r = 0; r < kRows; ++r) top[r] = -INFINITY;
  for (int64_t j0 = 0; j0 < visible; j0 += kTile) {
    int count = rows_left(s.keys, j0);
    T p[kRows] = {};
    multiply(p, q, Rows<T>{head.k + j0 * s.k.row, s.k.row, count}, s.dim, left, right);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      T score = masked(s, a.mask, batch, h, i + r, j0 + lane, p[r]);
      T now = Larger{}(top[r], warp_reduce(score, Larger{}));
      T shift = now == (T)-INFINITY ? T(0) : now;
      T correction = math::vexp2(top[r] - shift);
      p[r] = math::vexp2(score - shift);
      total[r] = total[r] * correction + warp_sum(p[r]);
      top[r] = now;
#pragma unroll
      for (int c = 0; c < K; ++c) out[r][c] *= correction;
      weights[warp * kRows + r][lane] = p[r] * factor<T>(s, head.row + i + r, j0 + lane);
    }
    accumulate<K>(out, weights, Rows<T>{head.v + j0 * s.v.row, s.v.row, count}, begin, s.v_dim, columns);
  }
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    T scale = total[r] == 0 ? T(0) : 1 / total[r];
#pragma unroll
    for (int c = 0; c < K; ++c) out[r][c] *= scale;
    if (blockIdx.y == 0 && lane == 0 && i + r < s.queries)
      static_cast<T*>(a.lse)[head.row + i + r] = total[r] == 0 ? (T)INFINITY : top[r] + math::vlog2(total[r]);
  }
  write(head_rows<T>(a.out, s.out, place.head, s.heads) + i0 * s.out.row, s.out.row, q.count, begin, s.v_dim, out);
}

// delta[row] = sum of dout * out: what the derivative of softmax subtracts.
template <class T>
__global__ void __launch_bounds__(kThreads) attention_delta(AttentionBackward a, int64_t rows) {
  int64_t row = (int64_t)blockIdx.x * (kThreads / 32) + threadIdx.x / 32, n = a.shape.v_dim;
  if (row >= rows) return;
  int64_t head = row / a.shape.queries, i = row % a.shape.queries;
  const T* dout = head_rows<const T>(a.dout, a.dout_at, head, a.shape.heads) + i * a.dout_at.row;
  const T* out = head_rows<const T>(a.out, a.shape.out, head, a.shape.heads) + i * a.shape.out.row;
  T sum = 0;
  for (int64_t e = threadIdx.x % 32; e < n; e += 32) sum += dout[e] * out[e];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) static_cast<T*>(a.workspace)[row] = sum;
}

// Of one score: the probability after dropout, and the gradient of the product q k.
template <class T>
struct Gradient {
  T p, ds;
};
template <class T>
WEFT_DEVICE Gradient<T> gradient(const AttentionBackward& a, int64_t batch, int64_t h, int64_t row0, int64_t i,
                                 int64_t j, T product, T dp) {
  const AttentionShape& s = a.shape;
  if (i >= s.queries) return {0, 0};
  int64_t row = row0 + i;
  T p = math::vexp2(masked(s, a.mask, batch, h, i, j, product) - static_cast<const T*>(a.lse)[row]);
  if (p == 0) return {0, 0};  // where nothing is attended to, dp may be anything
  T f = factor<T>(s, row, j);
  return {p * f, p * (dp * f - static_cast<const T*>(a.workspace)[row]) * (T)s.scale};
}

template <class T>
__global__ void __launch_bounds__(kThreads) attention_backward_keys(AttentionBackward a) {
  constexpr int K = kBackward<T>;
  WEFT_SHARED(T, left, [kTile][kTile + 1]);
  WEFT_SHARED(T, right, [kTile][kTile + 1]);
  WEFT_SHARED(T, weights, [kTile][kTile + 1]);
  WEFT_SHARED(T, dweights, [kTile][kTile + 1]);
  WEFT_SHARED(T, columns, [kTile][32 * K]);
  const AttentionShape& s = a.shape;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  Place place = place_of(s.keys);
  int64_t batch = place.head / s.kv_heads, kv = place.head % s.kv_heads, group = s.heads / s.kv_heads;
  int64_t j0 = place.begin, begin = (int64_t)blockIdx.y * 32 * K;
  int count = rows_left(s.keys, j0);

  T dk[kRows][K] = {}, dv[kRows][K] = {};
  for (int64_t h = kv * group; h < (kv + 1) * group; ++h) {
    Head<T> head = head_of<T>(a, batch, h);
    for (int64_t i0 = s.causal ? j0 : 0; i0 < s.queries; i0 += kTile) {
      Rows<T> q{head.q + i0 * s.q.row, s.q.row, rows_left(s.queries, i0)};
      Rows<T> dout{head_rows<const T>(a.dout, a.dout_at, batch * s.heads + h, s.heads) + i0 * a.dout_at.row,
                   a.dout_at.row, q.count};
      T product[kRows] = {}, dp[kRows] = {};
      multiply(product, Rows<T>{head.k + j0 * s.k.row, s.k.row, count}, q, s.dim, left, right);
      multiply(dp, Rows<T>{head.v + j0 * s.v.row, s.v.row, count}, dout, s.v_dim, left, right);
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        int64_t j = j0 + warp * kRows + r;
        Gradient<T> g = gradient(a, batch, h, head.row, i0 + lane, j, product[r], dp[r]);
        weights[warp * kRows + r][lane] = g.p;
        dweights[warp * kRows + r][lane] = g.ds;
      }
      accumulate<K>(dv, weights, dout, begin, s.v_dim, columns);
      accumulate<K>(dk, dweights, q, begin, s.dim, columns);
    }
  }
  write(head_rows<T>(a.dk, a.dk_at, place.head, s.kv_heads) + j0 * a.dk_at.row, a.dk_at.row, count, begin, s.dim, dk);
  write(head_rows<T>(a.dv, a.dv_at, place.head, s.kv_heads) + j0 * a.dv_at.row, a.dv_at.row, count, begin, s.v_dim, dv);
}

template <class T>
__global__ void __launch_bounds__(kThreads) attention_backward_queries(AttentionBackward a) {
  constexpr int K = kForward<T>;
  WEFT_SHARED(T, left, [kTile][kTile + 1]);
  WEFT_SHARED(T, right, [kTile][kTile + 1]);
  WEFT_SHARED(T, dweights, [kTile][kTile + 1]);
  WEFT_SHARED(T, columns, [kTile][32 * K]);
  const AttentionShape& s = a.shape;
  int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  Place place = place_of(s.queries);
  int64_t batch = place.head / s.heads, h = place.head % s.heads, begin = (int64_t)blockIdx.y * 32 * K,
          i0 = place.begin;
  Head<T> head = head_of<T>(a, batch, h);
  Rows<T> q{head.q + i0 * s.q.row, s.q.row, rows_left(s.queries, i0)};
  Rows<T> dout{head_rows<const T>(a.dout, a.dout_at, place.head, s.heads) + i0 * a.dout_at.row, a.dout_at.row, q.count};
  int64_t visible = s.causal && i0 + kTile < s.keys ? i0 + kTile : s.keys;

  T dq[kRows][K] = {};
  for (int64_t j0 = 0; j0 < visible; j0 += kTile) {
    Rows<T> k{head.k + j0 * s.k.row, s.k.row, rows_left(s.keys, j0)};
    T product[kRows] = {}, dp[kRows] = {};
    multiply(product, q, k, s.dim, left, right);
    multiply(dp, dout, Rows<T>{head.v + j0 * s.v.row, s.v.row, k.count}, s.v_dim, left, right);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      int64_t i = i0 + warp * kRows + r;
      dweights[warp * kRows + r][lane] = gradient(a, batch, h, head.row, i, j0 + lane, product[r], dp[r]).ds;
    }
    accumulate<K>(dq, dweights, k, begin, s.dim, columns);
  }
  write(head_rows<T>(a.dq, a.dq_at, place.head, s.heads) + i0 * a.dq_at.row, a.dq_at.row, q.count, begin, s.dim, dq);
}

template <class T>
__global__ void __launch_bounds__(256) attention_factors(AttentionFactors a, int64_t n) {
  for (int64_t i = (int64_t)blockIdx.x * 256 + threadIdx.x; i < n; i += (int64_t)gridDim.x * 256)
    static_cast<T*>(a.y)[i] = factor<T>(a.shape, i / a.shape.keys, i % a.shape.keys);
}

dim3 grid_of(int64_t rows, int64_t heads, int64_t columns, int per_block) {
  return dim3((unsigned)(divide_up(rows, kTile) * heads), (unsigned)divide_up(columns, per_block));
}

template <class T>
void forward(const AttentionForward& a) {
  const AttentionShape& s = a.shape;
  WEFT_LAUNCH((attention_forward<T>), grid_of(s.queries, s.batch * s.heads, s.v_dim, 32 * kForward<T>), kThreads, 0, a);
}
template <class T>
void backward(const AttentionBackward& a) {
  const AttentionShape& s = a.shape;
  int64_t rows = s.batch * s.heads * s.queries, wider = s.dim > s.v_dim ? s.dim : s.v_dim;
  WEFT_LAUNCH((attention_delta<T>), (unsigned)divide_up(rows, kThreads / 32), kThreads, 0, a, rows);
  WEFT_LAUNCH((attention_backward_keys<T>), grid_of(s.keys, s.batch * s.kv_heads, wider, 32 * kBackward<T>), kThreads,
              0, a);
  WEFT_LAUNCH((attention_backward_queries<T>), grid_of(s.queries, s.batch * s.heads, s.dim, 32 * kForward<T>), kThreads,
              0, a);
}
template <class T>
void factors(const AttentionFactors& a) {
  int64_t n = a.shape.batch * a.shape.heads * a.shape.queries * a.shape.keys;
  if (n > 0) WEFT_LAUNCH((attention_factors<T>), grid_for(n, 256), 256, 0, a, n);
}

#define WEFT_BY_DTYPE(name, Args) \
  void name##_any(const Args& a) { return a.shape.dtype == DType::Float32 ? name<float>(a) : name<double>(a); }
WEFT_BY_DTYPE(forward, AttentionForward)
WEFT_BY_DTYPE(backward, AttentionBackward)
WEFT_BY_DTYPE(factors, AttentionFactors)
#undef WEFT_BY_DTYPE

int64_t backward_workspace(const AttentionBackward& a) {
  return a.shape.batch * a.shape.heads * a.shape.queries * size_of(a.shape.dtype);
}

}  // namespace

void fill(AttentionKernels& k) {
  k.forward = forward_any;
  k.backward = backward_any;
  k.factors = factors_any;
  k.backward_workspace = backward_workspace;
}

}  // namespace weft::cuda
