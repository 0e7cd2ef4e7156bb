#include "kernels/random.h"

#include "base/threads.h"
#include "simd/math.h"
#include "simd/philox.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t kGrain = 16 * 1024;  // elements a piece; a multiple of every batch
constexpr int kLanes = lanes<f32v>;
constexpr double kTwoPi = 6.283185307179586477;

// make(index of the first element, two vectors): kPhiloxWords elements, two vectors of them, from one batch of blocks.
template <class T, class F>
WEFT_INLINE void fill_float(T* y, int64_t n, const F& make) {
  parallel_ranges(n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 2 * kLanes) {
      f32v v[2];
      make(i, v);
      for (int h = 0; h < 2; ++h) {
        int64_t at = i + h * kLanes;
        if (at + kLanes <= end)
          store_f32(y + at, v[h]);
        else if (at < end)
          store_f32_n(y + at, v[h], end - at);
      }
    }
  });
}

template <class T>
void uniform(const RandomFill& a) {
  constexpr int kBits = sizeof(T) == 4 ? 24 : dtype_of<T> == DType::Float16 ? 11 : 8;
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  float low = (float)a.a, width = (float)(a.b - a.a), unit = 1.0f / (float)(1 << kBits);
  fill_float(static_cast<T*>(a.y), a.n, [&](int64_t i, f32v* v) {
    PhiloxWords w = philox_words(seed, offset, (uint64_t)i / 4);
    for (int h = 0; h < 2; ++h) v[h] = to_f32((i32v)(w.v[h] >> (32 - kBits))) * unit * width + low;
  });
}

// Cosine and sine of 2 pi w / 2^32. The nearest quarter turn is split off in integers, the rest is at most pi / 4.
WEFT_INLINE void turn(u32v w, f32v& cosine, f32v& sine) {
  u32v quarter = (w + 0x20000000u) >> 30;
  f32v r = to_f32((i32v)(w - (quarter << 30))) * (float)(kTwoPi / 4294967296.0), z = r * r;
  f32v s = r + r * z * ((z * -0.00019514956625282229f + 0.008332158400213192f) * z + -0.16666654572929404f);
  f32v c = 1.0f - 0.5f * z;
  c += z * z * ((z * 2.443278332004658e-05f + -0.0013887313044666225f) * z + 0.041666645618354425f);
  i32v odd = (i32v)((quarter & 1u) != 0u);
  u32v flip_c = ((quarter + 1u) & 2u) << 30, flip_s = (quarter & 2u) << 30;
  cosine = (f32v)((u32v)vselect(odd, s, c) ^ flip_c);
  sine = (f32v)((u32v)vselect(odd, c, s) ^ flip_s);
}

template <class T>
void normal(const RandomFill& a) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  float mean = (float)a.a, deviation = (float)a.b;
  fill_float(static_cast<T*>(a.y), a.n, [&](int64_t i, f32v* v) {
    PhiloxLanes l = philox_lanes(seed, offset, (uint64_t)i / 4);
    u32v u = pair_up(l.w[0], l.w[2]);
    // In (0, 1]; the top 31 bits, because conversions are signed.
    f32v radius = vsqrt(-2.0f * vlog(to_f32((i32v)(u >> 1)) * 0x1p-31f + 0x1p-33f)) * deviation;
    turn(pair_up(l.w[1], l.w[3]), v[0], v[1]);
    v[0] = v[0] * radius + mean;
    v[1] = v[1] * radius + mean;
    interleave32(v[0], v[1]);
  });
}

WEFT_INLINE uint64_t word64(uint64_t seed, uint64_t offset, int64_t i) {
  Philox4 b = philox(seed, offset, (uint64_t)i / 2);
  int k = (i & 1) * 2;
  return (uint64_t)b.v[k + 1] << 32 | b.v[k];
}
WEFT_INLINE double unit53(uint64_t w) { return (double)(int64_t)(w >> 11) * 0x1p-53; }

void uniform_double(const RandomFill& a) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  parallel_ranges(a.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      static_cast<double*>(a.y)[i] = unit53(word64(seed, offset, i)) * (a.b - a.a) + a.a;
  });
}

void normal_double(const RandomFill& a) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  double* y = static_cast<double*>(a.y);
  parallel_ranges(a.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 2) {
      double u = 1 - unit53(word64(seed, offset, i));
      double angle = kTwoPi * unit53(word64(seed, offset, i + 1));
      double radius = __builtin_sqrt(-2 * __builtin_log(u)) * a.b;
      y[i] = radius * __builtin_cos(angle) + a.a;
      if (i + 1 < end) y[i + 1] = radius * __builtin_sin(angle) + a.a;
    }
  });
}

WEFT_INLINE uint64_t scale64(uint64_t w, uint64_t range) {
  return range ? (uint64_t)(((unsigned __int128)w * range) >> 64) : w;
}

template <class T>
WEFT_INLINE void put_int(T* y, int64_t v) {
  if constexpr (is_half(dtype_of<T>))
    from_float(y, (float)v);
  else
    *y = (T)v;
}

