// One vector of units of one sequence at one step, once the recurrent products are there.
#pragma once

#include "kernels/rnn.h"
#include "kernels/rnn/tile.h"
#include "simd/math.h"
#include "simd/math64.h"

namespace weft::WEFT_ISA::rnn {

// Reads and writes lanes u .. u + n of rows of numbers.
template <class T>
struct At {
  using V = vec_of<T>;
  int64_t u, n;
  WEFT_INLINE At make(int64_t u, int64_t units) { return {u, smaller(kLanes<T>, units - u)}; }
  void fetch(const T* row) const { __builtin_prefetch(row + u, 0, 2); }
  V get(const T* row) const { return n == kLanes<T> ? load<V>(row + u) : load_n<V>(row + u, n); }
  void put(T* row, V v) const {
    if (n == kLanes<T>)
      store<V>(row + u, v);
    else
      store_n<V>(row + u, v, n);
  }
  void put_lower(bfloat16* row, V v) const {  // unless row is null
    if constexpr (WEFT_BF16_DOTS && sizeof(T) == 4)
      if (row) n == kLanes<T> ? store_f32(row + u, v) : store_f32_n(row + u, v, n);
  }
};

// The rows that a step of one sequence touches.
template <class T>
struct ForwardRow {
  T *gates, *kept, *h, *last, *c;  // h: where h' goes; last: its copy, or null
  const T *before, *bias;
  bfloat16* lower;  // another copy, or null
  int64_t units;
};

// What the cell will read from far away comes while its product is computed.
template <class T, RnnMode M>
WEFT_INLINE void fetch_cell(const ForwardRow<T>& r, const At<T>& at) {
  for (int g = 0; g < rnn_gates(M); ++g) at.fetch(r.gates + g * r.units);
}

template <class T, RnnMode M>
WEFT_INLINE void forward_cell(const ForwardRow<T>& r, const At<T>& at, const T* q, bool keep) {
  using V = vec_of<T>;
  constexpr int L = kLanes<T>;
  auto sum = [&](int g) __attribute__((always_inline)) { return load<V>(q + g * L) + at.get(r.gates + g * r.units); };
  auto keep_gate = [&](int g, V v) __attribute__((always_inline)) { at.put(r.gates + g * r.units, v); };
  V h;
  if constexpr (M == RnnMode::Tanh) {
    h = vtanh(sum(0));
  } else if constexpr (M == RnnMode::Relu) {
    V v = sum(0);
    h = v < 0 ? V{} : v;  // NaN stays
  } else if constexpr (M == RnnMode::Lstm) {
    V i = vsigmoid(sum(0)), f = vsigmoid(sum(1)), g = vtanh(sum(2)), o = vsigmoid(sum(3));
    V c = f * at.get(r.c) + i * g;
    at.put(r.c, c);
    h = o * vtanh(c);
    if (keep) {
      keep_gate(0, i);
      keep_gate(1, f);
      keep_gate(2, g);
      keep_gate(3, o);
      at.put(r.kept, c);
    }
  } else {
    V reset = vsigmoid(sum(0)), z = vsigmoid(sum(1)), hidden = load<V>(q + 2 * L);
    if (r.bias) hidden += at.get(r.bias);
    V n = vtanh(at.get(r.gates + 2 * r.units) + reset * hidden);
    h = n + z * (at.get(r.before) - n);
    if (keep) {
      keep_gate(0, reset);
      keep_gate(1, z);
      keep_gate(2, n);
      at.put(r.kept, hidden);
    }
  }
  at.put(r.h, h);
  if (r.last) at.put(r.last, h);
  at.put_lower(r.lower, h);
}

template <class T>
struct BackwardRow {
  T *dgates, *dhidden, *dh, *dc, *keep_before;  // keep_before: the copy of `before`, or null
  const T *gates, *kept, *y, *dy;               // dy: null for 0
  const T *before, *c_before;
  bfloat16* lower;  // another copy of the gradient of q, or null
  int64_t units;
  bool fresh;  // nothing comes from a later step: dh is the gradient of the last h
};

template <class T, RnnMode M>
WEFT_INLINE void fetch_cell(const BackwardRow<T>& r, const At<T>& at) {
  if (r.dy) at.fetch(r.dy);
  if (r.before) at.fetch(r.before);
  if constexpr (M >= RnnMode::Lstm) {
    for (int g = 0; g < rnn_gates(M); ++g) at.fetch(r.gates + g * r.units);
    at.fetch(r.kept);
  } else {
    at.fetch(r.y);
  }
  if constexpr (M == RnnMode::Lstm) at.fetch(r.c_before);
}

template <class T, RnnMode M>
WEFT_INLINE void backward_cell(const BackwardRow<T>& r, const At<T>& at, const T* q) {
  using V = vec_of<T>;
  auto gate = [&](int g) __attribute__((always_inline)) { return at.get(r.gates + g * r.units); };
  auto lower = [&](int g, V v)
                   __attribute__((always_inline)) { at.put_lower(r.lower ? r.lower + g * r.units : nullptr, v); };
  auto give = [&](int g, V v) __attribute__((always_inline)) {
    at.put(r.dgates + g * r.units, v);
    if (M != RnnMode::Gru) lower(g, v);
  };
  V dh = load<V>(q);
  if (r.dy) dh += at.get(r.dy);
  if (r.fresh || M == RnnMode::Gru) dh += at.get(r.dh);
  V before = r.before ? at.get(r.before) : V{};
  if (r.keep_before) at.put(r.keep_before, before);
  if constexpr (M == RnnMode::Tanh) {
    V h = at.get(r.y);
    give(0, dh * (1 - h * h));
  } else if constexpr (M == RnnMode::Relu) {
    give(0, at.get(r.y) > 0 ? dh : V{});
  } else if constexpr (M == RnnMode::Lstm) {
    V i = gate(0), f = gate(1), g = gate(2), o = gate(3), t = vtanh(at.get(r.kept));
    V dc = at.get(r.dc) + dh * o * (1 - t * t);
    at.put(r.dc, dc * f);
    give(0, dc * g * i * (1 - i));
    give(1, dc * at.get(r.c_before) * f * (1 - f));
    give(2, dc * i * (1 - g * g));
    give(3, dh * t * o * (1 - o));
  } else {
    V reset = gate(0), z = gate(1), n = gate(2), hidden = at.get(r.kept);
    V dn = dh * (1 - z) * (1 - n * n), dz = dh * (before - n) * z * (1 - z);
    V dr = dn * hidden * reset * (1 - reset);
    at.put(r.dh, dh * z);
    give(0, dr);
    give(1, dz);
    give(2, dn);
    auto give_hidden = [&](int g, V v) __attribute__((always_inline)) {
      at.put(r.dhidden + g * r.units, v);
      lower(g, v);
    };
    give_hidden(0, dr);
    give_hidden(1, dz);
    give_hidden(2, dn * reset);
  }
}

}  // namespace weft::WEFT_ISA::rnn
