// A list of at most kMaxDims sizes, strides or axes, without allocation.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/macros.h"

namespace weft {

constexpr int kMaxDims = 8;

struct Dims {
  int64_t v[kMaxDims];
  int n = 0;

  Dims() = default;
  Dims(std::initializer_list<int64_t> values) {
    for (int64_t x : values) push_back(x);
  }
  static Dims filled(int n, int64_t value) {
    Dims d;
    for (int i = 0; i < n; ++i) d.push_back(value);
    return d;
  }
  int size() const { return n; }
  bool empty() const { return n == 0; }
  int64_t& operator[](int i) { return v[i]; }
  int64_t operator[](int i) const { return v[i]; }
  int64_t* begin() { return v; }
  int64_t* end() { return v + n; }
  const int64_t* begin() const { return v; }
  const int64_t* end() const { return v + n; }
  int64_t back() const { return v[n - 1]; }
  void push_back(int64_t x);  // RuntimeError beyond kMaxDims
  void insert(int at, int64_t x);
  void erase(int at);
  bool operator==(const Dims& o) const {
    if (n != o.n) return false;
    for (int i = 0; i < n; ++i)
      if (v[i] != o.v[i]) return false;
    return true;
  }
  bool operator!=(const Dims& o) const { return !(*this == o); }
};

std::string to_string(const Dims& d);  // "[2, 3]"
int64_t numel_of(const Dims& shape);   // OverflowError beyond 2^62; ValueError if negative
Dims contiguous_strides(const Dims& shape);
bool is_contiguous(const Dims& shape, const Dims& strides);
Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b);             // ValueError naming op and both shapes
Dims broadcast_strides(const Dims& shape, const Dims& strides, const Dims& to);  // 0 where repeated
int wrap_dim(const char* op, int64_t dim, int ndim);  // negative axes; IndexError out of range

}  // namespace weft
