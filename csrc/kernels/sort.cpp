#include "kernels/sort.h"

#include <cstddef>

#include "base/threads.h"
#include "kernels/sort/keys.h"

namespace weft::WEFT_ISA {
namespace {

// A key and where it was. No two are equal, so any sort of them is stable.
struct Item32 {
  using Vector = u32v;  // of keys
  uint64_t packed;
  Item32() = default;
  Item32(uint32_t key, uint64_t index) : packed((uint64_t)key << 32 | index) {}
  bool operator<(Item32 o) const { return packed < o.packed; }
  int64_t index() const { return (int64_t)(packed & 0xffffffffu); }
  uint32_t key_bits() const { return (uint32_t)(packed >> 32); }
  uint8_t digit(int pass) const { return (uint8_t)(packed >> (32 + 8 * pass)); }
  static constexpr int passes = 4;
};
struct Item64 {
  using Vector = u64v;
  uint64_t key, at;
  Item64() = default;
  Item64(uint64_t key, uint64_t index) : key(key), at(index) {}
  bool operator<(const Item64& o) const { return key < o.key || (key == o.key && at < o.at); }
  int64_t index() const { return (int64_t)at; }
  uint64_t key_bits() const { return key; }
  uint8_t digit(int pass) const { return (uint8_t)(key >> (8 * pass)); }
  static constexpr int passes = 8;
};

template <class Key>
struct ItemOf {
  using type = Item32;
};
template <>
struct ItemOf<uint64_t> {
  using type = Item64;
};
template <class Key>
using item_of = typename ItemOf<Key>::type;

// The first n items of a row.
template <class Key>
void make_items(item_of<Key>* items, KeyRow<Key> row, int64_t n) {
  row.n = n;
  each_block(row, 0, [=](const Key* keys, int64_t begin, int64_t count) {
    for (int64_t i = 0; i < count; ++i) items[begin + i] = item_of<Key>(keys[i], (uint64_t)(begin + i));
  });
}

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

// The k least items of a row, in order: a heap with the greatest of them on top. Most keys are not below that one; they
// are passed over four vectors at a time.
template <class Key>
void select_least(item_of<Key>* heap, int64_t k, const KeyRow<Key>& row) {
  using Item = item_of<Key>;
  using V = typename Item::Vector;
  constexpr int w = lanes<V>;
  static_assert(kKeys % (4 * w) == 0);
  make_items(heap, row, k);
  for (int64_t i = k / 2 - 1; i >= 0; --i) sift_down(heap, k, i);
  auto lesser = [](V p, V q) { return p < q ? p : q; };
  each_block(row, k, [=](Key* keys, int64_t begin, int64_t count) {
    auto below = [=](V v) { return any((i32v)(v < splat<V>(heap[0].key_bits()))); };
    for (; count % (4 * w); ++count) keys[count] = ~(Key)0;
    for (const Key *p = keys, *end = keys + count; p < end; p += 4 * w) {
      const V a = load<V>(p), b = load<V>(p + w), c = load<V>(p + 2 * w), d = load<V>(p + 3 * w);
      if (!below(lesser(lesser(a, b), lesser(c, d)))) continue;
      for (const Key* q = p; q < p + 4 * w; q += w) {
        if (!below(load<V>(q))) continue;
        for (const Key* at = q; at < q + w; ++at)
          if (*at < heap[0].key_bits()) {
            heap[0] = Item(*at, (uint64_t)(begin + (at - keys)));
            sift_down(heap, k, (int64_t)0);
          }
      }
    }
  });
  for (int64_t m = k - 1; m > 0; --m) {
    Item t = heap[0];
    heap[0] = heap[m];
    heap[m] = t;
    sift_down(heap, m, (int64_t)0);
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

// Calls body(r, row, scratch) for every row.
template <class Key, class Args, class Body>
WEFT_INLINE void each_row(const Args& a, bool descending, const Body& body) {
  const int64_t n = a.cols, size = size_of(a.dtype), stride = sort_scratch(n, a.dtype);
  const MakeKeys<Key> make = key_maker<Key>(a.dtype);
  const Key flip = descending ? ~(Key)0 : 0;
  Pieces p = cut(a.rows, 8 * 1024 / (n + 1) + 1);
  parallel(
      p.count,
      [&](int64_t piece, int worker) {
        auto* scratch = reinterpret_cast<item_of<Key>*>(static_cast<char*>(a.workspace) + worker * stride);
        int64_t end = (piece + 1) * p.size < a.rows ? (piece + 1) * p.size : a.rows;
        for (int64_t r = piece * p.size; r < end; ++r)
          body(r, KeyRow<Key>{static_cast<const char*>(a.x) + r * n * size, n, size, make, flip}, scratch);
      },
      a.workers);
}

// Elements of `size` bytes from where the items were.
template <class Item>
void take(void* values, int64_t* indices, const void* x, const Item* items, int64_t n, int64_t size) {
  auto sized = [=](auto type) {
    using T = decltype(type);
    for (int64_t i = 0; i < n; ++i) {
      indices[i] = items[i].index();
      static_cast<T*>(values)[i] = static_cast<const T*>(x)[items[i].index()];
    }
  };
  switch (size) {
    case 1: return sized(uint8_t{});
    case 2: return sized(uint16_t{});
    case 4: return sized(uint32_t{});
    default: return sized(uint64_t{});
  }
}

template <class Key>
void sort_rows(const Sort& a) {
  const int64_t n = a.cols, k = a.k;
  each_row<Key>(a, a.descending, [=, &a](int64_t r, const KeyRow<Key>& row, item_of<Key>* items) {
    auto* sorted = items;
    if (n > 32 && k <= n / 16) {
      select_least(items, k, row);
    } else {
      make_items(items, row, n);
      if (n <= 32)
        insertion_sort(items, n);
      else
        sorted = radix_sort(items, items + n, n);
    }
    take(static_cast<char*>(a.values) + r * k * row.size, a.indices + r * k, row.x, sorted, k, row.size);
  });
}

template <class Key>
void pick_rows(const Pick& a) {
  const int64_t n = a.cols;
  each_row<Key>(a, false, [=, &a](int64_t r, const KeyRow<Key>& row, item_of<Key>* items) {
    int64_t k = a.k;
    make_items(items, row, n);
    if (a.op == PickOp::Median || a.op == PickOp::NanMedian) {
      int64_t numbers = n;
      if (is_floating(a.dtype))
        for (int64_t i = 0; i < n; ++i) numbers -= items[i].key_bits() == nan_key(a.dtype);
      k = a.op == PickOp::Median && numbers < n ? numbers : numbers ? (numbers - 1) / 2 : 0;
    }
    const auto picked = a.op == PickOp::Mode ? most_frequent(items, items + n, n) : item_of_rank(items, n, k);
    take(static_cast<char*>(a.values) + r * row.size, a.indices + r, row.x, &picked, 1, row.size);
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

void sort(const Sort& a) {
  if (a.cols == 0 || a.k == 0) return;
  size_of(a.dtype) == 8 ? sort_rows<uint64_t>(a) : sort_rows<uint32_t>(a);
}
void pick(const Pick& a) { size_of(a.dtype) == 8 ? pick_rows<uint64_t>(a) : pick_rows<uint32_t>(a); }
void order(const RowOrder& a) {
  switch (a.dtype) {
    case DType::Bool:
    case DType::UInt8: return order_rows<uint8_t>(a);
    case DType::Int8: return order_rows<int8_t>(a);
    case DType::Int16: return order_rows<int16_t>(a);
    case DType::Int32: return order_rows<int32_t>(a);
    case DType::Int64: return order_rows<int64_t>(a);
    case DType::Float16: return order_rows<float16>(a);
    case DType::BFloat16: return order_rows<bfloat16>(a);
    case DType::Float32: return order_rows<float>(a);
    case DType::Float64: return order_rows<double>(a);
  }
}

}  // namespace

void fill(SortKernels& k) {
  k.sort = sort;
  k.pick = pick;
  k.order = order;
}

}  // namespace weft::WEFT_ISA
