#include "kernels/arg_reduce.h"

#include "base/threads.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t kGrain = 32768;  // elements of a piece of work
constexpr int kTile = 256;         // columns beside each other

template <class A>
constexpr A worst(bool max) {
  if constexpr (is_floating(dtype_of<A>)) return max ? -(A)__builtin_inf() : (A)__builtin_inf();
  return (A)(max ? (uint64_t)1 << 63 : ~((uint64_t)1 << 63));
}

// The extreme first, then where it stands: two simple passes over a row beat one that carries positions along.
template <bool Max, class T>
int64_t arg_row(const T* x, int64_t n) {
  using V = row_vec<T>;
  constexpr int w = lanes<V>;
  constexpr auto start = worst<compute_of<T>>(Max);
  V best = fold_over<V>(
      n, splat<V>(start), [](V p, V q) { return Max ? vmax(p, q) : vmin(p, q); },
      [=](V& m, int64_t j, auto io) {
        V v = io.keep(io.load(x + j), start);
        m = Max ? vmax(m, v) : vmin(m, v);
      });
  best = splat<V>(Max ? hmax(best) : hmin(best));
  int64_t j = 0;
  auto hit = [=](V v) { return (v == best) | (v != v); };  // a NaN in the row is its extreme
  for (; j + 4 * w <= n; j += 4 * w) {
    auto found = hit(AllLanes::load(x + j)) | hit(AllLanes::load(x + j + w)) | hit(AllLanes::load(x + j + 2 * w)) |
                 hit(AllLanes::load(x + j + 3 * w));
    if (hmin(found) != 0) break;
  }
  for (; j < n - 1; ++j) {
    auto v = to_compute(x[j]);
    if (v == best[0] || v != v) break;
  }
  return j;
}

template <bool Max, class T>
void arg_columns(int64_t* indices, const T* x, int64_t n, int64_t inner, int64_t width) {
  using V = row_vec<T>;
  using Mask = mask_of<V>;
  using Position = scalar_of<Mask>;
  compute_of<T> best[kTile];
  Position at[kTile];
  for (int64_t j = 0; j < width; ++j) {
    best[j] = to_compute(x[j]);
    at[j] = 0;
  }
  for (int64_t i = 1; i < n; ++i) {
    const T* row = x + i * inner;
    auto step = [&](int64_t j, V v) {
      V b = load<V>(best + j);
      Mask better = ((Max ? v > b : v < b) | (v != v)) & (b == b);
      store<V>(best + j, better ? v : b);
      store<Mask>(at + j, better ? splat<Mask>((Position)i) : load<Mask>(at + j));
    };
    int64_t j = 0;
    for (; j + lanes<V> <= width; j += lanes<V>) step(j, AllLanes::load(row + j));
    if (j < width) step(j, FirstLanes{width - j}.load(row + j));
  }
  for (int64_t j = 0; j < width; ++j) indices[j] = at[j];
}

template <bool Max, class T>
void arg_reduce_of(const ArgReduce& a) {
  const T* x = (const T*)a.x;
  if (a.inner == 1) {
    parallel_ranges(a.outer, kGrain / a.n, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) a.indices[i] = arg_row<Max>(x + i * a.n, a.n);
    });
    return;
  }
  int64_t tiles = (a.inner + kTile - 1) / kTile, width = a.inner < kTile ? a.inner : kTile;
  parallel_ranges(a.outer * tiles, kGrain / (a.n * width + 1), [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) {
      int64_t o = u / tiles, j = u % tiles * kTile, left = a.inner - j;
      arg_columns<Max>(a.indices + o * a.inner + j, x + o * a.n * a.inner + j, a.n, a.inner,
                       left < kTile ? left : kTile);
    }
  });
}

void arg_reduce(const ArgReduce& a) {
  switch (a.dtype) {
    case DType::Float16: return a.max ? arg_reduce_of<true, float16>(a) : arg_reduce_of<false, float16>(a);
    case DType::BFloat16: return a.max ? arg_reduce_of<true, bfloat16>(a) : arg_reduce_of<false, bfloat16>(a);
    case DType::Float32: return a.max ? arg_reduce_of<true, float>(a) : arg_reduce_of<false, float>(a);
    case DType::Float64: return a.max ? arg_reduce_of<true, double>(a) : arg_reduce_of<false, double>(a);
    default: return a.max ? arg_reduce_of<true, int64_t>(a) : arg_reduce_of<false, int64_t>(a);
  }
}

template <class T, bool Put>
void move(const ArgMove& a) {
  T *y = (T*)a.y, *x = (T*)a.x;
  int64_t slice = Put ? a.n * a.inner : a.inner;
  parallel_ranges(a.outer, kGrain / (slice + 1), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) {
      T* to = x + o * a.n * a.inner;
      if (Put) __builtin_memset(to, 0, sizeof(T) * (size_t)slice);
      for (int64_t i = 0; i < a.inner; ++i) {
        int64_t k = o * a.inner + i;
        if (Put)
          to[a.indices[k] * a.inner + i] = y[k];
        else
          y[k] = to[a.indices[k] * a.inner + i];
      }
    }
  });
}

template <bool Put>
void move_sized(const ArgMove& a) {
  switch (size_of(a.dtype)) {
    case 1: return move<uint8_t, Put>(a);
    case 2: return move<uint16_t, Put>(a);
    case 4: return move<uint32_t, Put>(a);
    default: return move<uint64_t, Put>(a);
  }
}

}  // namespace

void fill(ArgReduceKernels& k) {
  k.arg_reduce = arg_reduce;
  k.take = move_sized<false>;
  k.put = move_sized<true>;
}

}  // namespace weft::WEFT_ISA
