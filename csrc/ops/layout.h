// Preparing strided operands for kernels that walk over them together.
#pragma once

#include "tensor/tensor.h"

namespace weft {

// Drops dimensions of size 1, orders the rest by the strides of operand 0 (the largest first) and merges neighbours
// that are one dimension in every operand. Returns the number of dimensions left.
int merge_dims(const Dims& shape, int operands, const Dims* strides, int64_t* merged_shape, int64_t* const* merged);

// Whether the elements lie in memory without gaps or repetitions, in any order of dimensions.
bool is_dense(const Tensor& x);

// Whether the channels of [N, C, H, W] or [N, C, D, H, W] come last in memory, and a contiguous tensor of that shape
// has other strides (PyTorch's channels_last and channels_last_3d).
bool is_channels_last(const Tensor& x);

// A new tensor whose channels come last in memory; x with its elements in that order, itself if it has it.
Tensor empty_channels_last(const Dims& shape, DType dtype, Device device);
Tensor channels_last(const Tensor& x);

enum class MemoryFormat : uint8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };
bool has_format(const char* op, const Tensor& x, MemoryFormat f);
// x with its elements in that order, itself if it has it; on the tape.
Tensor to_format(const char* op, const Tensor& x, MemoryFormat f);

// Whether x may share memory with y without being the very same elements.
bool overlaps(const Tensor& x, const Tensor& y);

}  // namespace weft
