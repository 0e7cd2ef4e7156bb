// float16 and bfloat16: the last step of a product summed in float.
#pragma once

#include "kernels/matmul/blocked.h"

namespace weft::WEFT_ISA::mm {

// One row of C: c = act(alpha * sum + bias + beta * c), rounded once.
template <class H>
void finish_half(H* c, H* pre, const float* sum, const MatmulArgs& p) {
  constexpr int L = lanes<f32v>, kRow = 256;
  const H* bias = static_cast<const H*>(p.bias);
  const float alpha = (float)p.alpha, beta = (float)p.beta;
  alignas(64) float row[kRow];
  for (int64_t j0 = 0; j0 < p.n; j0 += kRow) {
    const int n = (int)smaller(kRow, p.n - j0);
    for (int j = 0; j < n; j += L) store<f32v>(row + j, alpha * load_n<f32v>(sum + j0 + j, smaller(L, n - j)));
    if (bias)
      for (int j = 0; j < n; ++j) row[j] += to_float(bias[j0 + j]);
    if (beta != 0)
      for (int j = 0; j < n; ++j) row[j] += beta * to_float(c[(j0 + j) * p.c_col]);
    if (pre)
      for (int j = 0; j < n; ++j) from_float(&pre[(j0 + j) * p.c_col], row[j]);
    activate<f32v>(row, n, p.act);
    if (p.c_col == 1) {
      int j = 0;
      for (; j + L <= n; j += L) store_f32(c + j0 + j, load<f32v>(row + j));
      if (j < n) store_f32_n(c + j0 + j, load<f32v>(row + j), n - j);
    } else {
      for (int j = 0; j < n; ++j) from_float(&c[(j0 + j) * p.c_col], row[j]);
    }
  }
}

}  // namespace weft::WEFT_ISA::mm
