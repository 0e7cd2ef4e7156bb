// Random tensors. Streams: a null generator means the default one, which weft.manual_seed seeds.
#pragma once

#include "base/generator.h"
#include "kernels/random.h"
#include "tensor/tensor.h"

namespace weft {

// A range of a generator's stream. While a step is recorded the kernels read where it begins from `cell`, which each
// replay fills anew, as the eager step would have drawn: whoever keeps the stream for later keeps that.
struct DrawnStream {
  RandomStream stream;
  Ref<Storage> cell;
};
DrawnStream draw_stream(Generator* generator, int64_t words, Device device = {});

Tensor random_permutation(int64_t n, Generator* generator = nullptr);  // int64, on the CPU

}  // namespace weft
