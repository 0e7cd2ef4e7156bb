// The windows of images as columns, and the sum of columns back into images. Contiguous:
//   image [planes, rows.in, cols.in], columns [planes, rows.kernel, cols.kernel, rows.out, cols.out]
//   unfold:  columns[p, k, l, i, j] = image[p, i*stride + k*dilation - pad, …], 0 outside
//   fold:    image[p, r, c] = the sum of columns[p, k, l, i, j] over all that unfold would take from (r, c), in the
//            order of (k, l, i, j)
#pragma once

#include "kernels/conv.h"

namespace weft {

struct UnfoldArgs {
  void* columns;
  void* image;
  int64_t planes;
  ConvAxis rows, cols;
  DType dtype;  // float32, float64
};

struct UnfoldKernels {
  void (*unfold)(const UnfoldArgs&) = nullptr;
  void (*fold)(const UnfoldArgs&) = nullptr;
};

}  // namespace weft
