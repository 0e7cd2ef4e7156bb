// Reductions of a strided array over any of its dimensions.
//   y[k] = scale * combine over r of f(x[k, r])      f: x, |x|, x^2, (x - center[k])^2 or, when asked, x != 0
// Dimensions come merged, kept ones first and then the reduced ones, each group from the largest stride to the
// smallest. The sum over r is a tree of blocks: the error grows with the logarithm of the count, as in NumPy's
// pairwise sum, and its shape depends on the sizes alone, so that the bits do not depend on the number of threads.
// Max and Min hand NaN on. An empty sum is 0, an empty product 1; Max and Min of nothing are the host's error.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/shape.h"

namespace weft {

constexpr int kReduceTile = 512;   // neighbouring results computed together, at most
constexpr int kReduceLeaf = 4096;  // elements of a row that a leaf of the tree takes in order

enum class ReduceOp : uint8_t { Sum, Prod, Max, Min, AbsSum, SquareSum, CenteredSquareSum, CountNonzero, Any, All };
WEFT_INLINE bool asks_nonzero(ReduceOp op) { return op >= ReduceOp::CountNonzero; }

struct Reduce {
  void* y;
  const void* x;
  const void* center;  // CenteredSquareSum: one per result, placed as in y; float64 for float64 and else float32
  int kept, reduced;   // dimensions: [0, kept) and [kept, kept + reduced)
  int64_t size[kMaxDims], x_stride[kMaxDims], y_stride[kMaxDims];
  int64_t kept_numel, reduced_numel;
  DType dtype, y_dtype;  // y: floating from floating numbers, int64 for counts, bool for Any and All
  ReduceOp op;
  double scale;     // floating results only: 1/n makes a mean
  int64_t chunks;   // the reduced elements of each result are cut in so many: reduce_chunks()
  void* workspace;  // chunks * kept_numel * 8 bytes if chunks > 1
};

// Whether results are computed side by side in columns, because neighbours in memory belong to different results.
WEFT_INLINE bool reduces_columns(const Reduce& a) {
  if (a.kept == 0 || a.reduced == 0) return false;
  int64_t column = a.x_stride[a.kept - 1], row = a.x_stride[a.kept + a.reduced - 1];
  return column != 0 && (row == 0 || column < row);
}

// Few results with many elements each are cut into chunks, so that all threads have work.
WEFT_INLINE int64_t reduce_chunks(const Reduce& a) {
  if (a.kept_numel == 0) return 1;
  int64_t together = reduces_columns(a) ? a.size[a.kept - 1] : 1;
  if (together > kReduceTile) together = kReduceTile;
  int64_t units = a.kept_numel / together, grains = (a.kept_numel * a.reduced_numel) >> 15;
  if (units >= 32 || grains < 2) return 1;
  int64_t chunks = 64 / (units < 1 ? 1 : units), blocks = a.reduced_numel >> 7;
  if (reduces_columns(a) && blocks < grains) grains = blocks < 1 ? 1 : blocks;
  return chunks < grains ? chunks : grains;
}

struct ReduceKernels {
  void (*reduce)(const Reduce&) = nullptr;
};

}  // namespace weft
