// One layer of a recurrent network over whole sequences, in one or two directions.
#pragma once

#include <optional>

#include "kernels/rnn.h"
#include "tensor/tensor.h"

namespace weft {

constexpr const char* kRnnLayer = "rnn_layer";

struct RnnWeights {  // of one direction; biases together or not at all
  Tensor ih, hh, bias_ih, bias_hh, projection;
};

// Where the rows of the sequences are; see kernels/rnn.h.
struct RnnLayout {
  int64_t steps, batch, row_step;
  Tensor first, active;        // int64 [steps] on the host
  std::optional<DType> lower;  // of products, under autocast; states are float32
};

struct RnnInputs {
  Tensor x;       // [rows, in]
  Tensor h0, c0;  // [directions, batch, out], [directions, batch, hidden]; c0 of Lstm alone
  RnnWeights w[2];
};

// All inputs in one list, as the tape has them: x, h0, c0, then five weights for each direction.
struct RnnSlots {
  static constexpr int h0 = 1, c0 = 2;
  static int weights(int direction) { return 3 + 5 * direction; }
};
TensorList list_of(const RnnInputs& in, int directions);
RnnInputs rnn_inputs(const TensorList& list, int directions);

// y [rows, directions * out], the last h and, of Lstm, the last c, recorded: by the fused kernels, or by other
// operations, step by step.
TensorList rnn_by_kernel(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in);
TensorList rnn_by_steps(RnnMode mode, int directions, const RnnLayout& layout, const RnnInputs& in);

}  // namespace weft
