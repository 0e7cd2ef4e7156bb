#include "kernels/copy.h"

#include "base/threads.h"
#include "kernels/strided.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {

constexpr int64_t kGrain = 32768;  // elements per piece
constexpr int64_t kTile = 32;

static void copy_row(char* dst, int64_t dst_stride, const char* src, int64_t src_stride, int64_t n, const Copy& a,
                     Convert convert) {
  int64_t ds = size_of(a.dst_dtype), ss = size_of(a.src_dtype);
  if (dst_stride == 1 && src_stride == 1) return convert(dst, src, n);
  if (a.dst_dtype == a.src_dtype && dst_stride == 1) return gather(dst, src, src_stride, n, ds);
  constexpr int64_t chunk = 256;
  alignas(64) char from[chunk * 8], to[chunk * 8];
  for (int64_t i = 0; i < n; i += chunk) {
    int64_t m = n - i < chunk ? n - i : chunk;
    gather(from, src + i * src_stride * ss, src_stride, m, ss);
    convert(to, from, m);
    scatter(dst + i * dst_stride * ds, dst_stride, to, m, ds);
  }
}

typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef u32x4 u32x4_memory __attribute__((aligned(4), may_alias));

// dst[i * dst_stride + j] = src[j * src_stride + i] over a tile.
template <class T>
static void transpose_tile(T* dst, int64_t dst_stride, const T* src, int64_t src_stride, int64_t ni, int64_t nj) {
  int64_t i = 0;
  if constexpr (sizeof(T) == 4) {
    for (; i + 4 <= ni; i += 4) {
      int64_t j = 0;
      for (; j + 4 <= nj; j += 4) {
        const T* s = src + j * src_stride + i;
        u32x4 a = *(const u32x4_memory*)s, b = *(const u32x4_memory*)(s + src_stride);
        u32x4 c = *(const u32x4_memory*)(s + 2 * src_stride), d = *(const u32x4_memory*)(s + 3 * src_stride);
        u32x4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
        u32x4 AB = __builtin_shufflevector(a, b, 2, 6, 3, 7), CD = __builtin_shufflevector(c, d, 2, 6, 3, 7);
        T* t = dst + i * dst_stride + j;
        *(u32x4_memory*)t = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
        *(u32x4_memory*)(t + dst_stride) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
        *(u32x4_memory*)(t + 2 * dst_stride) = __builtin_shufflevector(AB, CD, 0, 1, 4, 5);
        *(u32x4_memory*)(t + 3 * dst_stride) = __builtin_shufflevector(AB, CD, 2, 3, 6, 7);
      }
      for (; j < nj; ++j)
        for (int k = 0; k < 4; ++k) dst[(i + k) * dst_stride + j] = src[j * src_stride + i + k];
    }
  }
  for (; i < ni; ++i)
    for (int64_t j = 0; j < nj; ++j) dst[i * dst_stride + j] = src[j * src_stride + i];
}

// The destination moves fastest along its last dimension, the source along dimension t: square tiles of both.
template <class T>
static void copy_transposing(const Copy& a, int t) {
  int last = a.ndim - 1;
  int64_t shape[kMaxDims], ds[kMaxDims], ss[kMaxDims];  // the dimensions outside of the tiles
  int n = 0;
  for (int d = 0; d < last; ++d) {
    if (d == t) continue;
    shape[n] = a.shape[d], ds[n] = a.dst_strides[d], ss[n] = a.src_strides[d];
    ++n;
  }
  int64_t ni = a.shape[t], nj = a.shape[last], bands = (ni + kTile - 1) / kTile;
  int64_t units = Walk<2>::rows(n, shape) * bands;
  T* dst = static_cast<T*>(a.dst);
  const T* src = static_cast<const T*>(a.src);
  parallel_ranges(units, kGrain / (kTile * nj) + 1, [&](int64_t begin, int64_t end) {
    Walk<2> w{n, shape, {ds, ss}, {}, {}};
    for (int64_t u = begin; u < end; ++u) {
      w.seek(u / bands);
      int64_t i = u % bands * kTile, mi = ni - i < kTile ? ni - i : kTile;
      for (int64_t j = 0; j < nj; j += kTile)
        transpose_tile(dst + w.offset[0] + i * a.dst_strides[t] + j, a.dst_strides[t],
                       src + w.offset[1] + i + j * a.src_strides[last], a.src_strides[last], mi,
                       nj - j < kTile ? nj - j : kTile);
    }
  });
}

