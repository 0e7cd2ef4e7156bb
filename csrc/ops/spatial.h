// Arguments that convolutions and pools take once per spatial axis: one for a sequence, two for an image, three for a
// volume.
#pragma once

#include "ops/view.h"

namespace weft {

// A number for all axes, or one for each. RuntimeError when there are other than one or `spatial`, or one is below
// `least`.
inline Dims per_axis(const char* op, const char* what, const Dims& given, int spatial, int64_t least) {
  const char* counts[] = {"one int", "one int or two", "one int or three"};
  WEFT_CHECK(given.size() == 1 || given.size() == spatial, Runtime, "[", op, "] expected ", what, " to be ",
             counts[spatial - 1], ", got ", to_string(given));
  Dims all = given.size() == 1 ? Dims::filled(spatial, given[0]) : given;
  for (int64_t v : all)
    WEFT_CHECK(v >= least, Runtime, "[", op, "] expected ", what, " of at least ", least, ", got ", v);
  return all;
}

// Axis i of the `spatial` ones of a shape that has depths, rows and cols: the last is cols.
template <class Shape>
auto& axis_of(Shape& s, int i, int spatial) {
  const int from_end = spatial - 1 - i;
  return from_end == 0 ? s.cols : from_end == 1 ? s.rows : s.depths;
}

// Batched or unbatched: `spatial` axes behind the channels, with or without a batch in front.
inline void check_spatial(const char* op, const Tensor& x, int spatial) {
  WEFT_CHECK(x.dim() == spatial + 1 || x.dim() == spatial + 2, Runtime, "[", op, "] expected an input of ", spatial + 1,
             " (unbatched) or ", spatial + 2, " (batched) dimensions, got shape ", to_string(x.shape()));
}

}  // namespace weft
