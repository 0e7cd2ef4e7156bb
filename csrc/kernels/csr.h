// A sparse matrix by rows (CSR) times a dense one, and the products beneath its gradients. Row r has its values at
// [crow[r], crow[r + 1]), in the columns col[k] there.
//   product:  y[r, :] = sum over the k of row r of values[k] * dense[col[k], :], in the order of k
//   sampled:  values[k] = sum over j of left[r, j] * right[col[k], j], for each k of row r
//   row_of:   row[k] = r, for each k of row r
// Contiguous, no overlap; columns in range. Half precision is computed in float32. The bits do not depend on the number
// of threads.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace weft {

struct CsrProduct {
  void* y;  // [rows, cols]
  const int64_t* crow;
  const int64_t* col;
  const void* values;
  const void* dense;  // [.., cols]
  int64_t rows, cols, nonzero;
  DType dtype;  // floating
};

struct CsrSampled {
  void* values;
  const int64_t* crow;
  const int64_t* col;
  const void* left;   // [rows, cols]
  const void* right;  // [.., cols]
  int64_t rows, cols, nonzero;
  DType dtype;  // floating
};

struct CsrRowOf {
  int64_t* row;
  const int64_t* crow;
  int64_t rows, nonzero;
};

struct CsrKernels {
  void (*product)(const CsrProduct&) = nullptr;
  void (*sampled)(const CsrSampled&) = nullptr;
  void (*row_of)(const CsrRowOf&) = nullptr;
};

}  // namespace weft
