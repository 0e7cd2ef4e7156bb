// Convolution as a matrix product whose operands are gathered on the way into shared memory: no im2col copy. A block
// computes a 64 x 64 tile of the result of one group. The three directions differ in what M, N and K are:
//   forward:          y[o, pixel of y]       = sum over (c, t, k, l)    weight[o, (c, t, k, l)] * x[…]
//   backward_input:   x[c, pixel of x]       = sum over (o, t, k, l)    weight[o, c, t, k, l] * y[…]
//   backward_weight:  weight[o, (c, t, k, l)] = sum over pixels of y     y[o, pixel] * x[…]
#include "kernels/conv.h"

#include "convert.cuh"
#include "strided.cuh"

namespace weft::cuda {
namespace {

constexpr int kTile = 64, kSlice = 16, kThreads = 256;
constexpr int64_t kBlocks = 512;  // a sum is split until there are about so many; a constant, so that bits do not
                                  // depend on the GPU

struct Tap {
  int64_t channel, t, k, l;
};
WEFT_DEVICE Tap tap_of(const ConvShape& s, int64_t i) {
  int64_t line = quotient(i, s.cols.kernel), plane = quotient(line, s.rows.kernel);
  int64_t channel = s.depths.kernel == 1 ? plane : quotient(plane, s.depths.kernel);
  return {channel, plane - channel * s.depths.kernel, line - plane * s.rows.kernel, i - line * s.cols.kernel};
}
struct Pixel {
  int64_t image, h, i, j;
};
WEFT_DEVICE Pixel pixel_of(int64_t p, int64_t depths, int64_t rows, int64_t cols) {
  int64_t line = quotient(p, cols), plane = quotient(line, rows), image = depths == 1 ? plane : quotient(plane, depths);
  return {image, plane - image * depths, line - plane * rows, p - line * cols};
}
WEFT_DEVICE Pixel output_of(const ConvShape& s, int64_t p) { return pixel_of(p, s.depths.out, s.rows.out, s.cols.out); }
WEFT_HD int64_t taps_in(const ConvShape& s) { return s.depths.kernel * s.rows.kernel * s.cols.kernel; }
WEFT_HD int64_t volume_in(const ConvShape& s) { return s.depths.in * s.rows.in * s.cols.in; }
WEFT_HD int64_t volume_out(const ConvShape& s) { return s.depths.out * s.rows.out * s.cols.out; }
// x where output (h, i, j) meets tap (t, k, l); 0 outside.
template <class T>
WEFT_DEVICE T x_at(const ConvArgs& a, int64_t group, Pixel p, Tap t) {
  const ConvShape& s = a.shape;
  int64_t h = p.h * s.depths.stride + t.t * s.depths.dilation - s.depths.pad;
  int64_t i = p.i * s.rows.stride + t.k * s.rows.dilation - s.rows.pad;
  int64_t j = p.j * s.cols.stride + t.l * s.cols.dilation - s.cols.pad;
  if (h < 0 || h >= s.depths.in || i < 0 || i >= s.rows.in || j < 0 || j >= s.cols.in) return 0;
  int64_t channel = (p.image * s.groups + group) * s.in_channels + t.channel;
  return static_cast<const T*>(a.x)[((channel * s.depths.in + h) * s.rows.in + i) * s.cols.in + j];
}
WEFT_DEVICE int64_t y_index(const ConvShape& s, int64_t group, int64_t channel, Pixel p) {
  int64_t at = (p.image * s.groups + group) * s.out_channels + channel;
  return ((at * s.depths.out + p.h) * s.rows.out + p.i) * s.cols.out + p.j;
}

template <class T>
struct Forward {
  static constexpr bool kBAlongK = false;
  static WEFT_HD int64_t m(const ConvShape& s) { return s.out_channels; }
  static WEFT_HD int64_t n(const ConvShape& s) { return s.images * volume_out(s); }
  static WEFT_HD int64_t k(const ConvShape& s) { return s.in_channels * taps_in(s); }
  static WEFT_DEVICE T a(const ConvArgs& g, int64_t group, int64_t m, int64_t kk) {
    return static_cast<const T*>(g.weight)[(group * g.shape.out_channels + m) * k(g.shape) + kk];
  }
  static WEFT_DEVICE T b(const ConvArgs& g, int64_t group, int64_t kk, int64_t n) {
    return x_at<T>(g, group, output_of(g.shape, n), tap_of(g.shape, kk));
  }
  static WEFT_DEVICE void put(const ConvArgs& g, int64_t group, int64_t m, int64_t n, T sum) {
    const ConvShape& s = g.shape;
    if (g.bias) sum += static_cast<const T*>(g.bias)[group * s.out_channels + m];
    static_cast<T*>(g.y)[y_index(s, group, m, output_of(s, n))] = g.relu && sum < 0 ? (T)0 : sum;
  }
};

template <class T>
struct BackwardInput {
  static constexpr bool kBAlongK = false;
  static WEFT_HD int64_t m(const ConvShape& s) { return s.in_channels; }
  static WEFT_HD int64_t n(const ConvShape& s) { return s.images * volume_in(s); }
  static WEFT_HD int64_t k(const ConvShape& s) { return s.out_channels * taps_in(s); }
  static WEFT_DEVICE T a(const ConvArgs& g, int64_t group, int64_t m, int64_t kk) {
    const ConvShape& s = g.shape;
    Tap t = tap_of(s, kk);  // its channel is one of y
    int64_t filter = (group * s.out_channels + t.channel) * s.in_channels + m;
    return static_cast<const T*>(
        g.weight)[((filter * s.depths.kernel + t.t) * s.rows.kernel + t.k) * s.cols.kernel + t.l];
  }
  static WEFT_DEVICE T b(const ConvArgs& g, int64_t group, int64_t kk, int64_t n) {
    const ConvShape& s = g.shape;
    Tap t = tap_of(s, kk);
    Pixel p = pixel_of(n, s.depths.in, s.rows.in, s.cols.in);
    int64_t h = p.h + s.depths.pad - t.t * s.depths.dilation;
    int64_t i = p.i + s.rows.pad - t.k * s.rows.dilation, j = p.j + s.cols.pad - t.l * s.cols.dilation;
    if (h < 0 || i < 0 || j < 0) return 0;
    Pixel q{p.image, quotient(h, s.depths.stride), quotient(i, s.rows.stride), quotient(j, s.cols.stride)};
    if (q.h * s.depths.stride != h || q.i * s.rows.stride != i || q.j * s.cols.stride != j) return 0;
    if (q.h >= s.depths.out || q.i >= s.rows.out || q.j >= s.cols.out) return 0;
    return static_cast<const T*>(g.y)[y_index(s, group, t.channel, q)];
  }
  static WEFT_DEVICE void put(const ConvArgs& g, int64_t group, int64_t m, int64_t n, T sum) {
    const ConvShape& s = g.shape;
    int64_t channel = group * s.in_channels + m, volume = volume_in(s), image = quotient(n, volume);
    if (g.bias) sum += static_cast<const T*>(g.bias)[channel];
    static_cast<T*>(g.x)[(image * s.groups * s.in_channels + channel) * volume + n - image * volume] = sum;
  }
};

template <class T>
struct BackwardWeight {
  static constexpr bool kBAlongK = true;
  static WEFT_HD int64_t m(const ConvShape& s) { return s.out_channels; }
  static WEFT_HD int64_t n(const ConvShape& s) { return s.in_channels * taps_in(s); }
  static WEFT_HD int64_t k(const ConvShape& s) { return s.images * volume_out(s); }
  static WEFT_DEVICE T a(const ConvArgs& g, int64_t group, int64_t m, int64_t kk) {
    const ConvShape& s = g.shape;
    return static_cast<const T*>(g.y)[y_index(s, group, m, output_of(s, kk))];
  }
  static WEFT_DEVICE T b(const ConvArgs& g, int64_t group, int64_t kk, int64_t n) {
    return x_at<T>(g, group, output_of(g.shape, kk), tap_of(g.shape, n));
  }
  static WEFT_DEVICE void put(const ConvArgs& g, int64_t group, int64_t m, int64_t n, T sum) {
    static_cast<T*>(g.weight)[(group * g.shape.out_channels + m) * BackwardWeight::n(g.shape) + n] = sum;
  }
};

struct Split {
  int64_t parts, k_each;
};
template <class P>
Split split_of(const ConvShape& s) {
  int64_t tiles = divide_up(P::m(s), kTile) * divide_up(P::n(s), kTile) * s.groups;
  int64_t parts = kBlocks / tiles, most = divide_up(P::k(s), 8 * kSlice);
  if (parts > most) parts = most;
  if (parts < 1) parts = 1;
  int64_t each = divide_up(divide_up(P::k(s), parts), kSlice) * kSlice;
  return {divide_up(P::k(s), each), each};
}

// Each thread computes 4 x 4 elements. Partial sums of a split product go to the workspace [part][group][m][n].
template <class T, class P>
__global__ void __launch_bounds__(kThreads, 2) conv_tiles(const __grid_constant__ ConvArgs g, Split split) {
  WEFT_SHARED(T, as, [kSlice][kTile + 4]);
  WEFT_SHARED(T, bs, [kSlice][kTile + 4]);
  const ConvShape& s = g.shape;
  int64_t m_end = P::m(s), n_end = P::n(s), n_tiles = (n_end + kTile - 1) / kTile, group = blockIdx.z;
  int64_t m_first = blockIdx.x / n_tiles * kTile, n_first = blockIdx.x % n_tiles * kTile;
  int64_t k_first = blockIdx.y * split.k_each, k_end = k_first + split.k_each;
  if (k_end > P::k(s)) k_end = P::k(s);
  int ty = (int)threadIdx.x / 16, tx = (int)threadIdx.x % 16;
  T sums[4][4] = {};

  for (int64_t k = k_first; k < k_end; k += kSlice) {
    for (int e = (int)threadIdx.x; e < kTile * kSlice; e += kThreads) {
      int along_k = e % kSlice, across_k = e / kSlice, along = e % kTile, across = e / kTile;
      int64_t ma = m_first + across_k, ka = k + along_k;
      as[along_k][across_k] = ma < m_end && ka < k_end ? P::a(g, group, ma, ka) : (T)0;
      int bk = P::kBAlongK ? along_k : across, bn = P::kBAlongK ? across_k : along;
      int64_t kb = k + bk, nb = n_first + bn;
      bs[bk][bn] = kb < k_end && nb < n_end ? P::b(g, group, kb, nb) : (T)0;
    }
    __syncthreads();
#pragma unroll
    for (int kk = 0; kk < kSlice; ++kk) {
      Vec<T, 4> av = load<4>(&as[kk][ty * 4]), bv = load<4>(&bs[kk][tx * 4]);
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] += av.v[i] * bv.v[j];
    }
    __syncthreads();
  }

#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      int64_t m = m_first + ty * 4 + i, n = n_first + tx * 4 + j;
      if (m >= m_end || n >= n_end) continue;
      if (split.parts > 1)
        static_cast<T*>(g.workspace)[((blockIdx.y * s.groups + group) * m_end + m) * n_end + n] = sums[i][j];
      else
        P::put(g, group, m, n, sums[i][j]);
    }
}

