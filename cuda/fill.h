// The stems that have CUDA kernels: one line per .cu file that defines fill() for its stem. An operation whose table
// stays empty raises NotImplementedError on "cuda".
#pragma once

#include "kernels/table.h"

#define WEFT_CUDA_STEMS(STEM) \
  STEM(arg_reduce)            \
  STEM(attention)             \
  STEM(batch_norm)            \
  STEM(conv)                  \
  STEM(copy)                  \
  STEM(cross_entropy)         \
  STEM(csr)                   \
  STEM(ctc_loss)              \
  STEM(distance)              \
  STEM(dropout)               \
  STEM(embedding)             \
  STEM(gather)                \
  STEM(grid_sample)           \
  STEM(group_norm)            \
  STEM(index)                 \
  STEM(interpolate)           \
  STEM(layer_norm)            \
  STEM(linear_scan)           \
  STEM(matmul)                \
  STEM(optimizer)             \
  STEM(pointwise)             \
  STEM(pool)                  \
  STEM(random)                \
  STEM(reduce)                \
  STEM(rnn)                   \
  STEM(scan)                  \
  STEM(search)                \
  STEM(segment)               \
  STEM(softmax)               \
  STEM(sort)                  \
  STEM(unfold)

namespace weft::cuda {

#define STEM(name) void fill(decltype(Kernels::name)& k);
WEFT_CUDA_STEMS(STEM)
#undef STEM

inline void fill_table(Kernels& k) {
#define STEM(name) fill(k.name);
  WEFT_CUDA_STEMS(STEM)
#undef STEM
}

}  // namespace weft::cuda
