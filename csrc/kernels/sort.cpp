#include "kernels/sort.h"

#include <cstddef>

#include "base/threads.h"
#include "simd/vec.h"

namespace weft::WEFT_ISA {
namespace {

// Unsigned keys in the order of the values.
WEFT_INLINE uint32_t key_of(float x) {
  if (x != x) return UINT32_MAX;
  uint32_t bits = __builtin_bit_cast(uint32_t, x == 0 ? 0.0f : x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
WEFT_INLINE uint64_t key_of(double x) {
  if (x != x) return UINT64_MAX;
  uint64_t bits = __builtin_bit_cast(uint64_t, x == 0 ? 0.0 : x);
  return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}
WEFT_INLINE uint32_t key_of(float16 x) { return key_of(to_float(x)); }
WEFT_INLINE uint32_t key_of(bfloat16 x) { return key_of(to_float(x)); }
WEFT_INLINE uint32_t key_of(uint8_t x) { return x; }
WEFT_INLINE uint32_t key_of(int8_t x) { return (uint32_t)x ^ 0x80000000u; }
WEFT_INLINE uint32_t key_of(int16_t x) { return (uint32_t)x ^ 0x80000000u; }
WEFT_INLINE uint32_t key_of(int32_t x) { return (uint32_t)x ^ 0x80000000u; }
WEFT_INLINE uint64_t key_of(int64_t x) { return (uint64_t)x ^ (uint64_t)1 << 63; }

// A key and where it was. No two are equal, so any sort of them is stable.
struct Item32 {
  uint64_t packed;
  Item32() = default;
  Item32(uint32_t key, uint64_t index) : packed((uint64_t)key << 32 | index) {}
  bool operator<(Item32 o) const { return packed < o.packed; }
  int64_t index() const { return (int64_t)(packed & 0xffffffffu); }
  uint64_t key_bits() const { return packed >> 32; }
  uint8_t digit(int pass) const { return (uint8_t)(packed >> (32 + 8 * pass)); }
  static constexpr int passes = 4;
};
struct Item64 {
  uint64_t key, at;
  Item64() = default;
  Item64(uint64_t key, uint64_t index) : key(key), at(index) {}
  bool operator<(const Item64& o) const { return key < o.key || (key == o.key && at < o.at); }
  int64_t index() const { return (int64_t)at; }
  uint64_t key_bits() const { return key; }
  uint8_t digit(int pass) const { return (uint8_t)(key >> (8 * pass)); }
  static constexpr int passes = 8;
};

template <int KeyBytes>
struct ItemOf {
  using type = Item64;
};
template <>
struct ItemOf<4> {
  using type = Item32;
};

template <class Item>
void insertion_sort(Item* a, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    Item x = a[i];
    int64_t j = i;
    for (; j > 0 && x < a[j - 1]; --j) a[j] = a[j - 1];
    a[j] = x;
  }
}

// Least significant digit first; passes whose digit is the same everywhere are left out. Returns where the result is.
template <class Item>
Item* radix_sort(Item* a, Item* b, int64_t n) {
  int64_t counts[Item::passes][256] = {};
  for (int64_t i = 0; i < n; ++i)
    for (int p = 0; p < Item::passes; ++p) ++counts[p][a[i].digit(p)];
  for (int p = 0; p < Item::passes; ++p) {
    int64_t* count = counts[p];
    if (count[a[0].digit(p)] == n) continue;
    for (int64_t d = 0, sum = 0; d < 256; ++d) {
      int64_t c = count[d];
      count[d] = sum;
      sum += c;
    }
    for (int64_t i = 0; i < n; ++i) b[count[a[i].digit(p)]++] = a[i];
    Item* t = a;
    a = b;
    b = t;
  }
  return a;
}

// The k least items, in order, in the first places: a heap with the greatest of them on top.
template <class Item>
void sift_down(Item* heap, int64_t n, int64_t i) {
  Item x = heap[i];
  for (int64_t child; (child = 2 * i + 1) < n; i = child) {
    child += child + 1 < n && heap[child] < heap[child + 1];
    if (!(x < heap[child])) break;
    heap[i] = heap[child];
  }
  heap[i] = x;
}
template <class Item>
void select_least(Item* a, int64_t n, int64_t k) {
  for (int64_t i = k / 2 - 1; i >= 0; --i) sift_down(a, k, i);
  for (int64_t i = k; i < n; ++i)
    if (a[i] < a[0]) {
      a[0] = a[i];
      sift_down(a, k, (int64_t)0);
    }
  for (int64_t m = k - 1; m > 0; --m) {
    Item t = a[0];
    a[0] = a[m];
    a[m] = t;
    sift_down(a, m, (int64_t)0);
  }
}

// The item of rank k: of the items, those stay that share its digits, the most significant one first.
template <class Item>
Item item_of_rank(Item* a, int64_t n, int64_t k) {
  for (int p = Item::passes - 1; p >= 0 && n > 32; --p) {
    int64_t counts[256] = {}, kept = 0;
    for (int64_t i = 0; i < n; ++i) ++counts[a[i].digit(p)];
    int digit = 0;
    for (; k >= counts[digit]; ++digit) k -= counts[digit];
    for (int64_t i = 0; i < n; ++i) {
      a[kept] = a[i];
      kept += a[i].digit(p) == digit;
    }
    n = kept;
  }
  if (n <= 32) insertion_sort(a, n);
  return a[k];
}

// The last item of the longest run of equal keys.
template <class Item>
Item most_frequent(Item* a, Item* spare, int64_t n) {
  a = radix_sort(a, spare, n);
  int64_t begin = 0, best = 0, length = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (a[i].key_bits() != a[begin].key_bits()) begin = i;
    if (i - begin >= length) {
      length = i - begin + 1;
      best = i;
    }
  }
  return a[best];
}

// Calls body(r, items, x) for every row, with items made of its elements.
template <class T, class Args, class Body>
WEFT_INLINE void each_row(const Args& a, bool descending, const Body& body) {
  using Key = decltype(key_of(T{}));
  using Item = typename ItemOf<sizeof(Key)>::type;
  int64_t n = a.cols, stride = sort_scratch(n, a.dtype);
  Key flip = descending ? (Key) ~(Key)0 : 0;
  Pieces p = cut(a.rows, 8 * 1024 / (n + 1) + 1);
  parallel(
      p.count,
      [&](int64_t piece, int worker) {
        Item* items = reinterpret_cast<Item*>(static_cast<char*>(a.workspace) + worker * stride);
        int64_t end = (piece + 1) * p.size < a.rows ? (piece + 1) * p.size : a.rows;
        for (int64_t r = piece * p.size; r < end; ++r) {
          const T* x = static_cast<const T*>(a.x) + r * n;
          for (int64_t i = 0; i < n; ++i) items[i] = Item(key_of(x[i]) ^ flip, (uint64_t)i);
          body(r, items, x);
        }
      },
      a.workers);
}

template <class T>
void sort_rows(const Sort& a) {
  int64_t n = a.cols, k = a.k;
  each_row<T>(a, a.descending, [=, &a](int64_t r, auto* items, const T* x) {
    auto* sorted = items;
    if (n <= 32)
      insertion_sort(items, n);
    else if (k <= n / 8)
      select_least(items, n, k);
    else
      sorted = radix_sort(items, items + n, n);
    for (int64_t i = 0; i < k; ++i) {
      a.indices[r * k + i] = sorted[i].index();
      static_cast<T*>(a.values)[r * k + i] = x[sorted[i].index()];
    }
  });
}

template <class T>
int64_t count_nan(const T* x, int64_t n) {
  int64_t count = 0;
  if constexpr (is_half(dtype_of<T>))
    for (int64_t i = 0; i < n; ++i) count += key_of(x[i]) == UINT32_MAX;
  else if constexpr (is_floating(dtype_of<T>))
    for (int64_t i = 0; i < n; ++i) count += x[i] != x[i];
  return count;
}

template <class T>
void pick_rows(const Pick& a) {
  int64_t n = a.cols;
  each_row<T>(a, false, [=, &a](int64_t r, auto* items, const T* x) {
    int64_t k = a.k;
    if (a.op == PickOp::Median || a.op == PickOp::NanMedian) {
      int64_t numbers = n - count_nan(x, n);
      k = a.op == PickOp::Median && numbers < n ? numbers : numbers ? (numbers - 1) / 2 : 0;
    }
    int64_t at = (a.op == PickOp::Mode ? most_frequent(items, items + n, n) : item_of_rank(items, n, k)).index();
    a.indices[r] = at;
    static_cast<T*>(a.values)[r] = x[at];
  });
}

// Merging runs of doubled length: stable.
template <class T>
void order_rows(const RowOrder& a) {
  int64_t n = a.rows, *from = a.order, *to = a.scratch;
  auto after = [&](int64_t p, int64_t q) {
    const T *x = static_cast<const T*>(a.x) + p * a.cols, *y = static_cast<const T*>(a.x) + q * a.cols;
    for (int64_t j = 0; j < a.cols; ++j) {
      auto u = key_of(x[j]), v = key_of(y[j]);
      if (u != v) return u > v;
    }
    return false;
  };
  for (int64_t i = 0; i < n; ++i) from[i] = i;
  for (int64_t run = 1; run < n; run *= 2) {
    for (int64_t begin = 0; begin < n; begin += 2 * run) {
      int64_t middle = begin + run < n ? begin + run : n, end = begin + 2 * run < n ? begin + 2 * run : n;
      for (int64_t i = begin, j = middle, k = begin; k < end; ++k)
        to[k] = i == middle || (j < end && after(from[i], from[j])) ? from[j++] : from[i++];
    }
    int64_t* t = from;
    from = to;
    to = t;
  }
  if (from != a.order) __builtin_memcpy(a.order, from, sizeof(int64_t) * (size_t)n);
}

#define WEFT_BY_DTYPE(function, a)                      \
  switch ((a).dtype) {                                  \
    case DType::Bool:                                   \
    case DType::UInt8: return function<uint8_t>(a);     \
    case DType::Int8: return function<int8_t>(a);       \
    case DType::Int16: return function<int16_t>(a);     \
    case DType::Int32: return function<int32_t>(a);     \
    case DType::Int64: return function<int64_t>(a);     \
    case DType::Float16: return function<float16>(a);   \
    case DType::BFloat16: return function<bfloat16>(a); \
    case DType::Float32: return function<float>(a);     \
    case DType::Float64: return function<double>(a);    \
  }

void sort(const Sort& a) {
  if (a.cols == 0 || a.k == 0) return;
  WEFT_BY_DTYPE(sort_rows, a)
}
void pick(const Pick& a) { WEFT_BY_DTYPE(pick_rows, a) }
void order(const RowOrder& a) { WEFT_BY_DTYPE(order_rows, a) }
#undef WEFT_BY_DTYPE

}  // namespace

void fill(SortKernels& k) {
  k.sort = sort;
  k.pick = pick;
  k.order = order;
}

}  // namespace weft::WEFT_ISA
