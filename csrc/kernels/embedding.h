// Rows of a table by id, and the gradient of the table.
//   forward:   y[i, :] = weight[ids[i], :], and meanwhile `group` of the same ids, if the gradient will ask for it
//   group:     the different ids, without padding_row, ascending: which[k], k < *count; the places where which[k] is
//              found, ascending: order[start[k]] to order[start[k + 1] - 1]
//   sums:      out[k, :] = sum of dy[i, :] over the places i of group k, in that order
//   backward:  dweight[r, :] = sum of dy[i, :] over all i with ids[i] == r, in the order of i, divided by the number of
//              such i with `by_frequency`; 0 for padding_row and for rows that no id names. Each row is written once.
// Contiguous; n * rows < 2^62. Ids outside [0, rows) are not followed: forward reports the first in *bad, the others
// expect none, but for `group` beside forward, whose result is of no use then. Half precision sums in float32.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct EmbeddingGroups {
  int64_t *which, *start, *order;  // [n], [n + 1], [n]
  int64_t* count;
};
struct EmbeddingGroup {
  EmbeddingGroups g;
  const int64_t* ids;
  int64_t* workspace;  // n values
  int64_t n, rows;
  int64_t padding_row;  // -1: none
};

struct EmbeddingForward {
  void* y;
  const void* weight;
  const int64_t* ids;
  int64_t* bad;  // INT64_MAX, or the least i with a wrong id
  int64_t n, rows, cols;
  DType dtype;
  EmbeddingGroup also;  // n = 0: nothing
};

struct EmbeddingSums {
  void* out;
  const void* dy;
  EmbeddingGroups g;
  int64_t groups, cols;  // groups: *g.count
  DType dtype;           // floating
};

constexpr int64_t kEmbeddingRoom = 5;
struct EmbeddingBackward {
  void* dweight;
  const void* dy;
  const int64_t* ids;
  int64_t* workspace;  // kEmbeddingRoom * (n + 1) values: groups, and the room to make them
  int64_t n, rows, cols;
  int64_t padding_row;  // -1: none
  DType dtype;          // floating
  bool by_frequency;
};

struct EmbeddingKernels {
  void (*forward)(const EmbeddingForward&) = nullptr;
  void (*group)(const EmbeddingGroup&) = nullptr;
  void (*sums)(const EmbeddingSums&) = nullptr;
  void (*backward)(const EmbeddingBackward&) = nullptr;
};

}  // namespace weft
