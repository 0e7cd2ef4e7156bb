#include "kernels/matmul.h"

#include "kernels/matmul/choose.h"
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

bool is_turned(const MatmulArgs& p) { return (p.n == 1 && p.m > 1) || (p.c_col != 1 && p.c_row == 1); }

// One item of the batch; a product whose result lies in columns is computed as its transpose. T: of the arithmetic.
template <class T, class S>
Gemm<T, S> gemm_of(const MatmulArgs& p, const Offsets& o) {
  Gemm<T, S> g{p.m, p.n, p.k, (const S*)p.a + o.a, p.a_row, p.a_col, (const S*)p.b + o.b, p.b_row, p.b_col, {}};
  g.out = Out<T>{(S*)p.c + o.c, p.c_row, p.c_col, p.dtype};
  g.out.alpha = (T)p.alpha;
  g.out.beta = (T)p.beta;
  g.out.bias_n = p.bias;
  g.out.pre = p.pre ? (S*)p.pre + o.c : nullptr;
  g.out.act = p.act;
  if (is_turned(p)) return transposed(g);
  g.b_packed = (const T*)p.b_packed;
  return g;
}

// Many small products: each is one thread's. Few or large ones: all threads on one after the other.
constexpr int64_t kItemWork = 1 << 22;
bool by_item(const MatmulArgs& p, int64_t items) {
  const int64_t work = p.m * p.n * p.k;
  return items > 1 && (work <= kItemWork || (items >= 32 && work <= 16 * kItemWork));
}

// Scratch this small is on the stack.
constexpr int64_t kStackBytes = 16384;

template <class T, class S = T>
int64_t workspace_of(const MatmulArgs& p) {
  const bool each = by_item(p, items_of(p));
  const int64_t bytes = scratch_of(gemm_of<T, S>(p, {0, 0, 0}), each ? 1 : p.workers, !each) * sizeof(T);
  return bytes <= kStackBytes ? 0 : each ? bytes * p.workers : bytes;
}

template <class T, class S = T>
void matmul_of(const MatmulArgs& p) {
  const int64_t items = items_of(p);
  alignas(64) char stack[kStackBytes];
  if (!by_item(p, items)) {
    T* scratch = p.workspace_bytes ? (T*)p.workspace : (T*)stack;
    for (int64_t i = 0; i < items; ++i) gemm(gemm_of<T, S>(p, offsets_of(p, i)), scratch, Threaded{p.workers});
    return;
  }
  const int64_t each = scratch_of(gemm_of<T, S>(p, {0, 0, 0}), 1, false), work = p.m * p.n * p.k + 1;
  const int64_t share = ceil_div(kPieceWork, work), pieces = ceil_div(items, share);
  parallel(
      pieces,
      [&](int64_t piece, int worker) {
        alignas(64) char own[kStackBytes];
        T* scratch = p.workspace_bytes ? (T*)p.workspace + worker * each : (T*)own;
        for (int64_t i = piece * share; i < smaller(piece * share + share, items); ++i)
          gemm(gemm_of<T, S>(p, offsets_of(p, i)), scratch, Serial{}, false);
      },
      p.workers);
}

