#include "kernels/copy.h"

#include "base/threads.h"
#include "kernels/strided.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {

constexpr int64_t kGrain = 32768;    // elements per piece
constexpr int64_t kShortRow = 4096;  // bytes

// A row within a cache: the C library's way to choose one costs more.
static void move_bytes(char* dst, const char* src, int64_t n) {
  typedef char Bytes __attribute__((vector_size(WEFT_VEC_BYTES), aligned(1), may_alias));
  constexpr int64_t size = sizeof(Bytes);
  if (n < size || n > kShortRow) {
    __builtin_memcpy(dst, src, (size_t)n);
    return;
  }
  const Bytes last = *(const Bytes*)(src + n - size);  // overlaps, and dst may be src
  for (int64_t i = 0; i + size < n; i += size) *(Bytes*)(dst + i) = *(const Bytes*)(src + i);
  *(Bytes*)(dst + n - size) = last;
}

static void copy_row(char* dst, int64_t dst_stride, const char* src, int64_t src_stride, int64_t n, const Copy& a,
                     Convert convert) {
  int64_t ds = size_of(a.dst_dtype), ss = size_of(a.src_dtype);
  if (dst_stride == 1 && src_stride == 1)
    return a.dst_dtype == a.src_dtype ? move_bytes(dst, src, n * ds) : convert(dst, src, n);
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

template <int Bytes>
struct WordOf {
  using type = int32_t;
};
template <>
struct WordOf<8> {
  using type = int64_t;
};
template <int Bytes>
using Word = typename WordOf<Bytes>::type;

constexpr int64_t kBandBytes = 128, kCut = 2048;  // of a piece that is turned around: bytes of its rows, columns

// Square blocks of elements of one size; those of less than 4 bytes are as wide as 4 in a register.
template <class T>
struct Square {
  using V = vec_of<Word<sizeof(T)>>;
  using S = scalar_of<V>;
  static constexpr int L = lanes<V>;
  typedef T Elements __attribute__((vector_size(L * sizeof(T)), aligned(alignof(T)), may_alias));

  WEFT_INLINE V get(const T* p, int64_t n) {
    if (n == L) return __builtin_convertvector(*(const Elements*)p, V);
    if constexpr (sizeof(T) == sizeof(S)) return load_n<V>((const S*)p, n);
    V v{};
    for (int64_t i = 0; i < n; ++i) v[i] = p[i];
    return v;
  }
  WEFT_INLINE void put(T* p, V v, int64_t n) {
    if (n == L) {
      *(Elements*)p = __builtin_convertvector(v, Elements);
    } else if constexpr (sizeof(T) == sizeof(S)) {
      store_n<V>((S*)p, v, n);
    } else {
      for (int64_t i = 0; i < n; ++i) p[i] = (T)v[i];
    }
  }
  // dst[i * step + j] = src[j * row + i]
  WEFT_INLINE void turn(T* dst, int64_t step, const T* src, int64_t row) {
    V v[L];
#pragma GCC unroll 16
    for (int j = 0; j < L; ++j) v[j] = get(src + j * row, L);
    transpose(v);
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) put(dst + i * step, v[i], L);
  }
  // The same for i < ni and j < nj, both at most L.
  static __attribute__((noinline)) void turn_part(T* dst, int64_t step, const T* src, int64_t row, int64_t ni,
                                                  int64_t nj) {
    V v[L] = {};
#pragma GCC unroll 1
    for (int64_t j = 0; j < nj; ++j) v[j] = get(src + j * row, ni);
    transpose(v);
#pragma GCC unroll 1
    for (int64_t i = 0; i < ni; ++i) put(dst + i * step, v[i], nj);
  }
};

