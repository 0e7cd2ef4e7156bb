// Element types. Plain enough for kernel files and CUDA; promotion and names are in dtype.cpp.
#pragma once

#include <cstdint>

#include "base/macros.h"

namespace weft {

enum class DType : uint8_t { Bool, UInt8, Int8, Int16, Int32, Int64, Float16, BFloat16, Float32, Float64 };
constexpr int kDTypes = 10;

// Storage only: arithmetic on them happens in float.
struct float16 {
  uint16_t bits;
};
struct bfloat16 {
  uint16_t bits;
};

WEFT_HD WEFT_INLINE constexpr int64_t size_of(DType t) {
  switch (t) {
    case DType::Bool:
    case DType::UInt8:
    case DType::Int8: return 1;
    case DType::Int16:
    case DType::Float16:
    case DType::BFloat16: return 2;
    case DType::Int32:
    case DType::Float32: return 4;
    default: return 8;
  }
}
WEFT_HD WEFT_INLINE constexpr bool is_floating(DType t) { return t >= DType::Float16; }
WEFT_HD WEFT_INLINE constexpr bool is_integral(DType t) { return t < DType::Float16 && t != DType::Bool; }
WEFT_HD WEFT_INLINE constexpr bool is_half(DType t) { return t == DType::Float16 || t == DType::BFloat16; }

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::Bool;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::UInt8;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = DType::Int8;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr DType value = DType::Int16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::Int32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::Int64;
};
template <>
struct DTypeOf<float16> {
  static constexpr DType value = DType::Float16;
};
template <>
struct DTypeOf<bfloat16> {
  static constexpr DType value = DType::BFloat16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::Float32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::Float64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

const char* name_of(DType t);     // "float32"
extern DType default_dtype;       // of floating numbers; weft.set_default_dtype
DType promote(DType a, DType b);  // PyTorch's table for two tensors of equal category rank

}  // namespace weft
