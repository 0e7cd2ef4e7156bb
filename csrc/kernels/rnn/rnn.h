// The two passes of kernels/rnn.cpp.
#pragma once

#include "kernels/rnn.h"

namespace weft::WEFT_ISA {

void rnn_forward(const RnnForward&);
int64_t rnn_packed_bytes(const RnnShape&);
void rnn_pack(const RnnPack&);
void rnn_backward(const RnnBackward&);

}  // namespace weft::WEFT_ISA
