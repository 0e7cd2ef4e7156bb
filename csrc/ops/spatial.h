// Arguments that convolutions and pools take once per image axis, and views that let them take 1-D and unbatched input.
#pragma once

#include "ops/view.h"

namespace weft {

// A number for both axes, or one for each. RuntimeError when there are other than one or two, or one is below `least`.
inline Dims pair(const char* op, const char* what, const Dims& given, int64_t least) {
  WEFT_CHECK(given.size() == 1 || given.size() == 2, Runtime, "[", op, "] expected ", what,
             " to be one int or two, got ", to_string(given));
  Dims both = given.size() == 1 ? Dims{given[0], given[0]} : given;
  for (int64_t v : both)
    WEFT_CHECK(v >= least, Runtime, "[", op, "] expected ", what, " of at least ", least, ", got ", v);
  return both;
}

// The same for an operation on sequences, which runs as an image of one row: {row, given}.
inline Dims single(const char* op, const char* what, const Dims& given, int64_t row) {
  WEFT_CHECK(given.size() == 1, Runtime, "[", op, "] expected ", what, " to be one int, got ", to_string(given));
  return {row, given[0]};
}

// Batched or unbatched: `spatial` axes behind the channels, with or without a batch in front.
inline void check_spatial(const char* op, const Tensor& x, int spatial) {
  WEFT_CHECK(x.dim() == spatial + 1 || x.dim() == spatial + 2, Runtime, "[", op, "] expected an input of ", spatial + 1,
             " (unbatched) or ", spatial + 2, " (batched) dimensions, got shape ", to_string(x.shape()));
}

}  // namespace weft
