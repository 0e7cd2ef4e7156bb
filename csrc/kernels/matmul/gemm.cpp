#include "kernels/matmul/gemm.h"

#include "kernels/matmul/choose.h"

namespace weft::WEFT_ISA {

template <class T>
int64_t gemm_scratch(int64_t m, int64_t n, int64_t k) {
  return mm::blocking(mm::Gemm<T>{m, n, k, nullptr, 1, 0, nullptr, 0, 1, {}}, 1).scratch() * (int64_t)sizeof(T);
}

template <class T>
void gemm_serial(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t a_row, int64_t a_col, const T* b,
                 int64_t b_row, int64_t b_col, T beta, T* c, int64_t c_row, void* scratch) {
  mm::Gemm<T> g{m, n, k, a, a_row, a_col, b, b_row, b_col, {}};
  g.out.c = c;
  g.out.c_row = c_row;
  g.out.c_col = 1;
  g.out.alpha = alpha;
  g.out.beta = beta;
  mm::gemm_blocked(g, static_cast<T*>(scratch), mm::Serial{});
}

#define INSTANCES(T)                                                                                                 \
  template int64_t gemm_scratch<T>(int64_t, int64_t, int64_t);                                                       \
  template void gemm_serial<T>(int64_t, int64_t, int64_t, T, const T*, int64_t, int64_t, const T*, int64_t, int64_t, \
                               T, T*, int64_t, void*);
INSTANCES(float)
INSTANCES(double)
#undef INSTANCES

}  // namespace weft::WEFT_ISA
