// Cross-entropy: a warp per row of logits, or a block where rows are long; sums over rows per piece, then over pieces.
#include "kernels/cross_entropy.h"

#include "block.cuh"
#include "math.cuh"

namespace weft::cuda {
namespace {

constexpr int kThreads = 256;

// The threads of one row: a warp (width 32) or the block.
template <class C, class Op>
WEFT_DEVICE C row_reduce(int width, C v, Op op, C identity) {
  return width == 32 ? warp_reduce(v, op) : block_reduce(v, op, identity);
}

template <class T>
__global__ void __launch_bounds__(kThreads) cross_entropy_rows(CrossEntropyForward a, int64_t per_piece, int width) {
  using C = Wide<T>;
  WEFT_SHARED(double, totals, [kThreads / 32][3]);
  const C* weight = static_cast<const C*>(a.weight);
  int lane = threadIdx.x % width, group = threadIdx.x / width, groups = kThreads / width;
  int64_t first = blockIdx.x * per_piece, end = first + per_piece < a.rows ? first + per_piece : a.rows;
  double total = 0, total_weight = 0, wrong = 0;
  for (int64_t i = first + group; i < end; i += groups) {
    int64_t t = a.target[i];
    C loss = 0;
    if (t != a.ignore_index && (uint64_t)t >= (uint64_t)a.classes) {
      ++wrong;
    } else if (t != a.ignore_index) {  // the same for all threads of the row
      const T* x = static_cast<const T*>(a.x) + i * a.classes;
      C max = -INFINITY, sum = 0, smooth = 0, w = weight ? weight[t] : (C)1;
      for (int64_t c = lane; c < a.classes; c += width) max = widen(x[c]) > max ? widen(x[c]) : max;
      max = row_reduce(width, max, Larger{}, (C)-INFINITY);
      for (int64_t c = lane; c < a.classes; c += width) sum += math::vexp(widen(x[c]) - max);
      C log_sum = math::vlog(row_reduce(width, sum, Plus{}, (C)0));
      loss = w * (max - widen(x[t]) + log_sum);
      if (a.smoothing > 0) {
        for (int64_t c = lane; c < a.classes; c += width)
          smooth += (max - widen(x[c]) + log_sum) * (weight ? weight[c] : (C)1);
        smooth = row_reduce(width, smooth, Plus{}, (C)0);
        loss = (C)(1 - a.smoothing) * loss + (C)(a.smoothing / (double)a.classes) * smooth;
      }
      total_weight += (double)w;
      if (lane == 0) {
        static_cast<C*>(a.max)[i] = max;
        static_cast<C*>(a.log_sum)[i] = log_sum;
      }
    }
    total += (double)loss;
    if (lane == 0 && a.reduction == LossReduction::None) static_cast<T*>(a.y)[i] = narrow<T>(loss);
  }
  if (lane == 0) {
    totals[group][0] = total;
    totals[group][1] = total_weight;
    totals[group][2] = wrong;
  }
  __syncthreads();
  if (threadIdx.x >= 3) return;
  double sum = 0;
  for (int g = 0; g < groups; ++g) sum += totals[g][threadIdx.x];
  a.workspace[3 * blockIdx.x + threadIdx.x] = sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads) cross_entropy_totals(CrossEntropyForward a, int64_t pieces) {
  double total = 0, weight = 0, wrong = 0;
  for (int64_t p = threadIdx.x; p < pieces; p += kThreads) {
    total += a.workspace[3 * p];
    weight += a.workspace[3 * p + 1];
    wrong += a.workspace[3 * p + 2];
  }
  total = block_sum(total);
  weight = block_sum(weight);
  wrong = block_sum(wrong);
  if (threadIdx.x) return;
  a.totals[0] = total;
  a.totals[1] = weight;
  a.totals[2] = wrong;
  if (a.reduction == LossReduction::Sum) *static_cast<T*>(a.y) = narrow<T>((Wide<T>)total);
  if (a.reduction == LossReduction::Mean)
    *static_cast<T*>(a.y) = narrow<T>((Wide<T>)(weight == 0 ? 0 : total / weight));
}

template <class T>
__global__ void __launch_bounds__(kThreads) cross_entropy_gradient(CrossEntropyBackward a, int width) {
  using C = Wide<T>;
  const C* weight = static_cast<const C*>(a.weight);
  int lane = threadIdx.x % width;
  int64_t i = (int64_t)blockIdx.x * (kThreads / width) + threadIdx.x / width;
  if (i >= a.rows) return;  // whole warps
  const T* x = static_cast<const T*>(a.x) + i * a.classes;
  T* dx = static_cast<T*>(a.dx) + i * a.classes;
  int64_t t = a.target[i];
  bool counts = t != a.ignore_index && (uint64_t)t < (uint64_t)a.classes;
  double share = a.smoothing / (double)a.classes, all = 0;
  if (a.smoothing > 0) {
    for (int64_t c = lane; c < a.classes; c += width) all += weight ? (double)weight[c] : 1.0;
    all = share * row_reduce(width, all, Plus{}, 0.0);
  }
  double divisor = a.reduction == LossReduction::Mean && a.totals[1] != 0 ? a.totals[1] : 1;
  C dy = static_cast<const C*>(a.dy)[a.reduction == LossReduction::None ? i : 0];
  C d = counts ? (C)((double)dy / divisor) : (C)0;
  C hit = counts ? (weight ? weight[t] : (C)1) * (C)(1 - a.smoothing) : (C)0, scale = d * (hit + (C)all);
  C max = counts ? static_cast<const C*>(a.max)[i] : (C)0,
    log_sum = counts ? static_cast<const C*>(a.log_sum)[i] : (C)0;
  for (int64_t c = lane; c < a.classes; c += width) {
    C g = 0;
    if (counts) {
      g = scale * math::vexp(widen(x[c]) - max - log_sum);
      if (a.smoothing > 0) g -= d * (C)share * (weight ? weight[c] : (C)1);
      if (c == t) g -= d * hit;
    }
    dx[c] = narrow<T>(g);
  }
  if (a.row_scale && lane == 0) static_cast<C*>(a.row_scale)[i] = scale;
}

int width_for(int64_t classes) { return classes <= 1024 ? 32 : kThreads; }

void forward(const CrossEntropyForward& a) {
  int64_t pieces = cross_entropy_pieces(a.rows, a.classes), per_piece = cross_entropy_rows_per_piece(a.classes);
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    if (pieces) WEFT_LAUNCH((cross_entropy_rows<T>), (unsigned)pieces, kThreads, 0, a, per_piece, width_for(a.classes));
    WEFT_LAUNCH((cross_entropy_totals<T>), 1, kThreads, 0, a, pieces);
  });
}
void backward(const CrossEntropyBackward& a) {
  if (a.rows == 0 || a.classes == 0) return;
  int width = width_for(a.classes);
  dispatch_floating(a.dtype, [&](auto type) {
    using T = typename decltype(type)::type;
    WEFT_LAUNCH((cross_entropy_gradient<T>), (unsigned)divide_up(a.rows, kThreads / width), kThreads, 0, a, width);
  });
}

}  // namespace

void fill(CrossEntropyKernels& k) {
  k.forward = forward;
  k.backward = backward;
}

}  // namespace weft::cuda
