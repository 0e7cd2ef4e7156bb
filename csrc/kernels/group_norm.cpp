// Where channels are planes, a piece of work has whole groups, whose elements are neighbours, so that what its first
// pass read is still in the cache for the second. Where channels are last, it has whole items, or is a part of a large
// one.
#include "kernels/group_norm.h"

#include "kernels/group_norm/columns.h"
#include "kernels/group_norm/planes.h"

namespace weft::WEFT_ISA {

namespace {

// The shares of items and their parts, in order.
template <class A>
void parameter_gradients(const GroupNormBackward& a) {
  const GroupNormShape& s = a.shape;
  const A* shares = shares_of<A>(a);
  const int64_t parts = s.n * group_norm_parts(s).count;
  parallel_ranges(s.channels, kGrain / (parts + 1), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double d = 0, dx = 0;
      for (int64_t i = 0; i < parts; ++i) {
        d += shares[i * 2 * s.channels + c];
        dx += shares[(i * 2 + 1) * s.channels + c];
      }
      ((A*)a.dbias)[c] = (A)d;
      ((A*)a.dweight)[c] = (A)dx;
    }
  });
}

// A plane of one element is a channel of channels-last memory.
WEFT_INLINE bool by_columns(const GroupNormShape& s) { return s.channels_last || s.length == 1; }

template <class T>
void forward_of(const GroupNormForward& a) {
  by_columns(a.shape) ? forward_last<T>(a) : forward_planes<T>(a);
}
template <class T>
void backward_of(const GroupNormBackward& a) {
  by_columns(a.shape) ? backward_last<T>(a) : backward_planes<T>(a);
  if (a.dweight) parameter_gradients<compute_of<T>>(a);
}

void group_norm_forward(const GroupNormForward& a) {
  switch (a.shape.dtype) {
    case DType::Float16: return forward_of<float16>(a);
    case DType::BFloat16: return forward_of<bfloat16>(a);
    case DType::Float32: return forward_of<float>(a);
    default: return forward_of<double>(a);
  }
}
void group_norm_backward(const GroupNormBackward& a) {
  switch (a.shape.dtype) {
    case DType::Float16: return backward_of<float16>(a);
    case DType::BFloat16: return backward_of<bfloat16>(a);
    case DType::Float32: return backward_of<float>(a);
    default: return backward_of<double>(a);
  }
}

}  // namespace

void fill(GroupNormKernels& k) {
  k.forward = group_norm_forward;
  k.backward = group_norm_backward;
}

}  // namespace weft::WEFT_ISA
