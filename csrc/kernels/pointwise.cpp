// The driver of all pointwise kernels: strided operands of any dtype become contiguous rows of the computation's type.
#include "kernels/pointwise.h"

#include "base/threads.h"
#include "kernels/pointwise_rows.h"
#include "kernels/strided.h"
#include "simd/past.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

constexpr int64_t kGrain = 32768;   // elements per piece
constexpr int64_t kChunk = 512;     // elements converted at a time
constexpr int64_t kFar = 4 << 20;   // bytes of all operands that are not near
constexpr int64_t kShortRow = 128;  // rows below this are taken together, as one chunk, even where that means copying

struct Buffers {
  alignas(64) char in[kPointwiseInputs][kChunk * 8], out[kChunk * 8];
  alignas(64) char raw[kChunk * 8];  // gathered, not yet converted
  alignas(64) char repeated[kPointwiseInputs][WEFT_VEC_BYTES];
};

// A function's rows, which are computed in one dtype and have another one, and what they are wanted for.
struct Call {
  const Pointwise& a;
  Row row;
  DType computed, result;
  int64_t size;  // of an element in the dtype of computation

  Convert from(DType dtype) const { return converter(computed, dtype); }
  // A vector of the value at p. NOTE: read with the size that it was written with: else the processor waits until that
  // write, and the long row of results before it, has reached the cache.
  void repeat(char* block, const void* p, DType dtype) const {
    int64_t converted;
    if (dtype != computed) {
      from(dtype)(&converted, p, 1);
      p = &converted;
    }
    if (size == 4) {
      int32_t value;
      __builtin_memcpy(&value, p, 4);
      store<i32v>((int32_t*)block, splat<i32v>(value));
    } else {
      int64_t value;
      __builtin_memcpy(&value, p, 8);
      store<i64v>((int64_t*)block, splat<i64v>(value));
    }
  }
  void constants(Buffers& b) const {
    for (int k = 0; k < a.inputs; ++k) {
      const PointwiseOperand& x = a.in[k];
      if (x.data) continue;
      computed == DType::Int64 ? repeat(b.repeated[k], &x.integer, DType::Int64)
                               : repeat(b.repeated[k], &x.number, DType::Float64);
    }
  }
};

// What is far away is fetched a few chunks ahead, and a result that the caches cannot hold stored past them.
struct Far {
  bool fetch, past;
  Far(const Call& call, int64_t total) {
    const Pointwise& a = call.a;
    int64_t bytes = total * size_of(a.out_dtype);
    past = a.out_dtype == call.result;
    for (int k = 0; k < a.inputs; ++k) {
      bool broadcast = !a.in[k].data;
      for (int d = 0; d < a.ndim; ++d) broadcast = broadcast || a.in[k].strides[d] == 0;
      if (!broadcast) bytes += total * size_of(a.in[k].dtype);
      if (a.in[k].data == a.out) past = false;  // it will have been read
    }
    fetch = bytes > kFar;
    past = past && bytes >= kPast;
  }
};

// Long rows, one after the other: what holds for all of them, so that little is left to do for each.
struct LongRows {
  const Call& call;
  const Pointwise& a;
  const Far far;
  const int64_t *stride, out_stride;
  int64_t mask[kPointwiseInputs] = {};
  bool direct[kPointwiseInputs] = {}, straight, whole;  // whole: a row takes no buffers

  LongRows(const Call& call, Far far, const int64_t* stride, int64_t out_stride, int64_t inner)
      : call(call),
        a(call.a),
        far(far),
        stride(stride),
        out_stride(out_stride),
        straight(a.out_dtype == call.result && out_stride == 1),
        whole(straight && !far.fetch) {
    for (int k = 0; k < a.inputs; ++k) {
      if (!a.in[k].data || (stride[k] == 0 && inner > 1)) continue;
      mask[k] = -1;
      direct[k] = a.in[k].dtype == call.computed && (stride[k] == 1 || inner == 1);
      whole = whole && direct[k];
    }
  }

