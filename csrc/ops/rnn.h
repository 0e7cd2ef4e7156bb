// One layer of a recurrent network over whole sequences, in one or two directions.
#pragma once

#include "kernels/rnn.h"
#include "tensor/tensor.h"

namespace weft {

struct RnnWeights {  // of one direction; biases together or not at all
  Tensor ih, hh, bias_ih, bias_hh, projection;
};

// Where the rows of the sequences are; see kernels/rnn.h.
struct RnnLayout {
  int64_t steps, batch, row_step;
  Tensor first, active;  // int64 [steps] on the host
};

struct RnnInputs {
  Tensor x;       // [rows, in]
  Tensor h0, c0;  // [directions, batch, out], [directions, batch, hidden]; c0 of Lstm alone
  RnnWeights w[2];
};

// y [rows, directions * out], the last h and, of Lstm, the last c: by other operations, step by step, on the tape.
TensorList rnn_by_steps(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in);

}  // namespace weft
