// One source for nvcc and, in tests, for a plain C++ compiler (emulation/). A kernel is launched by
//   WEFT_LAUNCH((softmax_rows<float, 4>), grid, block, shared_bytes, args);
// on the current stream, and declares shared memory by WEFT_SHARED(float, tile, [64][33]) or WEFT_DYNAMIC_SHARED.
// Inline PTX stands behind #if !defined(WEFT_EMULATION) and has a portable sibling.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/dtype.h"
#include "base/macros.h"

#if defined(WEFT_EMULATION)
#include "base/half.h"
#include "emulation/cuda.h"
#else
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "runtime/runtime.h"

#define WEFT_LAUNCH(kernel, grid, block, shared_bytes, ...) \
  kernel<<<grid, block, shared_bytes, ::weft::cuda::current_stream()>>>(__VA_ARGS__)
#define WEFT_SHARED(T, name, ...) __shared__ T name __VA_ARGS__
#define WEFT_DYNAMIC_SHARED(T, name)                            \
  extern __shared__ __align__(128) unsigned char weft_shared[]; \
  T* name = reinterpret_cast<T*>(weft_shared)
#endif

#define WEFT_DEVICE __device__ __forceinline__

namespace weft::cuda {

int multiprocessors();  // of the current device

constexpr unsigned kAllLanes = 0xFFFFFFFFu;

// The type that arithmetic on T happens in.
template <class T>
struct WideOf {
  using type = T;
};
template <>
struct WideOf<float16> {
  using type = float;
};
template <>
struct WideOf<bfloat16> {
  using type = float;
};
template <class T>
using Wide = typename WideOf<T>::type;

template <class T>
WEFT_DEVICE T widen(T v) {
  return v;
}
#if defined(WEFT_EMULATION)
WEFT_DEVICE float widen(float16 v) { return to_float(v); }
WEFT_DEVICE float widen(bfloat16 v) { return to_float(v); }
#else
WEFT_DEVICE float widen(float16 v) { return __half2float(__ushort_as_half(v.bits)); }
WEFT_DEVICE float widen(bfloat16 v) { return __bfloat162float(__ushort_as_bfloat16(v.bits)); }
WEFT_DEVICE float16 to_float16(float v) { return {__half_as_ushort(__float2half_rn(v))}; }
WEFT_DEVICE bfloat16 to_bfloat16(float v) { return {__bfloat16_as_ushort(__float2bfloat16_rn(v))}; }
#endif

template <class T>
struct Narrow {
  template <class V>
  static WEFT_DEVICE T from(V v) {
    return (T)v;
  }
};
template <>
struct Narrow<float16> {
  template <class V>
  static WEFT_DEVICE float16 from(V v) {
    return to_float16((float)v);
  }
};
template <>
struct Narrow<bfloat16> {
  template <class V>
  static WEFT_DEVICE bfloat16 from(V v) {
    return to_bfloat16((float)v);
  }
};
template <class T, class V>
WEFT_DEVICE T narrow(V v) {
  return Narrow<T>::from(v);
}

// N elements that move as one access of up to 16 bytes.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T v[N];
};
template <class T>
constexpr int kVector = 16 / (int)sizeof(T);

WEFT_DEVICE void check_aligned([[maybe_unused]] const void* p, [[maybe_unused]] size_t bytes) {
#if defined(WEFT_EMULATION)
  if (reinterpret_cast<uintptr_t>(p) % bytes) emulation::fail("misaligned vector access");
#endif
}
template <int N, class T>
WEFT_DEVICE Vec<T, N> load(const T* p) {
  check_aligned(p, sizeof(T) * N);
  return *reinterpret_cast<const Vec<T, N>*>(p);
}
template <int N, class T>
WEFT_DEVICE void store(T* p, const Vec<T, N>& v) {
  check_aligned(p, sizeof(T) * N);
  *reinterpret_cast<Vec<T, N>*>(p) = v;
}

// Host side.
template <class T>
struct Type {
  using type = T;
};
template <class F>
void dispatch_floating(DType t, const F& f) {
  switch (t) {
    case DType::Float16: return f(Type<float16>{});
    case DType::BFloat16: return f(Type<bfloat16>{});
    case DType::Float64: return f(Type<double>{});
    default: return f(Type<float>{});
  }
}
template <class F>
void dispatch_all(DType t, const F& f) {
  switch (t) {
    case DType::Bool: return f(Type<bool>{});
    case DType::UInt8: return f(Type<uint8_t>{});
    case DType::Int8: return f(Type<int8_t>{});
    case DType::Int16: return f(Type<int16_t>{});
    case DType::Int32: return f(Type<int32_t>{});
    case DType::Int64: return f(Type<int64_t>{});
    default: return dispatch_floating(t, f);
  }
}
// For moving elements unchanged.
template <class F>
void dispatch_size(int64_t itemsize, const F& f) {
  switch (itemsize) {
    case 1: return f(Type<uint8_t>{});
    case 2: return f(Type<uint16_t>{});
    case 4: return f(Type<uint32_t>{});
    default: return f(Type<uint64_t>{});
  }
}
// Whether rows of `cols` elements at these pointers can be read in 16-byte pieces.
template <class T, class... P>
bool vectorizable(int64_t cols, const P*... pointers) {
  return cols % kVector<T> == 0 && ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}
inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
// Blocks for a loop in which a thread takes every so-manieth item: enough to fill the device, no more.
inline unsigned grid_for(int64_t items, int per_block, int blocks_per_multiprocessor = 8) {
  int64_t need = divide_up(items, per_block), most = (int64_t)multiprocessors() * blocks_per_multiprocessor;
  return (unsigned)(need < most ? need : most);
}

}  // namespace weft::cuda
