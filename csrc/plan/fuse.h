// Neighbouring pointwise launches as one pass: tile by tile, each tile through all of them while it is in cache. What
// lives only between them never reaches memory.
#pragma once

#include <memory>
#include <vector>

#include "base/arena.h"
#include "kernels/pointwise.h"

namespace weft {

constexpr int64_t kLeastFused = 32 * 1024;  // elements: less is in cache anyway

struct FusedPointwise {
  struct Member {
    PointwiseKernel kernel;
    Pointwise args;
    int scratch_of[1 + kPointwiseInputs];  // of out and the inputs: which buffer of a tile, or -1: memory
  };
  std::vector<Member> members;
  int64_t rows, row_numel, tile;  // of the first dimension; elements of one row; rows of a tile
  int scratch_buffers = 0;
};
void run_fused(const FusedPointwise& f);

// A launch as the fuser sees it: its place in the list, and its arguments if it is a pointwise one on the CPU.
struct FusibleLaunch {
  size_t at;
  PointwiseKernel kernel;  // null: of another kind
  const Pointwise* args;
};
struct Fusion {
  size_t first, count;  // which launches it replaces
  std::unique_ptr<FusedPointwise> fused;
};
std::vector<Fusion> fuse_pointwise(const std::vector<FusibleLaunch>& launches, const std::vector<Arena::Life>& lives);

}  // namespace weft
