// Matrix product: for each batch item
//   C[m,n] = act(alpha * A[m,k] B[k,n] + beta * C[m,n] + bias[n])
// A, B and C have any row and column strides (in elements, also zero or negative for A and B), so a transposed operand
// costs no copy; a broadcast batch dimension has stride 0. k = 0 is an empty sum. beta = 0 never reads C. C aliases
// nothing. With `pre`, the argument of the activation is kept there, with C's strides.
// float32 and float64 sum in their own precision; float16 and bfloat16 in float32, rounded once; integers wrap. Bytes
// may be summed exactly instead: see `bytes`.
// Blocks of C depend on the problem alone and each element is summed by one piece in one order: the same bits for any
// number of threads, and whether or not B was packed before.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/shape.h"

namespace weft {

enum class Activation : uint8_t { None, Relu, Gelu, GeluTanh, Silu };

// C int32, alpha 1, no batch, no epilogue: A is int8 (Signed) or uint8, B int8.
enum class ByteProduct : uint8_t { None, Signed, Unsigned };

struct MatmulArgs {
  void* c;
  const void* a;
  const void* b;
  int64_t m, n, k;
  int64_t a_row, a_col, b_row, b_col, c_row, c_col;
  int batch_dims;  // 0: one product
  int64_t batch[kMaxDims], a_batch[kMaxDims], b_batch[kMaxDims], c_batch[kMaxDims];
  DType dtype;  // of A, B, C, bias and pre; with `bytes` of C
  ByteProduct bytes;
  double alpha, beta;
  const void* bias;      // [n] or null
  void* pre;             // or null
  const void* b_packed;  // what pack() made of B, or null; b is then not read
  Activation act;
  void* workspace;
  int64_t workspace_bytes;  // from workspace()
  int workers;              // the number of threads that workspace() was asked for
};

struct MatmulKernels {
  void (*forward)(const MatmulArgs&) = nullptr;
  int64_t (*workspace)(const MatmulArgs&) = nullptr;  // of pointers, b_packed alone is looked at
  // A B that serves many products is worth packing once. Bytes of the packed copy, 0 if this product does without one;
  // pack() writes it to `workspace`. The copy depends on B's numbers, k, n and dtype, not on m.
  int64_t (*packed_bytes)(const MatmulArgs&) = nullptr;
  void (*pack)(const MatmulArgs&) = nullptr;
};

}  // namespace weft
