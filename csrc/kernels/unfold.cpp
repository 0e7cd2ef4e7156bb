#include "kernels/unfold.h"

#include "base/threads.h"

namespace weft::WEFT_ISA {
namespace {

// The positions [begin, end) of the windows whose tap lies inside the image, where position i reads start + i * stride.
struct Tap {
  int64_t start, begin, end;
};
WEFT_INLINE Tap tap_at(const ConvAxis& a, int64_t tap) {
  int64_t start = tap * a.dilation - a.pad;
  int64_t begin = start < 0 ? (-start + a.stride - 1) / a.stride : 0;
  int64_t end = a.in > start ? (a.in - start + a.stride - 1) / a.stride : 0;
  if (end > a.out) end = a.out;
  return {start, begin < end ? begin : end, end};
}

template <class T>
void copy_line(T* to, const T* from, const ConvAxis& a, const Tap& tap) {
  for (int64_t j = 0; j < tap.begin; ++j) to[j] = 0;
  from += tap.start;
  if (a.stride == 1)
    for (int64_t j = tap.begin; j < tap.end; ++j) to[j] = from[j];
  else
    for (int64_t j = tap.begin; j < tap.end; ++j) to[j] = from[j * a.stride];
  for (int64_t j = tap.end; j < a.out; ++j) to[j] = 0;
}

template <class T>
void add_line(T* WEFT_RESTRICT to, const T* WEFT_RESTRICT from, const ConvAxis& a, const Tap& tap) {
  to += tap.start;
  if (a.stride == 1)
    for (int64_t j = tap.begin; j < tap.end; ++j) to[j] += from[j];
  else
    for (int64_t j = tap.begin; j < tap.end; ++j) to[j * a.stride] += from[j];
}

template <class T>
void unfold(const UnfoldArgs& a) {
  const ConvAxis &rows = a.rows, &cols = a.cols;
  const int64_t taps = rows.kernel * cols.kernel, out = rows.out * cols.out;
  parallel_ranges(a.planes * taps, 32768 / out + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* image = (const T*)a.image + i / taps * rows.in * cols.in;
      T* to = (T*)a.columns + i * out;
      const Tap row = tap_at(rows, i % taps / cols.kernel), col = tap_at(cols, i % cols.kernel);
      for (int64_t r = 0; r < rows.out; ++r, to += cols.out) {
        const bool inside = r >= row.begin && r < row.end;
        copy_line(to, image + (inside ? (row.start + r * rows.stride) * cols.in : 0), cols,
                  inside ? col : Tap{0, cols.out, cols.out});
      }
    }
  });
}

template <class T>
void fold(const UnfoldArgs& a) {
  const ConvAxis &rows = a.rows, &cols = a.cols;
  const int64_t taps = rows.kernel * cols.kernel, out = rows.out * cols.out, in = rows.in * cols.in;
  parallel_ranges(a.planes, 32768 / (taps * out + in) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      T* image = (T*)a.image + p * in;
      for (int64_t i = 0; i < in; ++i) image[i] = 0;
      for (int64_t k = 0; k < taps; ++k) {
        const Tap row = tap_at(rows, k / cols.kernel), col = tap_at(cols, k % cols.kernel);
        const T* from = (const T*)a.columns + (p * taps + k) * out;
        for (int64_t r = row.begin; r < row.end; ++r)
          add_line(image + (row.start + r * rows.stride) * cols.in, from + r * cols.out, cols, col);
      }
    }
  });
}

void unfold_any(const UnfoldArgs& a) { a.dtype == DType::Float32 ? unfold<float>(a) : unfold<double>(a); }
void fold_any(const UnfoldArgs& a) { a.dtype == DType::Float32 ? fold<float>(a) : fold<double>(a); }

}  // namespace

void fill(UnfoldKernels& k) {
  k.unfold = unfold_any;
  k.fold = fold_any;
}

}  // namespace weft::WEFT_ISA
