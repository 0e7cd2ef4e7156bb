// Matrix products inside other kernels of this instruction set: one thread, row-major C, any strides of A and B.
//   C[m,n] = alpha * A[m,k] B[k,n] + beta * C[m,n]       (beta = 0 never reads C)
// `scratch` holds gemm_scratch(m, n, k) bytes, aligned to 64.
#pragma once

#include <cstdint>

namespace weft::WEFT_ISA {

template <class T>
int64_t gemm_scratch(int64_t m, int64_t n, int64_t k);

template <class T>
void gemm_serial(int64_t m, int64_t n, int64_t k, T alpha, const T* a, int64_t a_row, int64_t a_col, const T* b,
                 int64_t b_row, int64_t b_col, T beta, T* c, int64_t c_row, void* scratch);

extern template int64_t gemm_scratch<float>(int64_t, int64_t, int64_t);
extern template int64_t gemm_scratch<double>(int64_t, int64_t, int64_t);
extern template void gemm_serial<float>(int64_t, int64_t, int64_t, float, const float*, int64_t, int64_t, const float*,
                                        int64_t, int64_t, float, float*, int64_t, void*);
extern template void gemm_serial<double>(int64_t, int64_t, int64_t, double, const double*, int64_t, int64_t,
                                         const double*, int64_t, int64_t, double, double*, int64_t, void*);

}  // namespace weft::WEFT_ISA
