// Sparse tensors, of one kind: a matrix of which some rows are there and the others are zero. That is what the gradient
// of a large table is, and the optimizers that take one change these rows alone.
//
// A sparse tensor has shape, dtype and device, and no memory: operations other than these refuse it when they ask where
// its elements are. It is coalesced from the start: ids ascending, each once.
#pragma once

#include "tensor/tensor.h"

namespace weft {

struct SparseRows : RefCounted {
  Tensor ids, values;  // [n] of int64, [n, cols]
};

Tensor make_sparse(const Tensor& ids, const Tensor& values, int64_t rows);
const SparseRows& rows_of_sparse(const Tensor& x);  // RuntimeError for a dense one
Tensor to_dense(const Tensor& x);
Tensor clone_sparse(const Tensor& x);
// a + b, of which at least one is sparse; into a where `in_place` and a is dense.
Tensor add_sparse(const Tensor& a, const Tensor& b, bool in_place);

}  // namespace weft