template <class T, class P>
__global__ void __launch_bounds__(kThreads) conv_combine(const __grid_constant__ ConvArgs g, Split split) {
  int64_t m_end = P::m(g.shape), n_end = P::n(g.shape), all = g.shape.groups * m_end * n_end;
  int64_t i = (int64_t)blockIdx.x * kThreads + threadIdx.x;
  if (i >= all) return;
  T sum = 0;
  for (int64_t part = 0; part < split.parts; ++part) sum += static_cast<const T*>(g.workspace)[part * all + i];
  int64_t row = i / n_end, group = row / m_end;
  P::put(g, group, row - group * m_end, i - row * n_end, sum);
}

template <class T, class P>
void launch_conv(const ConvArgs& g) {
  const ConvShape& s = g.shape;
  Split split = split_of<P>(s);
  int64_t tiles = divide_up(P::m(s), kTile) * divide_up(P::n(s), kTile), results = s.groups * P::m(s) * P::n(s);
  if (tiles == 0) return;
  WEFT_LAUNCH((conv_tiles<T, P>), dim3((unsigned)tiles, (unsigned)split.parts, (unsigned)s.groups), kThreads, 0, g,
              split);
  if (split.parts > 1) WEFT_LAUNCH((conv_combine<T, P>), (unsigned)divide_up(results, kThreads), kThreads, 0, g, split);
}

template <template <class> class P>
void run(const ConvArgs& g) {
  if (g.dtype == DType::Float64)
    launch_conv<double, P<double>>(g);
  else
    launch_conv<float, P<float>>(g);
}
template <template <class> class P>
int64_t workspace(const ConvArgs& g) {
  using Problem = P<float>;
  const ConvShape& s = g.shape;
  if (Problem::m(s) * Problem::n(s) * s.groups == 0) return 0;
  int64_t parts = split_of<Problem>(s).parts;
  return parts > 1 ? parts * s.groups * Problem::m(s) * Problem::n(s) * size_of(g.dtype) : 0;
}

}  // namespace

void fill(ConvKernels& k) {
  k.forward = run<Forward>;
  k.backward_input = run<BackwardInput>;
  k.backward_weight = run<BackwardWeight>;
  k.forward_workspace = workspace<Forward>;
  k.backward_input_workspace = workspace<BackwardInput>;
  k.backward_weight_workspace = workspace<BackwardWeight>;
}

}  // namespace weft::cuda
