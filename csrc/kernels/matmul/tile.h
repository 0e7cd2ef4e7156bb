// The micro-kernel: mr rows of A times np panels of B, accumulated in registers, and what happens to the tile before
// it reaches C. Widths follow "Anatomy of High-Performance Matrix Multiplication" (Goto, van de Geijn 2008): enough
// accumulators to hide the latency of the multiply-add, few enough to leave registers for one row of B.
#pragma once

#include "kernels/matmul/activation.h"
#include "kernels/matmul/vec.h"

namespace weft::WEFT_ISA::mm {

// Where a tile goes: C = act(alpha * acc + beta * C + bias_n[j] + bias_m[i]); `pre` gets the argument of act.
template <class T>
struct Out {
  T* c;
  int64_t c_row, c_col;
  T alpha = 1, beta = 0;
  const T* bias_n = nullptr;
  const T* bias_m = nullptr;
  T* pre = nullptr;  // same strides as C
  Activation act = Activation::None;

  Out at(int64_t i, int64_t j) const {
    Out o = *this;
    o.c += i * c_row + j * c_col;
    if (pre) o.pre += i * c_row + j * c_col;
    if (bias_n) o.bias_n += j;
    if (bias_m) o.bias_m += i;
    return o;
  }
  bool in_registers() const {
    return c_col == 1 && alpha == 1 && (beta == 0 || beta == 1) && !bias_m && !pre && act <= Activation::Relu;
  }
};

template <class T>
WEFT_INLINE Vec<T> relu(Vec<T> v) {
  return v < 0 ? Vec<T>{} : v;  // NaN stays
}

// Everything that in_registers() and full columns do not cover, from a tile in L1.
template <class T>
__attribute__((noinline)) void finish(const T* tile, int64_t stride, int rows, int cols, const Out<T>& o) {
  for (int i = 0; i < rows; ++i, tile += stride) {
    alignas(64) T row[1024 / sizeof(T)];
    T* c = o.c + i * o.c_row;
    T shift = o.bias_m ? o.bias_m[i] : 0;
    for (int j = 0; j < cols; ++j) row[j] = o.alpha * tile[j] + shift;
    if (o.bias_n)
      for (int j = 0; j < cols; ++j) row[j] += o.bias_n[j];
    if (o.beta != 0)
      for (int j = 0; j < cols; ++j) row[j] += o.beta * c[j * o.c_col];
    if (o.pre)
      for (int j = 0; j < cols; ++j) o.pre[i * o.c_row + j * o.c_col] = row[j];
    activate(row, cols, o.act);
    if (o.c_col == 1)
      for (int j = 0; j < cols; ++j) c[j] = row[j];
    else
      for (int j = 0; j < cols; ++j) c[j * o.c_col] = row[j];
  }
}

template <class T>
struct TileArgs {
  int64_t k;
  const T* a;
  int64_t a_row, a_k;
  const T* b;
  int64_t b_k, b_panel;  // packed: kPanel and k * kPanel; in place: row stride and kPanel
  int cols;              // valid columns: only the last panel may be partial, and then B is packed
};

template <class T, int MR, int NP>
void tile(const TileArgs<T>& t, const Out<T>& o) {
  constexpr int L = kLanes<T>, W = kPanelVecs, NV = NP * W;
  Vec<T> acc[MR][NV];
#pragma GCC unroll 32
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < NV; ++j) acc[i][j] = Vec<T>{};

  const T *a = t.a, *b = t.b;
  const int64_t a_row = t.a_row, a_k = t.a_k, b_k = t.b_k, b_panel = t.b_panel;
  for (int64_t k = t.k; k > 0; --k) {
    Vec<T> row[NV];
#pragma GCC unroll 32
    for (int j = 0; j < NV; ++j) row[j] = load(b + (j / W) * b_panel + (j % W) * L);
#pragma GCC unroll 32
    for (int i = 0; i < MR; ++i) {
      Vec<T> x = broadcast(a[i * a_row]);
#pragma GCC unroll 32
      for (int j = 0; j < NV; ++j) acc[i][j] += x * row[j];
    }
    a += a_k;
    b += b_k;
  }

  if (t.cols == NP * kPanel<T> && o.in_registers()) {
    const bool add = o.beta != 0, clip = o.act == Activation::Relu;
#pragma GCC unroll 32
    for (int i = 0; i < MR; ++i) {
      T* c = o.c + i * o.c_row;
#pragma GCC unroll 32
      for (int j = 0; j < NV; ++j) {
        Vec<T> v = acc[i][j];
        if (o.bias_n) v += load(o.bias_n + j * L);
        if (add) v += load(c + j * L);
        if (clip) v = relu<T>(v);
        store(c + j * L, v);
      }
    }
    return;
  }
  alignas(64) T spill[MR * NV * L];
#pragma GCC unroll 32
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 32
    for (int j = 0; j < NV; ++j) store(spill + (i * NV + j) * L, acc[i][j]);
  finish(spill, NV * L, MR, t.cols, o);
}

#if defined(WEFT_ISA_v4)
constexpr int kRows = 8, kWide = 3;  // the tile of the blocked loops: kRows x kWide panels
constexpr int rows_for(int np) { return np <= 3 ? 8 : np <= 4 ? 6 : np <= 6 ? 4 : np <= 8 ? 2 : 0; }
constexpr int kMaxPanels = 8;
#elif defined(WEFT_ISA_v3)
constexpr int kRows = 6, kWide = 1;
constexpr int rows_for(int np) { return np == 1 ? 6 : np == 2 ? 3 : np <= 4 ? 1 : 0; }
constexpr int kMaxPanels = 4;
#else
constexpr int kRows = 3, kWide = 1;
constexpr int rows_for(int np) { return np == 1 ? 3 : np == 2 ? 1 : 0; }
constexpr int kMaxPanels = 2;
#endif

// The widest tile of `rows` rows.
constexpr int panels_for(int rows) {
  int np = 1;
  for (int p = 1; p <= kMaxPanels; ++p)
    if (rows_for(p) >= rows) np = p;
  return np;
}

template <class T, int NP>
WEFT_INLINE void run_rows(int rows, const TileArgs<T>& t, const Out<T>& o) {
#define ROWS(MR)                                             \
  case MR:                                                   \
    if constexpr (MR <= rows_for(NP)) tile<T, MR, NP>(t, o); \
    break;
  switch (rows) { ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6) ROWS(7) ROWS(8) }
#undef ROWS
}

// rows <= rows_for(np)
template <class T>
void run_tile(int np, int rows, const TileArgs<T>& t, const Out<T>& o) {
#define PANELS(NP)                                               \
  case NP:                                                       \
    if constexpr (rows_for(NP) > 0) run_rows<T, NP>(rows, t, o); \
    break;
  switch (np) { PANELS(1) PANELS(2) PANELS(3) PANELS(4) PANELS(6) PANELS(8) }
#undef PANELS
}

}  // namespace weft::WEFT_ISA::mm
