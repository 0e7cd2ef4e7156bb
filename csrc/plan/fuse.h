// Neighbouring pointwise launches as one pass: tile by tile, each tile through all of them while it is in cache. What
// lives only between them never reaches memory. A reduction of the result may close the pass.
#pragma once

#include <memory>
#include <vector>

#include "base/arena.h"
#include "kernels/pointwise.h"
#include "plan/closing.h"

namespace weft {

constexpr int64_t kLeastFused = 32 * 1024;  // elements: less is in cache anyway

struct FusedPointwise {
  struct Member {
    PointwiseKernel kernel;
    Pointwise args;
    int scratch_of[1 + kPointwiseInputs];  // of out and the inputs: which buffer of a tile, or -1: memory
  };
  std::vector<Member> members;
  std::unique_ptr<ClosingReduction> closing;
  int64_t row_numel;          // elements of one row of the first dimension
  int64_t unit = 1;           // rows that a tile is a multiple of: what the closing reduction takes as one
  std::vector<int64_t> cuts;  // the first rows of the tiles, and the end
  int64_t tile_bytes = 0;     // of a buffer
  int scratch_buffers = 0;
};
void run_fused(const FusedPointwise& f);

// A launch on the CPU as the fuser sees it: its place in the list, and what it is: a pointwise one, a reduction, or
// neither.
struct FusibleLaunch {
  size_t at;
  PointwiseKernel kernel;
  const Pointwise* args;
  void (*reduce)(const Reduce&);
  const Reduce* reduce_args;
};
struct Fusion {
  size_t first, count;  // which launches it replaces
  std::unique_ptr<FusedPointwise> fused;
};
std::vector<Fusion> fuse_pointwise(const std::vector<FusibleLaunch>& launches, const std::vector<Arena::Life>& lives);

}  // namespace weft
