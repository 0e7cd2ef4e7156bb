// Copies of a tensor in the order in which a kernel reads it, kept for as long as the tensor's numbers stay as they
// are: a weight that serves many products is packed once.
#pragma once

#include <functional>

#include "tensor/tensor.h"

namespace weft {

struct PackedKey {
  void (*packer)();   // whose order it is: a kernel of one device and instruction set
  int64_t offset;     // of the tensor in its storage, in elements
  int64_t layout[5];  // sizes, strides and dtype, as far as the copy depends on them
  bool operator==(const PackedKey&) const = default;
};

// The copy, made by `pack(memory)` where there is none yet; nothing if it would not pay: the first time that these
// numbers are asked for (most tensors serve one product), while a step is recorded that has to follow changes of the
// weight, where somebody else may write to the memory unseen, or when all copies together would pass a gibibyte.
// The caller holds on to the result while it reads it. Call it under the GIL, like all that changes a tensor's state.
Ref<Storage> packed_copy(const Tensor& t, const PackedKey& key, int64_t bytes, const std::function<void(void*)>& pack);

int64_t packed_bytes_held();  // of all tensors

}  // namespace weft
