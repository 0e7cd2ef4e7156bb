// The micro-kernel: some rows of A times some panels of B, accumulated in registers, and what happens to the tile
// before it reaches C. Tile sizes follow "Anatomy of High-Performance Matrix Multiplication" (Goto, van de Geijn 2008):
// enough accumulators to hide the latency of the multiply-add, few enough to leave registers for a row of B.
#pragma once

#include "kernels/matmul/activation.h"
#include "kernels/matmul/bytes.h"

namespace weft::WEFT_ISA::mm {

// B is packed in panels of 64 bytes, whatever the instruction set and the tile: 16 float or 8 double columns.
template <class T>
constexpr int kPanel = 64 / (int)sizeof(T);
constexpr int kPanelVectors = 64 / WEFT_VEC_BYTES;

#if WEFT_AVX512
constexpr int kRows = 8, kWide = 3;  // the tile of the blocked loops: kRows rows, kWide panels
constexpr int rows_for(int panels) { return panels <= 3 ? 8 : panels <= 4 ? 6 : panels <= 6 ? 4 : panels <= 8 ? 2 : 0; }
constexpr int kMaxPanels = 8;
#elif WEFT_AVX2
constexpr int kRows = 6, kWide = 1;
constexpr int rows_for(int panels) { return panels == 1 ? 6 : panels == 2 ? 3 : panels <= 4 ? 1 : 0; }
constexpr int kMaxPanels = 4;
#else
constexpr int kRows = 3, kWide = 1;
constexpr int rows_for(int panels) { return panels == 1 ? 3 : panels == 2 ? 1 : 0; }
constexpr int kMaxPanels = 2;
#endif

// The next smaller width, and the widest tile of `rows` rows.
constexpr int narrower(int panels) { return panels > 4 ? panels - 2 : panels - 1; }
constexpr int panels_for(int rows) {
  int p = kMaxPanels;
  while (p > 1 && rows_for(p) < rows) p = narrower(p);
  return p;
}

// Where a tile goes: C = act(alpha * sum + beta * C + bias_n[j] + bias_m[i]); `pre` gets the argument of act. C, bias
// and pre may be of a half precision where T is float.
template <class T>
struct Out {
  void* c;
  int64_t c_row, c_col;
  DType dtype = dtype_of<T>;
  T alpha = 1, beta = 0;
  const void* bias_n = nullptr;
  const void* bias_m = nullptr;
  void* pre = nullptr;  // C's strides
  Activation act = Activation::None;

