// The driver of all pointwise kernels: strided operands of any dtype become contiguous rows of the computation's type.
#include "kernels/pointwise.h"

#include "base/threads.h"
#include "kernels/pointwise_rows.h"
#include "kernels/strided.h"

namespace weft::WEFT_ISA {

constexpr int64_t kGrain = 32768;   // elements per piece
constexpr int64_t kChunk = 512;     // elements converted at a time
constexpr int64_t kShortRow = 128;  // rows below this are gathered, several into one chunk

template <class T>
struct Buffers {
  alignas(64) T in[kPointwiseInputs][kChunk], out[kChunk];
  alignas(64) char raw[kChunk * 8];  // gathered, not yet converted
  alignas(64) T repeated[kPointwiseInputs][WEFT_VEC_BYTES / sizeof(T)];
};

template <class T>
static void repeat(T* block, T value) {
  for (int i = 0; i < WEFT_VEC_BYTES / (int)sizeof(T); ++i) block[i] = value;
}

template <class T>
static T load_one(const void* p, DType dtype) {
  if (dtype == dtype_of<T>) return *static_cast<const T*>(p);
  T value;
  converter(dtype_of<T>, dtype)(&value, p, 1);
  return value;
}

// One row of `n` elements; `at` are the operands' offsets at its start, `stride` their steps.
template <class T>
static void long_row(const Pointwise& a, Row<T> row, Buffers<T>& b, int64_t out_at, const int64_t* at,
                     int64_t out_stride, const int64_t* stride, int64_t n) {
  const T* in[kPointwiseInputs] = {};
  int64_t mask[kPointwiseInputs] = {};
  bool direct[kPointwiseInputs] = {}, straight = a.out_dtype == dtype_of<T> && out_stride == 1;
  int64_t step = straight ? n : kChunk;
  for (int k = 0; k < a.inputs; ++k) {
    const PointwiseOperand& x = a.in[k];
    if (!x.data) {
      in[k] = b.repeated[k];
    } else if (stride[k] == 0 && n > 1) {
      repeat(b.repeated[k], load_one<T>((const char*)x.data + at[k] * size_of(x.dtype), x.dtype));
      in[k] = b.repeated[k];
    } else {
      mask[k] = -1;
      direct[k] = x.dtype == dtype_of<T> && (stride[k] == 1 || n == 1);
      in[k] = direct[k] ? static_cast<const T*>(x.data) + at[k] : b.in[k];
      if (!direct[k]) step = kChunk;
    }
  }
  int64_t out_size = size_of(a.out_dtype);
  char* out = static_cast<char*>(a.out) + out_at * out_size;
  for (int64_t i = 0; i < n; i += step) {
    int64_t m = n - i < step ? n - i : step;
    for (int k = 0; k < a.inputs; ++k) {
      if (!mask[k] || direct[k]) continue;
      const PointwiseOperand& x = a.in[k];
      const char* from = (const char*)x.data + (at[k] + i * stride[k]) * size_of(x.dtype);
      if (stride[k] == 1) {
        converter(dtype_of<T>, x.dtype)(b.in[k], from, m);
      } else if (x.dtype == dtype_of<T>) {
        gather(b.in[k], from, stride[k], m, sizeof(T));
      } else {
        gather(b.raw, from, stride[k], m, size_of(x.dtype));
        converter(dtype_of<T>, x.dtype)(b.in[k], b.raw, m);
      }
    }
    char* to = out + i * out_stride * out_size;
    row(straight ? reinterpret_cast<T*>(to) : b.out, in, mask, m, a.params);
    if (!straight) {
      Convert convert = converter(a.out_dtype, dtype_of<T>);
      if (out_stride == 1) {
        convert(to, b.out, m);
      } else {
        convert(b.raw, b.out, m);
        scatter(to, out_stride, b.raw, m, out_size);
      }
    }
    for (int k = 0; k < a.inputs; ++k)
      if (direct[k]) in[k] += m;
  }
}

// Rows that follow each other without gaps.
static bool is_dense(const Pointwise& a, const int64_t* strides) {
  int64_t step = 1;
  for (int d = a.ndim - 1; d >= 0; --d) {
    if (strides[d] != step) return false;
    step *= a.shape[d];
  }
  return true;
}

// `count` whole short rows from row `first` on, as one chunk: what is not dense is packed row by row.
template <class T>
static void short_rows(const Pointwise& a, Row<T> row, Buffers<T>& b, int64_t first, int64_t count) {
  int last = a.ndim - 1;
  int64_t inner = a.shape[last], n = count * inner;
  const T* in[kPointwiseInputs];
  int64_t mask[kPointwiseInputs];
  for (int k = 0; k < a.inputs; ++k) {
    const PointwiseOperand& x = a.in[k];
    mask[k] = x.data ? -1 : 0;
    in[k] = x.data ? b.in[k] : b.repeated[k];
    if (!x.data) continue;
    int64_t size = size_of(x.dtype);
    bool same = x.dtype == dtype_of<T>;
    const char* packed = (const char*)x.data + first * inner * size;
    if (!is_dense(a, x.strides)) {
      char* to = same ? (char*)b.in[k] : b.raw;
      Walk<1> w{last, a.shape, {x.strides}, {}, {}};
      w.seek(first);
      for (int64_t r = 0; r < count; ++r, w.next())
        gather(to + r * inner * size, (const char*)x.data + w.offset[0] * size, x.strides[last], inner, size);
      packed = to;
    }
    if (same)
      in[k] = reinterpret_cast<const T*>(packed);
    else
      converter(dtype_of<T>, x.dtype)(b.in[k], packed, n);
  }
  int64_t size = size_of(a.out_dtype);
  bool dense = is_dense(a, a.out_strides), same = a.out_dtype == dtype_of<T>;
  char* out = (char*)a.out + first * inner * size;
  row(dense && same ? reinterpret_cast<T*>(out) : b.out, in, mask, n, a.params);
  if (dense && same) return;
  if (dense) return converter(a.out_dtype, dtype_of<T>)(out, b.out, n);
  const char* raw = (const char*)b.out;
  if (!same) {
    converter(a.out_dtype, dtype_of<T>)(b.raw, b.out, n);
    raw = b.raw;
  }
  Walk<1> w{last, a.shape, {a.out_strides}, {}, {}};
  w.seek(first);
  for (int64_t r = 0; r < count; ++r, w.next())
    scatter((char*)a.out + w.offset[0] * size, a.out_strides[last], raw + r * inner * size, inner, size);
}

template <class T>
static void drive_as(const Pointwise& a, Row<T> row) {
  int64_t total = 1;
  for (int d = 0; d < a.ndim; ++d) total *= a.shape[d];
  if (total == 0) return;
  int last = a.ndim - 1;
  int64_t inner = a.ndim ? a.shape[last] : 1, rows = total / inner;
  int64_t stride[kPointwiseInputs] = {}, out_stride = a.ndim ? a.out_strides[last] : 1;
  for (int k = 0; k < a.inputs; ++k) stride[k] = a.ndim && a.in[k].data ? a.in[k].strides[last] : 0;

  const int64_t grain = total > 4 * kGrain ? kGrain / 2 : kGrain;  // many pieces: all threads end together

  auto constants = [&](Buffers<T>& b) {
    for (int k = 0; k < a.inputs; ++k)
      if (!a.in[k].data) repeat(b.repeated[k], dtype_of<T> == DType::Int64 ? (T)a.in[k].integer : (T)a.in[k].number);
  };
  if (rows > 1 && inner < kShortRow) {
    int64_t together = kChunk / inner;
    parallel_ranges(rows, grain / inner / together * together, [&](int64_t begin, int64_t end) {
      Buffers<T> b;
      constants(b);
      for (int64_t r = begin; r < end; r += together) short_rows(a, row, b, r, end - r < together ? end - r : together);
    });
    return;
  }
  int64_t block = inner < grain ? inner : grain, blocks = (inner + block - 1) / block;
  parallel_ranges(rows * blocks, grain / block, [&](int64_t begin, int64_t end) {
    Buffers<T> b;
    constants(b);
    const int64_t* none = a.out_strides;
    auto strides = [&](int k) { return k < a.inputs && a.in[k].data ? a.in[k].strides : none; };
    Walk<1 + kPointwiseInputs> w{last, a.shape, {a.out_strides, strides(0), strides(1), strides(2)}, {}, {}};
    w.seek(begin / blocks);
    for (int64_t u = begin; u < end; ++u) {
      int64_t i = u % blocks * block, m = inner - i < block ? inner - i : block;
      int64_t at[kPointwiseInputs];
      for (int k = 0; k < kPointwiseInputs; ++k) at[k] = w.offset[1 + k] + i * stride[k];
      long_row(a, row, b, w.offset[0] + i * out_stride, at, out_stride, stride, m);
      if ((u + 1) % blocks == 0) w.next();
    }
  });
}

void drive(const Pointwise& a, Row<float> row) { drive_as(a, row); }
void drive(const Pointwise& a, Row<double> row) { drive_as(a, row); }
void drive(const Pointwise& a, Row<int64_t> row) { drive_as(a, row); }

void fill(PointwiseKernels& k) {
  fill_unary(k);
  fill_grad(k);
  fill_binary(k);
}

}  // namespace weft::WEFT_ISA
