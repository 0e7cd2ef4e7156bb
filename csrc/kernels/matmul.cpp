#include "kernels/matmul.h"

#include "kernels/matmul/choose.h"
#include "kernels/matmul/half.h"
#include "kernels/matmul/integer.h"

namespace weft::WEFT_ISA {
namespace {

using namespace mm;

int64_t items_of(const MatmulArgs& a) {
  int64_t n = 1;
  for (int d = 0; d < a.batch_dims; ++d) n *= a.batch[d];
  return n;
}

struct Offsets {
  int64_t a, b, c;
};
Offsets offsets_of(const MatmulArgs& p, int64_t item) {
  Offsets o{0, 0, 0};
  for (int d = p.batch_dims - 1; d >= 0; --d) {
    const int64_t i = item % p.batch[d];
    item /= p.batch[d];
    o.a += i * p.a_batch[d];
    o.b += i * p.b_batch[d];
    o.c += i * p.c_batch[d];
  }
  return o;
}

// One item of the batch; a product whose result lies in columns is computed as its transpose.
template <class T>
Gemm<T> gemm_of(const MatmulArgs& p, const Offsets& o) {
  Gemm<T> g{p.m, p.n, p.k, (const T*)p.a + o.a, p.a_row, p.a_col, (const T*)p.b + o.b, p.b_row, p.b_col, {}};
  g.out = Out<T>{(T*)p.c + o.c, p.c_row, p.c_col};
  g.out.alpha = (T)p.alpha;
  g.out.beta = (T)p.beta;
  g.out.bias_n = (const T*)p.bias;
  g.out.pre = p.pre ? (T*)p.pre + o.c : nullptr;
  g.out.act = p.act;
  return (p.n == 1 && p.m > 1) || (p.c_col != 1 && p.c_row == 1) ? transposed(g) : g;
}

// Many small products: each is one thread's. Few or large ones: all threads on one after the other.
constexpr int64_t kItemWork = 1 << 22;
bool by_item(const MatmulArgs& p, int64_t items) {
  const int64_t work = p.m * p.n * p.k;
  return items > 1 && (work <= kItemWork || (items >= 64 && work <= 16 * kItemWork));
}

// Scratch this small is on the stack.
constexpr int64_t kStackBytes = 16384;

template <class T>
int64_t workspace_floats(const MatmulArgs& p) {
  const int64_t items = items_of(p), bytes = scratch_of(gemm_of<T>(p, {0, 0, 0}), !by_item(p, items)) * sizeof(T);
  if (bytes <= kStackBytes) return 0;
  return by_item(p, items) ? bytes * p.workers : bytes;
}

template <class T>
void matmul_floats(const MatmulArgs& p) {
  const int64_t items = items_of(p);
  alignas(64) char stack[kStackBytes];
  if (!by_item(p, items)) {
    T* scratch = p.workspace_bytes ? (T*)p.workspace : (T*)stack;
    for (int64_t i = 0; i < items; ++i) gemm(gemm_of<T>(p, offsets_of(p, i)), scratch, Threaded{});
    return;
  }
  const int64_t each = scratch_of(gemm_of<T>(p, {0, 0, 0}), false), work = p.m * p.n * p.k + 1;
  const int64_t share = ceil_div(kPieceWork, work), pieces = ceil_div(items, share);
  parallel(
      pieces,
      [&](int64_t piece, int worker) {
        alignas(64) char own[kStackBytes];
        T* scratch = p.workspace_bytes ? (T*)p.workspace + worker * each : (T*)own;
        for (int64_t i = piece * share; i < smaller(piece * share + share, items); ++i)
          gemm(gemm_of<T>(p, offsets_of(p, i)), scratch, Serial{}, false);
      },
      p.workers);
}

// Half precision: packed as float, summed in float in the workspace, rounded once.
template <class H>
Gemm<float, H> half_gemm_of(const MatmulArgs& p, const Offsets& o, float* sum) {
  Gemm<float, H> g{p.m, p.n, p.k, (const H*)p.a + o.a, p.a_row, p.a_col, (const H*)p.b + o.b, p.b_row, p.b_col, {}};
  g.out = Out<float>{sum, p.n, 1};
  return g;
}

template <class H>
int64_t workspace_halves(const MatmulArgs& p) {
  const int64_t items = items_of(p), own = by_item(p, items) ? p.workers : 1;
  return own * (whole_lines<float>(p.m * p.n) + scratch_of(half_gemm_of<H>(p, {0, 0, 0}, nullptr), own == 1)) * 4;
}

template <class H>
void matmul_halves(const MatmulArgs& p) {
  const int64_t items = items_of(p), sums = whole_lines<float>(p.m * p.n);
  auto one = [&](int64_t i, float* sum, const auto& run, bool may_split) {
    const Offsets o = offsets_of(p, i);
    gemm(half_gemm_of<H>(p, o, sum), sum + sums, run, may_split);
    run(ceil_div(p.m, 16), [&](int64_t piece, int) {
      for (int64_t r = piece * 16; r < smaller(piece * 16 + 16, p.m); ++r)
        finish_half((H*)p.c + o.c + r * p.c_row, p.pre ? (H*)p.pre + o.c + r * p.c_row : nullptr, sum + r * p.n, p);
    });
  };
  if (!by_item(p, items)) {
    for (int64_t i = 0; i < items; ++i) one(i, (float*)p.workspace, Threaded{}, true);
    return;
  }
  const int64_t each = sums + scratch_of(half_gemm_of<H>(p, {0, 0, 0}, nullptr), false);
  const int64_t share = ceil_div(kPieceWork, p.m * p.n * p.k + 1);
  parallel(
      ceil_div(items, share),
      [&](int64_t piece, int worker) {
        for (int64_t i = piece * share; i < smaller(piece * share + share, items); ++i)
          one(i, (float*)p.workspace + worker * each, Serial{}, false);
      },
      p.workers);
}

template <class T>
void matmul_integers(const MatmulArgs& p) {
  const int64_t items = items_of(p), rows = items * p.m;
  parallel_ranges(rows, ceil_div(1 << 16, p.n * p.k + 1), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const Offsets o = offsets_of(p, r / p.m);
      const int64_t i = r % p.m;
      integer_row((T*)p.c + o.c + i * p.c_row, (const T*)p.a + o.a + i * p.a_row, (const T*)p.b + o.b, p);
    }
  });
}

void forward(const MatmulArgs& p) {
  if (items_of(p) == 0 || p.m == 0 || p.n == 0) return;
  switch (p.dtype) {
    case DType::Float32: return matmul_floats<float>(p);
    case DType::Float64: return matmul_floats<double>(p);
    case DType::Float16: return matmul_halves<float16>(p);
    case DType::BFloat16: return matmul_halves<bfloat16>(p);
    case DType::Int64: return matmul_integers<uint64_t>(p);
    case DType::Int32: return matmul_integers<uint32_t>(p);
    case DType::Int16: return matmul_integers<uint16_t>(p);
    default: return matmul_integers<uint8_t>(p);
  }
}

int64_t workspace(const MatmulArgs& p) {
  if (items_of(p) == 0 || p.m == 0 || p.n == 0) return 0;
  switch (p.dtype) {
    case DType::Float32: return workspace_floats<float>(p);
    case DType::Float64: return workspace_floats<double>(p);
    case DType::Float16: return workspace_halves<float16>(p);
    case DType::BFloat16: return workspace_halves<bfloat16>(p);
    default: return 0;
  }
}

}  // namespace

void fill(MatmulKernels& k) {
  k.forward = forward;
  k.workspace = workspace;
}

}  // namespace weft::WEFT_ISA