  bool narrow() const { return dtype != dtype_of<T>; }
  Out at(int64_t i, int64_t j) const {
    const int64_t size = narrow() ? 2 : (int64_t)sizeof(T), here = (i * c_row + j * c_col) * size;
    Out o = *this;
    o.c = (char*)c + here;
    if (pre) o.pre = (char*)pre + here;
    if (bias_n) o.bias_n = (const char*)bias_n + j * size;
    if (bias_m) o.bias_m = (const char*)bias_m + i * size;
    return o;
  }
  // One block of several along k: bias and activation wait for the last.
  Out block(bool first, bool last) const {
    Out o = *this;
    if (!first) o.beta = 1;
    if (!last) {
      o.bias_n = o.bias_m = nullptr;
      o.pre = nullptr;
      o.act = Activation::None;
    }
    return o;
  }
  bool in_registers() const {
    return c_col == 1 && alpha == 1 && (beta == 0 || beta == 1) && !bias_m && !pre && act <= Activation::Relu;
  }
};

template <class V, class C>
WEFT_INLINE void store_as(C* p, V v, int64_t n) {  // the first n lanes
  if constexpr (sizeof(C) == 2)
    return n < lanes<V> ? store_f32_n(p, v, n) : store_f32(p, v);
  else
    return n < lanes<V> ? store_n<V>(p, v, n) : store<V>(p, v);
}
template <class C, class T>
WEFT_INLINE void set_element(C* p, T x) {
  if constexpr (sizeof(C) == 2)
    from_float(p, x);
  else
    *p = x;
}

// What in_registers() and whole vectors do not cover, from a tile in L1 whose rows are `stride` apart.
template <class C, class T, class F>
WEFT_INLINE void finish_with(const T* tile, int64_t stride, int64_t rows, int64_t cols, const Out<T>& o, F act) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>;
  const int64_t step = o.c_col;
  auto get = [=](const C* p, int64_t n) __attribute__((always_inline)) {
    if (step == 1) return load_as<T>(p, n);
    T part[L] = {};
    for (int l = 0; l < L && l < n; ++l) part[l] = element(p[l * step]);
    return load<V>(part);
  };
  auto put = [=](C* p, V v, int64_t n) __attribute__((always_inline)) {
    if (step == 1) return store_as(p, v, n);
    T part[L];
    store<V>(part, v);
    for (int l = 0; l < L && l < n; ++l) set_element(p + l * step, part[l]);
  };
  const C *bias_n = (const C*)o.bias_n, *bias_m = (const C*)o.bias_m;
  for (int64_t i = 0; i < rows; ++i, tile += stride) {
    C *c = (C*)o.c + i * o.c_row, *pre = o.pre ? (C*)o.pre + i * o.c_row : nullptr;
    const V shift = splat<V>(bias_m ? element(bias_m[i]) : 0);
    for (int64_t j = 0; j < cols; j += L) {
      const int64_t n = cols - j;
      V v = o.alpha * load_as<T>(tile + j, n) + shift;
      if (bias_n) v += load_as<T>(bias_n + j, n);
      if (o.beta != 0) v += o.beta * get(c + j * step, n);
      if (pre) put(pre + j * step, v, n);
      put(c + j * step, act(v), n);
    }
  }
}
template <class C, class T>
WEFT_ONE_COPY void finish_as(const T* tile, int64_t stride, int64_t rows, int64_t cols, const Out<T>& o) {
  with_activation<vec_of<T>>(
      o.act, [&](auto act) __attribute__((always_inline)) { finish_with<C>(tile, stride, rows, cols, o, act); });
}
template <class T>
void finish(const T* tile, int64_t stride, int64_t rows, int64_t cols, const Out<T>& o) {
  if constexpr (sizeof(T) == 4 && kReal<T>) {
    if (o.dtype == DType::BFloat16) return finish_as<bfloat16>(tile, stride, rows, cols, o);
    if (o.dtype == DType::Float16) return finish_as<float16>(tile, stride, rows, cols, o);
  }
  finish_as<T>(tile, stride, rows, cols, o);
}

template <class T>
struct TileArgs {
  int64_t k;
  const T* a;
  int64_t a_row, a_k;
  const T* b;
  int64_t b_k, b_panel;  // packed: kPanel and k * kPanel; in place: the row stride and kPanel
  int cols;              // valid columns: a partial last panel must be packed, so that all of it can be read
  // What of B comes later, fetched while this is multiplied: a line for each panel and step.
  const T* fetch;
  int64_t fetch_k = 0;
  int64_t c_ahead = 0;   // bytes from the lines of C written here to those fetched
  bool flips_a = false;  // signed bytes become unsigned, 128 larger
};

// Multiply-add; with Pairs, elements are pairs of bfloat16 whose two products are added, or bytes.
template <bool Pairs, class V>
WEFT_INLINE V multiply_add(V sum, V x, V y) {
  if constexpr (Pairs && !kReal<scalar_of<V>>) return add_bytes(sum, x, y);
#if WEFT_BF16_DOTS
  else if constexpr (Pairs)
    return (V)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)y);
#endif
  return sum + x * y;
}