  // `n` elements of a row; `at` are the operands' offsets at the first one.
  void run(Buffers& b, int64_t out_at, const int64_t* at, int64_t n) const {
    const int64_t size = call.size, out_size = size_of(a.out_dtype);
    const void* in[kPointwiseInputs] = {};
    for (int k = 0; k < a.inputs; ++k) {
      const PointwiseOperand& x = a.in[k];
      in[k] = direct[k] ? (const char*)x.data + at[k] * size : mask[k] ? b.in[k] : b.repeated[k];
      if (x.data && !mask[k]) call.repeat(b.repeated[k], (const char*)x.data + at[k] * size_of(x.dtype), x.dtype);
    }
    char* out = static_cast<char*>(a.out) + out_at * out_size;
    if (whole) return call.row(out, in, mask, n, a.params);
    const bool past = far.past && straight;
    for (int64_t i = 0; i < n; i += kChunk) {
      int64_t m = n - i < kChunk ? n - i : kChunk;
      for (int k = 0; k < a.inputs; ++k) {
        if (!mask[k] || direct[k]) continue;
        const PointwiseOperand& x = a.in[k];
        const char* from = (const char*)x.data + (at[k] + i * stride[k]) * size_of(x.dtype);
        if (stride[k] == 1) {
          call.from(x.dtype)(b.in[k], from, m);
        } else if (x.dtype == call.computed) {
          gather(b.in[k], from, stride[k], m, size);
        } else {
          gather(b.raw, from, stride[k], m, size_of(x.dtype));
          call.from(x.dtype)(b.in[k], b.raw, m);
        }
      }
      char* to = out + i * out_stride * out_size;
      for (int64_t line = 0; far.fetch && line < m * size; line += 64) {
        for (int k = 0; k < a.inputs; ++k)
          if (direct[k]) fetch_ahead((const char*)in[k] + line);
        if (straight && !past && line < m * out_size) fetch_to_write(to + line);
      }
      call.row(straight && !past ? to : b.out, in, mask, m, a.params);
      if (past) {
        store_past(to, b.out, m * out_size);
      } else if (!straight) {
        Convert convert = converter(a.out_dtype, call.result);
        if (out_stride == 1) {
          convert(to, b.out, m);
        } else {
          convert(b.raw, b.out, m);
          scatter(to, out_stride, b.raw, m, out_size);
        }
      }
      for (int k = 0; k < a.inputs; ++k)
        if (direct[k]) in[k] = (const char*)in[k] + m * size;
    }
  }
};

// Rows that follow each other without gaps.
static bool is_dense(const Pointwise& a, const int64_t* strides) {
  int64_t step = 1;
  for (int d = a.ndim - 1; d >= 0; --d) {
    if (strides[d] != step) return false;
    step *= a.shape[d];
  }
  return true;
}
// The same row again and again.
static bool is_one_row(const Pointwise& a, const int64_t* strides) {
  for (int d = 0; d < a.ndim - 1; ++d)
    if (strides[d] != 0) return false;
  return true;
}

// Short rows, several at a time as one chunk: what is not dense is packed row by row, and one row that repeats only
// once.
struct ShortRows {
  const Call& call;
  const Pointwise& a;
  int64_t inner, together;  // the length of a row; rows of a chunk
  bool dense[kPointwiseInputs] = {}, once[kPointwiseInputs] = {}, out_dense, flat;

  ShortRows(const Call& call) : call(call), a(call.a), inner(a.shape[a.ndim - 1]), together(kChunk / inner) {
    if (together > WEFT_VEC_BYTES / 4) together -= together % (WEFT_VEC_BYTES / 4);  // whole vectors
    flat = out_dense = is_dense(a, a.out_strides);
    for (int k = 0; k < a.inputs; ++k) {
      if (!a.in[k].data) continue;
      dense[k] = is_dense(a, a.in[k].strides);
      once[k] = is_one_row(a, a.in[k].strides);
      flat = flat && (dense[k] || once[k]);
    }
  }

  // Operand k of `count` rows from row `first` on.
  const void* pack(Buffers& b, int k, int64_t first, int64_t count) const {
    const PointwiseOperand& x = a.in[k];
    int64_t size = size_of(x.dtype);
    bool same = x.dtype == call.computed;
    const char* packed = (const char*)x.data + first * inner * size;
    if (!dense[k]) {
      char* to = same ? b.in[k] : b.raw;
      Walk<1> w{a.ndim - 1, a.shape, {x.strides}, {}, {}};
      w.seek(first);
      for (int64_t r = 0; r < count; ++r, w.next())
        gather(to + r * inner * size, (const char*)x.data + w.offset[0] * size, x.strides[a.ndim - 1], inner, size);
      packed = to;
    }
    if (same) return packed;
    call.from(x.dtype)(b.in[k], packed, count * inner);
    return b.in[k];
  }