static int transposed_dim(const Copy& a) {
  int last = a.ndim - 1;
  if (a.dst_dtype != a.src_dtype || a.ndim < 2 || a.dst_strides[last] != 1 || a.src_strides[last] == 1 ||
      a.src_strides[last] == 0 || a.shape[last] < 4)
    return -1;
  for (int d = 0; d < last; ++d)
    if (a.src_strides[d] == 1 && a.shape[d] >= 4) return d;
  return -1;
}

static void copy(const Copy& a) {
  int64_t rows = Walk<2>::rows(a.ndim - 1, a.shape);
  int last = a.ndim - 1;
  int64_t inner = a.ndim ? a.shape[last] : 1, dst_stride = a.ndim ? a.dst_strides[last] : 1,
          src_stride = a.ndim ? a.src_strides[last] : 1;
  if (rows * inner == 0) return;
  if (int t = transposed_dim(a); t >= 0) {
    switch (size_of(a.dst_dtype)) {
      case 1: return copy_transposing<uint8_t>(a, t);
      case 2: return copy_transposing<uint16_t>(a, t);
      case 4: return copy_transposing<uint32_t>(a, t);
      default: return copy_transposing<uint64_t>(a, t);
    }
  }
  Convert convert = converter(a.dst_dtype, a.src_dtype);
  int64_t ds = size_of(a.dst_dtype), ss = size_of(a.src_dtype);
  // Long rows are cut into blocks, short ones are gathered into pieces.
  int64_t block = inner < kGrain ? inner : kGrain, blocks = (inner + block - 1) / block;
  parallel_ranges(rows * blocks, kGrain / block, [&](int64_t begin, int64_t end) {
    Walk<2> w{a.ndim - 1, a.shape, {a.dst_strides, a.src_strides}, {}, {}};
    w.seek(begin / blocks);
    for (int64_t u = begin; u < end; ++u) {
      int64_t i = u % blocks * block, m = inner - i < block ? inner - i : block;
      copy_row((char*)a.dst + (w.offset[0] + i * dst_stride) * ds, dst_stride,
               (const char*)a.src + (w.offset[1] + i * src_stride) * ss, src_stride, m, a, convert);
      if ((u + 1) % blocks == 0) w.next();
    }
  });
}

template <class T>
static void fill_row(void* dst, int64_t stride, int64_t n, uint64_t bits) {
  T* p = static_cast<T*>(dst);
  if (stride == 1)
    for (int64_t i = 0; i < n; ++i) p[i] = (T)bits;
  else
    for (int64_t i = 0; i < n; ++i) p[i * stride] = (T)bits;
}

static void fill_strided(const Fill& a) {
  int64_t rows = Walk<1>::rows(a.ndim - 1, a.shape);
  int64_t inner = a.ndim ? a.shape[a.ndim - 1] : 1, stride = a.ndim ? a.strides[a.ndim - 1] : 1;
  if (rows * inner == 0) return;
  auto* row = a.itemsize == 1   ? fill_row<uint8_t>
              : a.itemsize == 2 ? fill_row<uint16_t>
              : a.itemsize == 4 ? fill_row<uint32_t>
                                : fill_row<uint64_t>;
  int64_t block = inner < kGrain ? inner : kGrain, blocks = (inner + block - 1) / block;
  parallel_ranges(rows * blocks, kGrain / block, [&](int64_t begin, int64_t end) {
    Walk<1> w{a.ndim - 1, a.shape, {a.strides}, {}, {}};
    w.seek(begin / blocks);
    for (int64_t u = begin; u < end; ++u) {
      int64_t i = u % blocks * block, m = inner - i < block ? inner - i : block;
      row((char*)a.dst + (w.offset[0] + i * stride) * a.itemsize, stride, m, a.bits);
      if ((u + 1) % blocks == 0) w.next();
    }
  });
}

void fill(CopyKernels& k) {
  k.copy = copy;
  k.fill = fill_strided;
}

}  // namespace weft::WEFT_ISA
