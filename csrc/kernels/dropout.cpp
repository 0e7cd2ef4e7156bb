#include "kernels/dropout.h"

#include "base/threads.h"
#include "simd/philox.h"

namespace weft::WEFT_ISA {
namespace {

WEFT_INLINE f32v factors(u32v words, uint32_t drop_below, f32v scale) {
  return vselect((i32v)(words >= drop_below), scale, f32v{});
}

// The tail goes through a buffer, so that the stream is read in whole batches.
template <class T>
void dropout(const Dropout& a) {
  T* y = static_cast<T*>(a.y);
  const T* x = static_cast<const T*>(a.x);
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  f32v scale = splat<f32v>((float)a.scale);
  parallel_ranges(a.n, 16 * 1024, [&](int64_t begin, int64_t end) {
    constexpr int kLanes = lanes<f32v>;
    int64_t i = begin;
    for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
      PhiloxWords w = philox_words(seed, offset, (uint64_t)i / 4);
      for (int h = 0; h < 2; ++h)
        store_f32(y + i + h * kLanes, load_f32(x + i + h * kLanes) * factors(w.v[h], a.drop_below, scale));
    }
    if (i < end) {
      PhiloxWords w = philox_words(seed, offset, (uint64_t)i / 4);
      for (int h = 0; h < 2 && i < end; ++h, i += kLanes) {
        int64_t n = end - i < kLanes ? end - i : kLanes;
        store_f32_n(y + i, load_f32_n(x + i, n) * factors(w.v[h], a.drop_below, scale), n);
      }
    }
  });
}

template <>
void dropout<double>(const Dropout& a) {
  double* y = static_cast<double*>(a.y);
  const double* x = static_cast<const double*>(a.x);
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  parallel_ranges(a.n, 16 * 1024, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kPhiloxWords) {
      PhiloxWords w = philox_words(seed, offset, (uint64_t)i / 4);
      int64_t n = end - i < kPhiloxWords ? end - i : kPhiloxWords;
      for (int64_t k = 0; k < n; ++k) {
        uint32_t word = w.v[k / lanes<u32v>][k % lanes<u32v>];
        y[i + k] = x[i + k] * (word >= a.drop_below ? a.scale : 0.0);
      }
    }
  });
}

void apply(const Dropout& a) {
  switch (a.dtype) {
    case DType::Float16: return dropout<float16>(a);
    case DType::BFloat16: return dropout<bfloat16>(a);
    case DType::Float64: return dropout<double>(a);
    default: return dropout<float>(a);
  }
}

}  // namespace

void fill(DropoutKernels& k) { k.apply = apply; }

}  // namespace weft::WEFT_ISA
