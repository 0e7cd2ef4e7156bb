#include "kernels/rnn/rnn.h"
#include "kernels/rnn/schedule.h"

namespace weft::WEFT_ISA {
namespace {

using namespace rnn;

template <class T, RnnMode M>
struct Forward {
  const RnnForward& p;
  const RnnShape& s;
  Packed<T> weight[2], projection[2];

  T* y_row(int d, int64_t t, int64_t b) const { return (T*)p.y + row_of(s, t, b) * p.y_row + d * s.out; }
  bfloat16* lower(int d, int64_t row) const { return s.lower ? (bfloat16*)p.d[d].lower + row * s.out : nullptr; }

  void step(int direction, int64_t i, int64_t b0, int64_t b1, int64_t block0, int64_t block1) const {
    const Step step = step_of(s, direction, i);
    const RnnForward::Direction& d = p.d[direction];
    const Packed<T>& w = weight[direction];
    const int64_t H = s.hidden, G = rnn_gates(M);
    const int rows = (int)(active(s, step.t, b0, b1) - b0), going_on = (int)(active(s, step.before, b0, b1) - b0);
    if (rows == 0) return;
    const T *before[kGroup], *multiplied[kGroup];
    ForwardRow<T> row[kGroup];
    for (int r = 0; r < rows; ++r) {
      const int64_t b = b0 + r, at = row_of(s, step.t, b);
      before[r] = r < going_on ? y_row(direction, step.before, b) : (const T*)d.h0 + b * s.out;
      multiplied[r] = before[r];
      if (s.lower)
        multiplied[r] = (const T*)(r < going_on ? lower(direction, row_of(s, step.before, b))
                                                : (const bfloat16*)d.h0_lower + b * s.out);
      row[r] = {(T*)d.gates + at * G * H,
                d.kept ? (T*)d.kept + at * H : nullptr,
                s.projected ? (T*)d.raw + at * H : y_row(direction, step.t, b),
                s.projected ? nullptr : (T*)d.h + b * H,
                d.c ? (T*)d.c + b * H : nullptr,
                before[r],
                (const T*)d.bias,
                lower(direction, at),
                H};
    }
    alignas(64) T q[kGroup * kWide * kLanes<T>];
    for (int64_t n = block0; n < block1; ++n) {
      const int64_t k = in_turns(i, n, block0, block1);
      const int vectors = w.vectors_of(k), width = vectors * kLanes<T>;
      const int each = w.units() / kLanes<T>;
      for (int r = 0; r < rows; ++r)
        over_vectors<T>(k * w.units(), H, each, [&](int, const At<T>& at) { fetch_cell<T, M>(row[r], at); });
      product(s.lower, vectors, q, multiplied, rows, w.k, w.block(k));
      for (int r = 0; r < rows; ++r)
        over_vectors<T>(k * w.units(), H, each, [&](int j, const At<T>& at) {
          forward_cell<T, M>(row[r], at, q + r * width + j * kLanes<T>, p.keep);
        });
    }
    if (s.projected) project(direction, step.t, b0, rows);
  }

  void project(int direction, int64_t t, int64_t b0, int rows) const {
    const RnnForward::Direction& d = p.d[direction];
    const Packed<T>& w = projection[direction];
    const T* raw[kGroup];
    for (int r = 0; r < rows; ++r) raw[r] = (const T*)d.raw + row_of(s, t, b0 + r) * s.hidden;
    alignas(64) T q[kGroup * kWide * kLanes<T>];
    for (int64_t k = 0; k < w.blocks(); ++k) {
      const int vectors = w.vectors_of(k), width = vectors * kLanes<T>;
      product(vectors, q, raw, rows, s.hidden, w.block(k));
      for (int r = 0; r < rows; ++r)
        over_vectors<T>(k * w.units(), s.out, vectors, [&](int j, const At<T>& at) {
          const auto h = load<vec_of<T>>(q + r * width + j * kLanes<T>);
          at.put(y_row(direction, t, b0 + r), h);
          at.put((T*)d.h + (b0 + r) * s.out, h);
        });
    }
  }
};

template <class T>
Packed<T> packed_weight(const RnnShape& s, const void* data) {
  return Packed<T>::gated((const T*)data, s.lower ? s.out / 2 : s.out, s.hidden, (int)rnn_gates(s.mode));
}
template <class T>
void pack_weight(const RnnShape& s, const Packed<T>& packed, T* to, const void* weight) {
  parallel(packed.blocks(), [&](int64_t k, int) { pack_block<true>(to, packed, k, (const T*)weight, s.out, s.lower); });
}

template <class T, RnnMode M>
void forward(const RnnForward& p) {
  const RnnShape& s = p.s;
  Forward<T, M> f{p, s, {}, {}};
  T* room = (T*)((char*)p.workspace + kCounterBytes);
  for (int i = 0; i < s.directions; ++i) {
    if (p.d[i].packed) {
      f.weight[i] = packed_weight<T>(s, p.d[i].packed);
    } else {
      f.weight[i] = packed_weight<T>(s, room);
      pack_weight(s, f.weight[i], room, p.d[i].weight);
      room += f.weight[i].size();
    }
    if (!s.projected) continue;
    f.projection[i] = Packed<T>::plain(room, s.hidden, s.out);
    parallel(f.projection[i].blocks(), [&](int64_t k, int) {
      pack_block<true>(room, f.projection[i], k, (const T*)p.d[i].projection, s.hidden);
    });
    room += f.projection[i].size();
  }
  const int64_t blocks = f.weight[0].blocks();
  over_steps(s, share_of(s, rnn_gates(M) * s.out, blocks), s.steps, blocks, p.workspace,
             [&](auto... where) { f.step(where...); });
}

template <class T>
void any_mode(const RnnForward& p) {
  switch (p.s.mode) {
    case RnnMode::Tanh: return forward<T, RnnMode::Tanh>(p);
    case RnnMode::Relu: return forward<T, RnnMode::Relu>(p);
    case RnnMode::Lstm: return forward<T, RnnMode::Lstm>(p);
    case RnnMode::Gru: return forward<T, RnnMode::Gru>(p);
  }
}

}  // namespace

int64_t rnn_packed_bytes(const RnnShape& s) {
  return s.dtype == DType::Float64 ? packed_weight<double>(s, nullptr).size() * 8
                                   : packed_weight<float>(s, nullptr).size() * 4;
}
void rnn_pack(const RnnPack& p) {
  if (p.s.dtype == DType::Float64)
    pack_weight(p.s, packed_weight<double>(p.s, p.to), (double*)p.to, p.weight);
  else
    pack_weight(p.s, packed_weight<float>(p.s, p.to), (float*)p.to, p.weight);
}

void rnn_forward(const RnnForward& p) { p.s.dtype == DType::Float64 ? any_mode<double>(p) : any_mode<float>(p); }

}  // namespace weft::WEFT_ISA
