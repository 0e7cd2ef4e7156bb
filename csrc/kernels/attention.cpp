#include "kernels/attention.h"

#include "kernels/attention/backward.h"
#include "kernels/attention/few.h"
#include "kernels/attention/short.h"

namespace weft::WEFT_ISA {

namespace {

using namespace attention;

template <class T>
void factors(const AttentionFactors& a) {
  const AttentionShape& s = a.shape;
  parallel_ranges(s.batch * s.heads * s.queries, 8192 / (s.keys + 1) + 1, [&](int64_t begin, int64_t end) {
    alignas(64) T row[kKeys + kPhiloxWords];
    for (int64_t r = begin; r < end; ++r)
      for (int64_t j0 = 0; j0 < s.keys; j0 += kKeys) {
        const int64_t n = smaller(kKeys, s.keys - j0);
        dropout_factors(s, r, j0, n, row);
        for (int64_t j = 0; j < n; ++j) ((T*)a.y)[r * s.keys + j0 + j] = row[j];
      }
  });
}

// By what is computed in and what is in memory.
#define WEFT_BY_DTYPE(result, name, Args)                    \
  result name##_any(const Args& a) {                         \
    switch (a.shape.dtype) {                                 \
      case DType::Float64: return name<double, double>(a);   \
      case DType::BFloat16: return name<float, bfloat16>(a); \
      case DType::Float16: return name<float, float16>(a);   \
      default: return name<float, float>(a);                 \
    }                                                        \
  }
WEFT_BY_DTYPE(void, forward, AttentionForward)
WEFT_BY_DTYPE(void, forward_few, AttentionForward)
WEFT_BY_DTYPE(void, forward_short, AttentionForward)
WEFT_BY_DTYPE(void, backward, AttentionBackward)
WEFT_BY_DTYPE(int64_t, forward_room, AttentionForward)
WEFT_BY_DTYPE(int64_t, few_room, AttentionForward)
WEFT_BY_DTYPE(int64_t, short_room, AttentionForward)
WEFT_BY_DTYPE(int64_t, backward_room, AttentionBackward)
#undef WEFT_BY_DTYPE

void forward_by_shape(const AttentionForward& a) {
  if (has_few_rows(a.shape)) return forward_few_any(a);
  return has_short_keys(a.shape, a.mask) ? forward_short_any(a) : forward_any(a);
}
int64_t room_by_shape(const AttentionForward& a) {
  if (has_few_rows(a.shape)) return few_room_any(a);
  return has_short_keys(a.shape, a.mask) ? short_room_any(a) : forward_room_any(a);
}

void factors_any(const AttentionFactors& a) {
  return a.shape.dtype == DType::Float64 ? factors<double>(a) : factors<float>(a);
}

}  // namespace

void fill(AttentionKernels& k) {
  k.forward = forward_by_shape;
  k.backward = backward_any;
  k.factors = factors_any;
  k.forward_workspace = room_by_shape;
  k.backward_workspace = backward_room_any;
  k.half = true;
}

}  // namespace weft::WEFT_ISA