  void chunk(Buffers& b, const void** in, const int64_t* mask, int64_t first, int64_t count) const {
    int64_t n = count * inner, size = size_of(a.out_dtype);
    for (int k = 0; k < a.inputs; ++k)
      if (mask[k] && !once[k]) in[k] = pack(b, k, first, count);
    bool same = a.out_dtype == call.result;
    char* out = (char*)a.out + first * inner * size;
    call.row(out_dense && same ? out : b.out, in, mask, n, a.params);
    if (out_dense && same) return;
    if (out_dense) return converter(a.out_dtype, call.result)(out, b.out, n);
    const char* raw = b.out;
    if (!same) {
      converter(a.out_dtype, call.result)(b.raw, b.out, n);
      raw = b.raw;
    }
    Walk<1> w{a.ndim - 1, a.shape, {a.out_strides}, {}, {}};
    w.seek(first);
    for (int64_t r = 0; r < count; ++r, w.next())
      scatter((char*)a.out + w.offset[0] * size, a.out_strides[a.ndim - 1], raw + r * inner * size, inner, size);
  }

  void run(Buffers& b, int64_t begin, int64_t end) const {
    const void* in[kPointwiseInputs];
    int64_t mask[kPointwiseInputs];
    int64_t most = end - begin < together ? end - begin : together;
    for (int k = 0; k < a.inputs; ++k) {
      mask[k] = a.in[k].data ? -1 : 0;
      in[k] = once[k] ? pack(b, k, 0, most) : b.repeated[k];
    }
    for (int64_t r = begin; r < end; r += together) chunk(b, in, mask, r, end - r < together ? end - r : together);
  }
};

void drive(const Pointwise& a, Row row, DType computed, DType result) {
  const Call call{a, row, computed, result, size_of(computed)};
  int64_t total = 1;
  for (int d = 0; d < a.ndim; ++d) total *= a.shape[d];
  if (total == 0) return;
  int last = a.ndim - 1;
  int64_t inner = a.ndim ? a.shape[last] : 1, rows = total / inner;
  int64_t stride[kPointwiseInputs] = {}, out_stride = a.ndim ? a.out_strides[last] : 1;
  for (int k = 0; k < a.inputs; ++k) stride[k] = a.ndim && a.in[k].data ? a.in[k].strides[last] : 0;

  const int64_t grain = total > 4 * kGrain ? kGrain / 2 : kGrain;  // many pieces: all threads end together

  if (rows > 1 && inner <= kChunk / 2) {
    const ShortRows shorts(call);
    if (shorts.flat || inner < kShortRow) {
      parallel_ranges(rows, grain / inner / shorts.together * shorts.together, [&](int64_t begin, int64_t end) {
        Buffers b;
        call.constants(b);
        shorts.run(b, begin, end);
      });
      return;
    }
  }
  const LongRows longs(call, Far(call, total), stride, out_stride, inner);
  int64_t block = inner < grain ? inner : grain, blocks = (inner + block - 1) / block;
  parallel_ranges(rows * blocks, grain / block, [&](int64_t begin, int64_t end) {
    Buffers b;
    call.constants(b);
    const int64_t* none = a.out_strides;
    auto strides = [&](int k) { return k < a.inputs && a.in[k].data ? a.in[k].strides : none; };
    Walk<1 + kPointwiseInputs> w{last, a.shape, {a.out_strides, strides(0), strides(1), strides(2)}, {}, {}};
    w.seek(begin / blocks);
    int64_t i = begin % blocks * block;
    for (int64_t u = begin; u < end; ++u) {
      const int64_t m = inner - i < block ? inner - i : block;
      int64_t at[kPointwiseInputs];
      for (int k = 0; k < kPointwiseInputs; ++k) at[k] = w.offset[1 + k] + i * stride[k];
      longs.run(b, w.offset[0] + i * out_stride, at, m);
      if ((i += block) < inner) continue;
      i = 0;
      w.next();
    }
    if (longs.far.past) end_past();
  });
}

void fill(PointwiseKernels& k) {
  fill_unary(k);
  fill_grad(k);
  fill_binary(k);
}

}  // namespace weft::WEFT_ISA
