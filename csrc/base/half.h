// float16 and bfloat16 to float and back, rounding to nearest even. Right under flushed denormals too: half precision's
// own denormals are kept, because they are normal numbers in float.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"

namespace weft {

WEFT_HD WEFT_INLINE float float_of_bits(uint32_t bits) {
  float f;
  __builtin_memcpy(&f, &bits, 4);
  return f;
}
WEFT_HD WEFT_INLINE uint32_t bits_of_float(float f) {
  uint32_t bits;
  __builtin_memcpy(&bits, &f, 4);
  return bits;
}

WEFT_HD WEFT_INLINE float to_float(bfloat16 x) { return float_of_bits((uint32_t)x.bits << 16); }
WEFT_HD WEFT_INLINE float to_float(float16 x) {
  uint32_t sign = (uint32_t)(x.bits & 0x8000) << 16, rest = x.bits & 0x7fff;
  if (rest < 0x0400) return float_of_bits(sign | bits_of_float((float)rest * 0x1p-24f));
  uint32_t exponent = rest >= 0x7c00 ? 0x70000000 : 0x38000000;  // infinity and NaN, or 127 - 15
  return float_of_bits(sign | ((rest << 13) + exponent));
}
WEFT_HD WEFT_INLINE float to_float(float x) { return x; }

WEFT_HD WEFT_INLINE bfloat16 to_bfloat16(float f) {
  uint32_t bits = bits_of_float(f);
  if ((bits & 0x7fffffff) > 0x7f800000) return {(uint16_t)((bits >> 16) | 0x40)};  // NaN stays NaN
  return {(uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}
WEFT_HD WEFT_INLINE float16 to_float16(float f) {
  uint32_t bits = bits_of_float(f), sign = (bits >> 16) & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return {(uint16_t)(sign | 0x7e00)};   // NaN
  if (rest >= 0x47800000) return {(uint16_t)(sign | 0x7c00)};  // 65536 and more
  if (rest < 0x38800000)  // below 2^-14: adding 1/2 leaves multiples of 2^-24 in the low bits, rounded
    return {(uint16_t)(sign | (bits_of_float(float_of_bits(rest) + 0.5f) - 0x3f000000))};
  return {(uint16_t)(sign | ((rest - 0x38000000 + 0xfff + ((rest >> 13) & 1)) >> 13))};
}

template <class T>
WEFT_HD WEFT_INLINE T from_float(float f) {
  if constexpr (dtype_of<T> == DType::Float16)
    return to_float16(f);
  else if constexpr (dtype_of<T> == DType::BFloat16)
    return to_bfloat16(f);
  else
    return (T)f;
}

}  // namespace weft