template <class T, class S = T>
int64_t packed_bytes_of(const MatmulArgs& p) {
  const Gemm<T, S> g = gemm_of<T, S>(p, {0, 0, 0});
  return !is_turned(p) && way_of(g) == Way::Blocked ? packed_elements(g) * (int64_t)sizeof(T) : 0;
}
template <class T, class S = T>
void pack_of(const MatmulArgs& p) {
  pack_all((T*)p.workspace, gemm_of<T, S>(p, {0, 0, 0}), Threaded{p.workers});
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

// Bytes. B is always packed, with VNNI its columns' corrections behind it: beforehand, or at the beginning of the
// workspace.
int64_t panels_of_bytes(const MatmulArgs& p) { return whole_lines<int32_t>(p.n) * ceil_div(p.k, kByteTerms); }
int64_t packed_bytes_of_bytes(const MatmulArgs& p) {
  return (panels_of_bytes(p) + (WEFT_BYTE_DOTS ? whole_lines<int32_t>(p.n) : 0)) * (int64_t)sizeof(int32_t);
}

void pack_bytes_of(const MatmulArgs& p, int32_t* to) {
  constexpr int P = kPanel<int32_t>;
  [[maybe_unused]] static const int32_t ones = 0x01010101;
  const int64_t depth = ceil_div(p.k, kByteTerms);
  [[maybe_unused]] int32_t* const corrections = to + panels_of_bytes(p);
  Threaded{p.workers}(ceil_div(p.n, P), [&](int64_t panel, int) {
    const int64_t j = panel * P, columns = smaller(P, p.n - j);
    int32_t* const here = to + j * depth;
    pack_bytes(here, P, (const int8_t*)p.b + j * p.b_col, p.b_row, p.b_col, p.k, columns);
#if WEFT_BYTE_DOTS
    Out<int32_t> sums{corrections + j, P, 1};
    sums.alpha = -128;
    run_tile<int32_t, true>(1, 1, {depth, &ones, 0, 0, here, P, P, (int)columns, here}, sums);
#endif
  });
}

template <class S>
Gemm<int32_t, S> gemm_of_bytes(const MatmulArgs& p, const int32_t* b) {
  Gemm<int32_t, S> g{p.m, p.n, p.k, (const S*)p.a, p.a_row, p.a_col, nullptr, 0, 0, {}};
  g.out = Out<int32_t>{p.c, p.c_row, p.c_col};
  g.b_packed = b;
  if (Packing<int32_t, S>::flips) g.out.bias_n = b + panels_of_bytes(p);
  return g;
}

int64_t workspace_of_bytes(const MatmulArgs& p) {
  const int64_t own =
      blocking(gemm_of_bytes<int8_t>(p, (const int32_t*)p.a), p.workers).scratch() * (int64_t)sizeof(int32_t);
  return own + (p.b_packed ? 0 : packed_bytes_of_bytes(p));
}

void matmul_bytes(const MatmulArgs& p) {
  int32_t *room = (int32_t*)p.workspace, *b = room;
  if (!p.b_packed) {
    pack_bytes_of(p, b);
    room += packed_bytes_of_bytes(p) / (int64_t)sizeof(int32_t);
  }
  const int32_t* packed = p.b_packed ? (const int32_t*)p.b_packed : b;
  if (p.bytes == ByteProduct::Signed)
    gemm_blocked(gemm_of_bytes<int8_t>(p, packed), room, Threaded{p.workers});
  else
    gemm_blocked(gemm_of_bytes<uint8_t>(p, packed), room, Threaded{p.workers});
}

// f<float, bfloat16>, where float is the type of the arithmetic.
#define BY_DTYPE(f, p, otherwise)                       \
  switch (p.dtype) {                                    \
    case DType::Float32: return f<float>(p);            \
    case DType::Float64: return f<double>(p);           \
    case DType::Float16: return f<float, float16>(p);   \
    case DType::BFloat16: return f<float, bfloat16>(p); \
    default: otherwise;                                 \
  }

void forward(const MatmulArgs& p) {
  if (items_of(p) == 0 || p.m == 0 || p.n == 0) return;
  if (p.bytes != ByteProduct::None) return matmul_bytes(p);
  switch (p.dtype) {
    case DType::Int64: return matmul_integers<uint64_t>(p);
    case DType::Int32: return matmul_integers<uint32_t>(p);
    case DType::Int16: return matmul_integers<uint16_t>(p);
    case DType::UInt8:
    case DType::Int8: return matmul_integers<uint8_t>(p);
    default: BY_DTYPE(matmul_of, p, return)
  }
}

int64_t workspace(const MatmulArgs& p) {
  if (items_of(p) == 0 || p.m == 0 || p.n == 0) return 0;
  if (p.bytes != ByteProduct::None) return workspace_of_bytes(p);
  BY_DTYPE(workspace_of, p, return 0)
}

int64_t packed_bytes(const MatmulArgs& p) {
  if (p.batch_dims > 0 || p.m == 0 || p.n == 0) return 0;
  if (p.bytes != ByteProduct::None) return packed_bytes_of_bytes(p);
  BY_DTYPE(packed_bytes_of, p, return 0)
}

void pack(const MatmulArgs& p) {
  if (p.bytes != ByteProduct::None) return pack_bytes_of(p, (int32_t*)p.workspace);
  BY_DTYPE(pack_of, p, return)
}
#undef BY_DTYPE

}  // namespace

void fill(MatmulKernels& k) {
  k.forward = forward;
  k.workspace = workspace;
  k.packed_bytes = packed_bytes;
  k.pack = pack;
}

}  // namespace weft::WEFT_ISA
