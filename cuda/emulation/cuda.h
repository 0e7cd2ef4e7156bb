// What nvcc predefines, for a plain C++ compiler: included by device.cuh in place of the toolkit's headers.
#pragma once

#include <cmath>
#include <type_traits>

#include "emulation/scheduler.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __grid_constant__

#define WEFT_LAUNCH(kernel, grid, block, shared_bytes, ...) \
  ::weft::emulation::launch_body(grid, block, shared_bytes, [=] { kernel(__VA_ARGS__); })
#define WEFT_SHARED(T, name, ...)                                   \
  static ::weft::emulation::SharedSlot<T __VA_ARGS__> name##_slot_; \
  auto& name = name##_slot_.get()
#define WEFT_DYNAMIC_SHARED(T, name) T* name = static_cast<T*>(::weft::emulation::dynamic_shared())

inline void __syncthreads() { ::weft::emulation::block_barrier(); }
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu) { ::weft::emulation::ballot(mask, false); }
inline unsigned __ballot_sync(unsigned mask, int predicate) { return ::weft::emulation::ballot(mask, predicate != 0); }
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == mask; }

template <class T>
T __shfl_sync(unsigned mask, T value, int source) {
  static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = ::weft::emulation::exchange(mask, bits, source & 31);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes) {
  return __shfl_sync(mask, value, ::weft::emulation::lane() ^ lanes);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta) {
  int source = ::weft::emulation::lane() + (int)delta;
  return __shfl_sync(mask, value, source < 32 ? source : ::weft::emulation::lane());
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta) {
  int source = ::weft::emulation::lane() - (int)delta;
  return __shfl_sync(mask, value, source >= 0 ? source : ::weft::emulation::lane());
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value) {
  unsigned same = 0;
  for (int l = 0; l < 32; ++l)
    if (mask >> l & 1) same |= (unsigned)(__shfl_sync(mask, value, l) == value) << l;
  return same;
}

// Nothing interrupts a thread between two blocking calls, so plain arithmetic is atomic here.
template <class T>
T atomicAdd(T* p, T v) {
  T old = *p;
  *p = old + v;
  return old;
}
template <class T>
T atomicMax(T* p, T v) {
  T old = *p;
  if (v > old) *p = v;
  return old;
}

template <class T>
T atomicMin(T* p, T v) {
  T old = *p;
  if (v < old) *p = v;
  return old;
}

template <class T>
T __ldg(const T* p) {
  return *p;
}
inline void __threadfence() {}
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }

inline void __pipeline_memcpy_async(void* to, const void* from, size_t bytes) {
  ::weft::emulation::copy_async(to, from, bytes);
}
inline void __pipeline_commit() { ::weft::emulation::commit_copies(); }
inline void __pipeline_wait_prior(int but_last) { ::weft::emulation::wait_copies(but_last); }
