// Random tensors. Streams: a null generator means the default one, which weft.manual_seed seeds.
#pragma once

#include "base/generator.h"
#include "kernels/random.h"
#include "tensor/tensor.h"

namespace weft {

// Room for one element of `dtype` each, or more words: see kernels/random.h.
RandomStream draw_stream(Generator* generator, int64_t words);

Tensor random_permutation(int64_t n, Generator* generator = nullptr);  // int64, on the CPU

}  // namespace weft
