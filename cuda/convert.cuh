// Elements of any dtype as values of a computation (float, double, int64_t) and back, as base/half.h and the CPU do it.
#pragma once

#include "device.cuh"

namespace weft::cuda {

// Through int64 or int32, so that the low bits are kept, as on the CPU.
template <class D, class V>
WEFT_DEVICE D convert_to(V v) {
  if constexpr (std::is_same_v<D, bool>)
    return v != V(0);
  else if constexpr (std::is_floating_point_v<V> && std::is_integral_v<D> && sizeof(D) < 4)
    return (D)(int32_t)v;
  else
    return narrow<D>(v);
}

// NOTE: not inlined, because a kernel has many of these and they are the slow path.
template <class V>
__device__ __noinline__ V load_one(const void* p, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::Bool: return (V) static_cast<const bool*>(p)[i];
    case DType::UInt8: return (V) static_cast<const uint8_t*>(p)[i];
    case DType::Int8: return (V) static_cast<const int8_t*>(p)[i];
    case DType::Int16: return (V) static_cast<const int16_t*>(p)[i];
    case DType::Int32: return (V) static_cast<const int32_t*>(p)[i];
    case DType::Int64: return (V) static_cast<const int64_t*>(p)[i];
    case DType::Float16: return (V)widen(static_cast<const float16*>(p)[i]);
    case DType::BFloat16: return (V)widen(static_cast<const bfloat16*>(p)[i]);
    case DType::Float32: return (V) static_cast<const float*>(p)[i];
    default: return (V) static_cast<const double*>(p)[i];
  }
}
template <class V>
__device__ __noinline__ void store_one(void* p, DType dtype, int64_t i, V v) {
  switch (dtype) {
    case DType::Bool: static_cast<bool*>(p)[i] = convert_to<bool>(v); break;
    case DType::UInt8: static_cast<uint8_t*>(p)[i] = convert_to<uint8_t>(v); break;
    case DType::Int8: static_cast<int8_t*>(p)[i] = convert_to<int8_t>(v); break;
    case DType::Int16: static_cast<int16_t*>(p)[i] = convert_to<int16_t>(v); break;
    case DType::Int32: static_cast<int32_t*>(p)[i] = convert_to<int32_t>(v); break;
    case DType::Int64: static_cast<int64_t*>(p)[i] = convert_to<int64_t>(v); break;
    case DType::Float16: static_cast<float16*>(p)[i] = convert_to<float16>(v); break;
    case DType::BFloat16: static_cast<bfloat16*>(p)[i] = convert_to<bfloat16>(v); break;
    case DType::Float32: static_cast<float*>(p)[i] = convert_to<float>(v); break;
    default: static_cast<double*>(p)[i] = convert_to<double>(v);
  }
}

// The same with the usual dtype of a computation on V in line.
template <class V>
WEFT_DEVICE V load_scalar(const void* p, DType dtype, int64_t i) {
  return dtype == dtype_of<V> ? static_cast<const V*>(p)[i] : load_one<V>(p, dtype, i);
}
template <class V>
WEFT_DEVICE void store_scalar(void* p, DType dtype, int64_t i, V v) {
  if (dtype == dtype_of<V>)
    static_cast<V*>(p)[i] = v;
  else
    store_one<V>(p, dtype, i, v);
}

constexpr int kGroup = 4;  // neighbours that a thread takes together

template <class T, class V>
WEFT_DEVICE void load_group_as(const void* p, int64_t i, V* out) {
  Vec<T, kGroup> in = load<kGroup>(static_cast<const T*>(p) + i);
#pragma unroll
  for (int e = 0; e < kGroup; ++e) out[e] = (V)widen(in.v[e]);
}
template <class T, class V>
WEFT_DEVICE void store_group_as(void* p, int64_t i, const V* in) {
  Vec<T, kGroup> out;
#pragma unroll
  for (int e = 0; e < kGroup; ++e) out.v[e] = convert_to<T>(in[e]);
  store(static_cast<T*>(p) + i, out);
}

// The dtypes worth a vector access in a computation on V; false sends the others down the slow path.
template <class V>
WEFT_DEVICE bool load_group(const void* p, DType dtype, int64_t i, V* out) {
  if constexpr (std::is_same_v<V, float>) {
    if (dtype == DType::Float32) return load_group_as<float>(p, i, out), true;
    if (dtype == DType::BFloat16) return load_group_as<bfloat16>(p, i, out), true;
    if (dtype == DType::Float16) return load_group_as<float16>(p, i, out), true;
  } else if constexpr (std::is_same_v<V, double>) {
    if (dtype == DType::Float64) return load_group_as<double>(p, i, out), true;
  } else {
    if (dtype == DType::Int64) return load_group_as<int64_t>(p, i, out), true;
    if (dtype == DType::Int32) return load_group_as<int32_t>(p, i, out), true;
  }
  if (dtype == DType::Bool) return load_group_as<bool>(p, i, out), true;
  return false;
}
template <class V>
WEFT_DEVICE bool store_group(void* p, DType dtype, int64_t i, const V* in) {
  if constexpr (std::is_same_v<V, float>) {
    if (dtype == DType::Float32) return store_group_as<float>(p, i, in), true;
    if (dtype == DType::BFloat16) return store_group_as<bfloat16>(p, i, in), true;
    if (dtype == DType::Float16) return store_group_as<float16>(p, i, in), true;
  } else if constexpr (std::is_same_v<V, double>) {
    if (dtype == DType::Float64) return store_group_as<double>(p, i, in), true;
  } else {
    if (dtype == DType::Int64) return store_group_as<int64_t>(p, i, in), true;
    if (dtype == DType::Int32) return store_group_as<int32_t>(p, i, in), true;
  }
  if (dtype == DType::Bool) return store_group_as<bool>(p, i, in), true;
  return false;
}

}  // namespace weft::cuda
