// A reduction that closes a fused pass: it takes each tile while it is in cache, to the same bits as by itself.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/reduce.h"

namespace weft {

struct ClosingReduction {
  void (*kernel)(const Reduce&);
  Reduce args;
  int scratch = -1;              // the tile's buffer that holds what it reads, or -1: memory
  std::vector<double> partials;  // where all is reduced to one result: of each piece

  bool to_one() const { return args.kept == 0; }
  // Of rows that follow each other without a gap: each to a result, or all of them to one, as a sum of sums.
  static bool can_close(const Reduce& a);
  // First elements of the pieces that a sum of sums is made of, and the end.
  static std::vector<int64_t> cuts(const Reduce& a);
  void run_piece(int64_t piece, int64_t begin, int64_t rows, const void* x);
  void finish();  // after all pieces
};

}  // namespace weft