// What is next is brought into the second cache: many rows fall into one set of the first.
template <class T>
static void turn_band(T* dst, int64_t step, const T* src, int64_t row, int64_t ni, int64_t nj) {
  constexpr int L = Square<T>::L;
  for (int64_t j = 0; j < nj; j += L) {
    for (int64_t k = j + L; k < nj && k < j + 2 * L; ++k)
      for (int64_t b = 0; b < kBandBytes; b += 64) __builtin_prefetch((const char*)(src + k * row) + b, 0, 2);
    for (int64_t i = 0; i < ni; i += L) {
      const T* from = src + j * row + i;
      T* to = dst + i * step + j;
      if (ni - i >= L && nj - j >= L)
        Square<T>::turn(to, step, from, row);
      else
        Square<T>::turn_part(to, step, from, row, ni - i < L ? ni - i : L, nj - j < L ? nj - j : L);
    }
  }
}

// The destination moves fastest along its last dimension, the source along dimension t: bands of the
// source two cache lines wide, each of which is read once and whole.
template <class T>
static void copy_transposing(const Copy& a, int t) {
  constexpr int64_t kBand = kBandBytes / sizeof(T);
  int last = a.ndim - 1;
  int64_t shape[kMaxDims], ds[kMaxDims], ss[kMaxDims];  // the dimensions outside of the tiles
  int n = 0;
  for (int d = 0; d < last; ++d) {
    if (d == t) continue;
    shape[n] = a.shape[d], ds[n] = a.dst_strides[d], ss[n] = a.src_strides[d];
    ++n;
  }
  const int64_t ni = a.shape[t], step = a.dst_strides[t], bands = (ni + kBand - 1) / kBand;
  const int64_t nj = a.shape[last], row = a.src_strides[last], cuts = (nj + kCut - 1) / kCut;
  const int64_t units = Walk<2>::rows(n, shape) * bands * cuts, width = nj < kCut ? nj : kCut;
  T* dst = static_cast<T*>(a.dst);
  const T* src = static_cast<const T*>(a.src);
  parallel_ranges(units, kGrain / (kBand * width) + 1, [&](int64_t begin, int64_t end) {
    Walk<2> w{n, shape, {ds, ss}, {}, {}};
    for (int64_t u = begin; u < end; ++u) {
      w.seek(u / (bands * cuts));
      const int64_t i = u / cuts % bands * kBand, j = u % cuts * kCut;
      turn_band(dst + w.offset[0] + i * step + j, step, src + w.offset[1] + i + j * row, row,
                ni - i < kBand ? ni - i : kBand, nj - j < kCut ? nj - j : kCut);
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

// Rows that may be far apart: the processor does not guess where the next ones are.
static void copy_short_rows(const Copy& a, int64_t rows, int64_t bytes) {
  constexpr int64_t kFetched = 6;  // rows
  const int64_t size = size_of(a.dst_dtype), n = a.shape[a.ndim - 2];
  const int64_t to_next = a.dst_strides[a.ndim - 2] * size, from_next = a.src_strides[a.ndim - 2] * size;
  parallel_ranges(rows, kGrain / (bytes / size), [&](int64_t begin, int64_t end) {
    Walk<2> w{a.ndim - 1, a.shape, {a.dst_strides, a.src_strides}, {}, {}};
    while (begin < end) {
      w.seek(begin);
      const int64_t left = n - begin % n, run = left < end - begin ? left : end - begin;
      char* dst = (char*)a.dst + w.offset[0] * size;
      const char* src = (const char*)a.src + w.offset[1] * size;
      for (int64_t i = 0; i < run; ++i, dst += to_next, src += from_next) {
        for (int64_t b = 0; b < bytes; b += 64) __builtin_prefetch(src + kFetched * from_next + b);
        move_bytes(dst, src, bytes);
      }
      begin += run;
    }
  });
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
  if (a.dst_dtype == a.src_dtype && dst_stride == 1 && src_stride == 1 && a.ndim > 1 && inner * ds <= kShortRow)
    return copy_short_rows(a, rows, inner * ds);
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
