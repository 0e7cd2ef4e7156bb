// Rows as unsigned keys in the order of their elements: -0 is 0, NaN the greatest. Keys are made with integer
// arithmetic, so that denormal numbers count although kernels flush them, and some hundred at a time: what follows
// knows keys of 4 or 8 bytes and no element types.
#pragma once

#include "base/dtype.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {

// Of a floating number's bits; the greatest ones, 2^width - 1, are NaN's.
template <int width, class Key>
WEFT_INLINE Key floating_key(Key bits, Key infinity) {
  constexpr Key top = (Key)1 << (width - 1);
  const Key size = bits & (top - 1), ordered = bits & top ? top - size : top + size;
  return size > infinity ? 2 * top - 1 : ordered;
}
WEFT_INLINE uint32_t key_of(float x) { return floating_key<32>(__builtin_bit_cast(uint32_t, x), 0x7f800000u); }
WEFT_INLINE uint64_t key_of(double x) {
  return floating_key<64>(__builtin_bit_cast(uint64_t, x), (uint64_t)0x7ff0000000000000);
}
WEFT_INLINE uint32_t key_of(float16 x) { return floating_key<16>((uint32_t)x.bits, 0x7c00u); }
WEFT_INLINE uint32_t key_of(bfloat16 x) { return floating_key<16>((uint32_t)x.bits, 0x7f80u); }
WEFT_INLINE uint32_t key_of(uint8_t x) { return x; }
WEFT_INLINE uint32_t key_of(int8_t x) { return (uint8_t)x ^ 0x80u; }
WEFT_INLINE uint32_t key_of(int16_t x) { return (uint16_t)x ^ 0x8000u; }
WEFT_INLINE uint32_t key_of(int32_t x) { return (uint32_t)x ^ 0x80000000u; }
WEFT_INLINE uint64_t key_of(int64_t x) { return (uint64_t)x ^ (uint64_t)1 << 63; }

WEFT_INLINE uint64_t nan_key(DType dtype) { return ~(uint64_t)0 >> (64 - 8 * size_of(dtype)); }

template <class Key, class T>
void make_keys(Key* WEFT_RESTRICT keys, const void* x, int64_t n, Key flip) {
  for (int64_t i = 0; i < n; ++i) keys[i] = key_of(static_cast<const T*>(x)[i]) ^ flip;
}
template <class Key>
using MakeKeys = void (*)(Key* keys, const void* x, int64_t n, Key flip);

template <class Key>
MakeKeys<Key> key_maker(DType dtype) {
  if constexpr (sizeof(Key) == 8) return dtype == DType::Float64 ? make_keys<Key, double> : make_keys<Key, int64_t>;
  if constexpr (sizeof(Key) == 4) switch (dtype) {
      case DType::Bool:
      case DType::UInt8: return make_keys<Key, uint8_t>;
      case DType::Int8: return make_keys<Key, int8_t>;
      case DType::Int16: return make_keys<Key, int16_t>;
      case DType::Int32: return make_keys<Key, int32_t>;
      case DType::Float16: return make_keys<Key, float16>;
      case DType::BFloat16: return make_keys<Key, bfloat16>;
      default: return make_keys<Key, float>;
    }
}

constexpr int64_t kKeys = 1024;  // made at a time, on the stack

// One row, in ascending order of its keys, or with all their bits flipped in descending order.
template <class Key>
struct KeyRow {
  const char* x;
  int64_t n, size;  // elements, and bytes of each
  MakeKeys<Key> make;
  Key flip;

  void get(Key* keys, int64_t begin, int64_t count) const { make(keys, x + begin * size, count, flip); }
};

// body(keys, begin, count) for all keys from `from` on. `keys` may be written: it has kKeys places.
template <class Key, class Body>
WEFT_INLINE void each_block(const KeyRow<Key>& row, int64_t from, const Body& body) {
  alignas(WEFT_VEC_BYTES) Key keys[kKeys];
  for (int64_t begin = from; begin < row.n; begin += kKeys) {
    const int64_t count = row.n - begin < kKeys ? row.n - begin : kKeys;
    row.get(keys, begin, count);
    body(keys, begin, count);
  }
}

}  // namespace weft::WEFT_ISA