template <class T, int MR, int NP, bool Pairs>
void tile(const TileArgs<T>& t, const Out<T>& o) {
  using V = vec_of<T>;
  constexpr int L = lanes<V>, W = kPanelVectors, NV = NP * W;
  V sum[MR][NV];
#pragma GCC unroll 32
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < NV; ++j) sum[i][j] = V{};

  if (o.c_col == 1) {  // C comes while the sums are made
    const int64_t size = o.narrow() ? 2 : (int64_t)sizeof(T), step = o.c_row * size;
    const char* c = (const char*)o.c + t.c_ahead;
#pragma GCC unroll 8
    for (int i = 0; i < MR; ++i, c += step)
#pragma GCC unroll 8
      for (int p = 0; p < NP; ++p) __builtin_prefetch(c + p * kPanel<T> * size);
  }
  const T *b = t.b, *fetch = t.fetch;
  const int64_t b_k = t.b_k, b_panel = t.b_panel, fetch_k = t.fetch_k;
  // Bytes, and three rows to an address: so all of them stay in registers.
  const int64_t a_row = t.a_row * (int64_t)sizeof(T), a_k = t.a_k * (int64_t)sizeof(T);
  const char *a0 = (const char*)t.a, *a3 = a0 + 3 * a_row, *a6 = a0 + 6 * a_row;
  auto multiply = [&](auto of_a) __attribute__((always_inline)) {
    for (int64_t k = t.k; k > 0; --k) {
      V row[NV];
#pragma GCC unroll 32
      for (int j = 0; j < NV; ++j) row[j] = load<V>(b + (j / W) * b_panel + (j % W) * L);
#pragma GCC unroll 8
      for (int p = 0; p < NP; ++p) __builtin_prefetch(fetch + p * b_panel);
#pragma GCC unroll 32
      for (int i = 0; i < MR; ++i) {
        const V x = of_a(splat<V>(a_term<T, Pairs>((i < 3 ? a0 : i < 6 ? a3 : a6) + i % 3 * a_row)));
#pragma GCC unroll 32
        for (int j = 0; j < NV; ++j) sum[i][j] = multiply_add<Pairs>(sum[i][j], x, row[j]);
      }
      a0 += a_k;
      a3 += a_k;
      a6 += a_k;
      b += b_k;
      fetch += fetch_k;
    }
  };
  bool flips = false;
  if constexpr (WEFT_BYTE_DOTS && !kReal<T>) {
    flips = t.flips_a;
    if (flips) multiply([signs = byte_signs()](V x) __attribute__((always_inline)) { return x ^ signs; });
  }
  if (!flips) multiply([](V x) __attribute__((always_inline)) { return x; });

  if (o.in_registers() && t.cols == NP * kPanel<T> && (Pairs || !o.narrow())) {
    // Each question once, and not once a vector.
    auto emit = [&](auto* c, const auto* bias) __attribute__((always_inline)) {
      auto each = [&](const auto& f) __attribute__((always_inline)) {
        auto* row = c;
#pragma GCC unroll 32
        for (int i = 0; i < MR; ++i, row += o.c_row) {
#pragma GCC unroll 32
          for (int j = 0; j < NV; ++j) f(sum[i][j], row, j);
        }
      };
      if (bias) each([&](V& v, auto*, int j) __attribute__((always_inline)) { v += load_as<T>(bias + j * L, L); });
      if (o.beta != 0)
        each([&](V& v, auto* row, int j) __attribute__((always_inline)) { v += load_as<T>(row + j * L, L); });
      if (kReal<T> && o.act == Activation::Relu)
        each([&](V& v, auto*, int) __attribute__((always_inline)) { v = relu(v); });
      each([&](V& v, auto* row, int j) __attribute__((always_inline)) { store_as(row + j * L, v, L); });
    };
    if constexpr (Pairs && kReal<T>)
      if (o.narrow()) return emit((bfloat16*)o.c, (const bfloat16*)o.bias_n);
    return emit((T*)o.c, (const T*)o.bias_n);
  }
  alignas(64) T spill[MR * NV * L];
#pragma GCC unroll 32
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < NV; ++j) store<V>(spill + (i * NV + j) * L, sum[i][j]);
  finish(spill, NV * L, MR, t.cols, o);
}

template <class T, int NP, bool Pairs>
WEFT_INLINE void run_rows(int rows, const TileArgs<T>& t, const Out<T>& o) {
#define ROWS(MR)                                                    \
  case MR:                                                          \
    if constexpr (MR <= rows_for(NP)) tile<T, MR, NP, Pairs>(t, o); \
    break;
  switch (rows) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) }
#undef ROWS
}

// rows <= rows_for(np); np is 1, 2, 3, 4, 6 or 8, for pairs at most kWide.
template <class T, bool Pairs = false>
void run_tile(int np, int rows, const TileArgs<T>& t, const Out<T>& o) {
#define PANELS(NP)                                                                                 \
  case NP:                                                                                         \
    if constexpr (rows_for(NP) > 0 && (!Pairs || NP <= kWide)) run_rows<T, NP, Pairs>(rows, t, o); \
    break;
  switch (np) { PANELS(1) PANELS(2) PANELS(3) PANELS(4) PANELS(6) PANELS(8) }
#undef PANELS
}

}  // namespace weft::WEFT_ISA::mm
