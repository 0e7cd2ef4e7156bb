// The two forms of a table's gradient.
#pragma once

#include "tensor/tensor.h"

namespace weft {

struct EmbeddingTable {
  int64_t rows, padding_row = -1;  // padding_row: gets none; -1: there is no such row
  bool by_frequency = false;       // divided by how often the id occurs
};

// [rows, cols], and row r the sum of all dy[i] with ids[i] == r. ids: contiguous int64 in range; dy: [..., cols].
Tensor sum_rows(const Tensor& ids, const Tensor& dy, const EmbeddingTable& table);
// The same as a sparse tensor.
Tensor sum_rows_sparse(const Tensor& ids, const Tensor& dy, const EmbeddingTable& table);

}  // namespace weft
