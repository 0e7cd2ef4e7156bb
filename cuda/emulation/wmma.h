// Warp matrix products of 16x16x16, as nvcuda::wmma gives them. Element e of a tile lies in lane e / 8, place e % 8;
// on a GPU the layout is unspecified, so a kernel that relies on one is wrong in either case.
#pragma once

#include "base/half.h"
#include "emulation/cuda.h"

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment {
  static_assert(M == 16 && N == 16 && K == 16);
  static constexpr int num_elements = 8;
  T x[8];
};

inline void check(const void* p, unsigned stride, size_t size) {
  if (reinterpret_cast<uintptr_t>(p) % 32 || stride * size % 16)
    ::weft::emulation::fail("a matrix tile is not 32-byte aligned, or its rows not 16-byte");
}

template <class Use, class T, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout>& f, const T* p, unsigned stride) {
  check(p, stride, sizeof(T));
  for (int i = 0; i < 8; ++i) {
    int e = ::weft::emulation::lane() * 8 + i, r = e / 16, c = e % 16;
    f.x[i] = std::is_same_v<Layout, col_major> ? p[c * stride + r] : p[r * stride + c];
  }
  __syncwarp();
}
template <class T>
void store_matrix_sync(T* p, const fragment<accumulator, 16, 16, 16, T>& f, unsigned stride, layout_t) {
  check(p, stride, sizeof(T));
  for (int i = 0; i < 8; ++i) {
    int e = ::weft::emulation::lane() * 8 + i;
    p[e / 16 * stride + e % 16] = f.x[i];
  }
  __syncwarp();
}
template <class F, class T>
void fill_fragment(F& f, T value) {
  for (auto& x : f.x) x = value;
}

template <class T, class LA, class LB>
void mma_sync(fragment<accumulator, 16, 16, 16, float>& d, const fragment<matrix_a, 16, 16, 16, T, LA>& a,
              const fragment<matrix_b, 16, 16, 16, T, LB>& b, const fragment<accumulator, 16, 16, 16, float>& c) {
  void** scratch = ::weft::emulation::warp_scratch();
  int lane = ::weft::emulation::lane();
  scratch[lane] = const_cast<T*>(a.x);
  scratch[32 + lane] = const_cast<T*>(b.x);
  __syncwarp();
  float sums[8];
  for (int i = 0; i < 8; ++i) {
    int e = lane * 8 + i, row = e / 16, col = e % 16;
    sums[i] = c.x[i];
    for (int k = 0; k < 16; ++k) {
      int ea = row * 16 + k, eb = k * 16 + col;
      sums[i] += ::weft::to_float(static_cast<T*>(scratch[ea / 8])[ea % 8]) *
                 ::weft::to_float(static_cast<T*>(scratch[32 + eb / 8])[eb % 8]);
    }
  }
  __syncwarp();
  for (int i = 0; i < 8; ++i) d.x[i] = sums[i];
}

}  // namespace nvcuda::wmma