template <class T>
void integer(const RandomFill& a) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  parallel_ranges(a.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      put_int(static_cast<T*>(a.y) + i, (int64_t)((uint64_t)a.low + scale64(word64(seed, offset, i), a.range)));
  });
}

WEFT_INLINE double probability(const void* p, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::Float16: return to_float(static_cast<const float16*>(p)[i]);
    case DType::BFloat16: return to_float(static_cast<const bfloat16*>(p)[i]);
    case DType::Float64: return static_cast<const double*>(p)[i];
    default: return static_cast<const float*>(p)[i];
  }
}

template <class T>
void bernoulli(const RandomFill& a) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  parallel_ranges(a.n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += kPhiloxWords) {
      PhiloxWords w = philox_words(seed, offset, (uint64_t)i / 4);
      int64_t n = end - i < kPhiloxWords ? end - i : kPhiloxWords;
      for (int64_t k = 0; k < n; ++k) {
        double u = philox_uniform(w.v[k / kLanes][k % kLanes]), p = a.p ? probability(a.p, a.p_dtype, i + k) : a.a;
        put_int(static_cast<T*>(a.y) + i + k, u < p);
      }
    }
  });
}

#define WEFT_FLOATS(function, in_double)                \
  switch (a.dtype) {                                    \
    case DType::Float16: return function<float16>(a);   \
    case DType::BFloat16: return function<bfloat16>(a); \
    case DType::Float32: return function<float>(a);     \
    default: return in_double(a);                       \
  }
#define WEFT_ALL(function)                              \
  switch (a.dtype) {                                    \
    case DType::Bool: return function<bool>(a);         \
    case DType::UInt8: return function<uint8_t>(a);     \
    case DType::Int8: return function<int8_t>(a);       \
    case DType::Int16: return function<int16_t>(a);     \
    case DType::Int32: return function<int32_t>(a);     \
    case DType::Int64: return function<int64_t>(a);     \
    case DType::Float16: return function<float16>(a);   \
    case DType::BFloat16: return function<bfloat16>(a); \
    case DType::Float32: return function<float>(a);     \
    case DType::Float64: return function<double>(a);    \
  }

void fill_random(const RandomFill& a) {
  switch (a.kind) {
    case RandomKind::Uniform: WEFT_FLOATS(uniform, uniform_double)
    case RandomKind::Normal: WEFT_FLOATS(normal, normal_double)
    case RandomKind::Integer: WEFT_ALL(integer) break;
    case RandomKind::Bernoulli: WEFT_ALL(bernoulli) break;
  }
}

void choice(const RandomChoice& a) {
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  parallel_ranges(a.rows * a.samples, kGrain / 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double* cdf = a.cdf + i / a.samples * a.cols;
      double total = cdf[a.cols - 1], t = unit53(word64(seed, offset, i)) * total;
      t = t < total ? t : __builtin_nextafter(total, 0);  // the product may round up
      int64_t low = 0, high = a.cols - 1;
      while (low < high) {
        int64_t middle = (low + high) / 2;
        if (cdf[middle] > t)
          high = middle;
        else
          low = middle + 1;
      }
      a.y[i] = low;
    }
  });
}

// Fisher and Yates, from the end. The partners are drawn in blocks and fetched before they are needed: they lie
// anywhere.
void permutation(const RandomPermutation& a) {
  constexpr int64_t kBlock = 64 * kPhiloxBlocks;  // a multiple of the elements that a vector of blocks serves
  uint64_t seed = seed_of(a.stream), offset = offset_of(a.stream);
  int64_t partner[kBlock];
  for (int64_t i = 0; i < a.n; ++i) a.y[i] = i;
  for (int64_t begin = (a.n - 1) / kBlock * kBlock; begin >= 0; begin -= kBlock) {
    const int64_t end = begin + kBlock < a.n ? begin + kBlock : a.n;
    alignas(64) uint32_t words[kPhiloxWords];
    for (int64_t i = begin; i < end; i += kPhiloxWords / 2) {
      PhiloxWords w = philox_words(seed, offset, (uint64_t)i / 2);
      store<u32v>(words, w.v[0]);
      store<u32v>(words + lanes<u32v>, w.v[1]);
      for (int64_t k = 0; k < kPhiloxWords / 2 && i + k < end; ++k) {
        const uint64_t word = (uint64_t)words[2 * k + 1] << 32 | words[2 * k];
        partner[i - begin + k] = (int64_t)scale64(word, (uint64_t)(i + k) + 1);
        __builtin_prefetch(a.y + partner[i - begin + k], 1);
      }
    }
    for (int64_t i = end - 1; i >= begin && i > 0; --i) {
      const int64_t j = partner[i - begin], t = a.y[i];
      a.y[i] = a.y[j];
      a.y[j] = t;
    }
  }
}

}  // namespace

void fill(RandomKernels& k) {
  k.fill = fill_random;
  k.choice = choice;
  k.permutation = permutation;
}

}  // namespace weft::WEFT_ISA
