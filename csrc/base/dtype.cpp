#include "base/dtype.h"

#include <utility>

namespace weft {

DType default_dtype = DType::Float32;

const char* name_of(DType t) {
  static constexpr const char* names[kDTypes] = {"bool",  "uint8",   "int8",     "int16",   "int32",
                                                 "int64", "float16", "bfloat16", "float32", "float64"};
  return names[(int)t];
}

// The enum is ordered so that the wider type of two is the later one, with two exceptions: pairs of one width that
// cannot hold each other.
DType promote(DType a, DType b) {
  if (b < a) std::swap(a, b);
  if (a == DType::UInt8 && b == DType::Int8) return DType::Int16;
  if (a == DType::Float16 && b == DType::BFloat16) return DType::Float32;
  return b;
}

}  // namespace weft
