#include "kernels/rnn/rnn.h"
#include "kernels/rnn/schedule.h"

namespace weft::WEFT_ISA {
namespace {

using namespace rnn;

// From the last step to the first: what the step after gives to h, W_hh^T dq, is multiplied when it is needed.
template <class T, RnnMode M>
struct Backward {
  const RnnBackward& p;
  const RnnShape& s;
  Packed<T> weight[2], projection[2];

  int64_t gates() const { return rnn_gates(M) * s.hidden; }
  bfloat16* lower(int d, int64_t row) const { return s.lower ? (bfloat16*)p.d[d].lower + row * gates() : nullptr; }
  const T* later(int d, int64_t t, int64_t b) const {  // dq of a step
    if (s.lower) return (const T*)lower(d, row_of(s, t, b));
    return (const T*)(M == RnnMode::Gru ? p.d[d].dhidden : p.d[d].dgates) + row_of(s, t, b) * gates();
  }
  const T* h_before(int d, const Step& step, int64_t b, bool begins) const {
    return begins ? (const T*)p.d[d].h0 + b * s.out : (const T*)p.y + row_of(s, step.before, b) * p.y_row + d * s.out;
  }

  // The rows that a product reads, of the sequences that have step `after`; the others get 0.
  template <class F>
  void times(const Packed<T>& w, int64_t k, const T* const* a, int multiplied, int rows, const F& each) const {
    alignas(64) T q[kGroup * kWide * kLanes<T>];
    const int vectors = w.vectors_of(k), width = vectors * kLanes<T>;
    product(s.lower, vectors, q, a, multiplied, w.k, w.block(k));
    __builtin_memset(q + multiplied * width, 0, (size_t)((rows - multiplied) * width) * sizeof(T));
    for (int r = 0; r < rows; ++r)
      over_vectors<T>(k * w.units(), w.columns, vectors,
                      [&](int j, const At<T>& at) { each(r, at, q + r * width + j * kLanes<T>); });
  }

  void step(int direction, int64_t i, int64_t b0, int64_t b1, int64_t block0, int64_t block1) const {
    const Step step = step_of(s, direction, s.steps - 1 - i);
    const RnnBackward::Direction& d = p.d[direction];
    const int64_t H = s.hidden, G = gates();
    const int rows = (int)(active(s, step.t, b0, b1) - b0), starting = (int)(active(s, step.before, b0, b1) - b0);
    int multiplied = (int)(active(s, step.after, b0, b1) - b0);
    if (rows == 0) return;
    if (multiplied > rows) multiplied = rows;
    const T* a[kGroup];
    BackwardRow<T> row[kGroup];
    for (int r = 0; r < rows; ++r) {
      const int64_t b = b0 + r, at = row_of(s, step.t, b);
      const bool begins = r >= starting;
      if (r < multiplied) a[r] = later(direction, step.after, b);
      row[r].dgates = (T*)d.dgates + at * G;
      row[r].dhidden = M == RnnMode::Gru ? (T*)d.dhidden + at * G : nullptr;
      row[r].dh = (T*)d.dh + b * s.out;
      row[r].dc = d.dc ? (T*)d.dc + b * H : nullptr;
      row[r].gates = M >= RnnMode::Lstm ? (const T*)d.gates + at * G : nullptr;
      row[r].kept = M >= RnnMode::Lstm ? (const T*)d.kept + at * H : nullptr;
      row[r].y = (const T*)p.y + at * p.y_row + direction * s.out;
      row[r].dy = p.dy ? (const T*)p.dy + at * p.y_row + direction * s.out : nullptr;
      row[r].before = h_before(direction, step, b, begins);
      row[r].keep_before = (T*)d.before + at * s.out;
      if (M == RnnMode::Lstm)
        row[r].c_before = begins ? (const T*)d.c0 + b * H : (const T*)d.kept + row_of(s, step.before, b) * H;
      row[r].lower = lower(direction, at);
      row[r].units = H;
      row[r].fresh = r >= multiplied;
    }
    if (s.projected) {
      through_projection(direction, step, a, row, multiplied, rows, b0);
      multiplied = rows;
    }
    const Packed<T>& w = s.projected ? projection[direction] : weight[direction];
    for (int64_t n = block0; n < block1; ++n) {
      const int64_t k = in_turns(i, n, block0, block1);
      for (int r = 0; r < rows; ++r)
        over_vectors<T>(k * w.units(), s.hidden, w.vectors_of(k),
                        [&](int, const At<T>& at) { fetch_cell<T, M>(row[r], at); });
      times(w, k, a, multiplied, rows, [&](int r, const At<T>& at, const T* q) { backward_cell<T, M>(row[r], at, q); });
    }
  }

  // The gradient of W_hr h', and from then on a and row are about h'.
  void through_projection(int direction, const Step& step, const T** a, BackwardRow<T>* row, int multiplied, int rows,
                          int64_t b0) const {
    T* dout = (T*)p.d[direction].dout;
    const Packed<T>& w = weight[direction];
    for (int64_t k = 0; k < w.blocks(); ++k)
      times(w, k, a, multiplied, rows, [&](int r, const At<T>& at, const T* q) {
        auto dh = load<vec_of<T>>(q);
        if (row[r].dy) dh += at.get(row[r].dy);
        if (row[r].fresh) dh += at.get(row[r].dh);
        at.put(dout + row_of(s, step.t, b0 + r) * s.out, dh);
        at.put(row[r].keep_before, at.get(row[r].before));
      });
    for (int r = 0; r < rows; ++r) {
      a[r] = dout + row_of(s, step.t, b0 + r) * s.out;
      row[r].dy = row[r].before = nullptr;
      row[r].keep_before = nullptr;
      row[r].fresh = false;
    }
  }

  // The gradients of h0, from each sequence's first step.
  void finish(int direction, int64_t b0, int64_t b1) const {
    const Packed<T>& w = weight[direction];
    const int rows = (int)(b1 - b0);
    const T* a[kGroup];
    for (int r = 0; r < rows; ++r) {
      int64_t t = 0;
      if (direction)
        for (t = s.steps - 1; s.active[t] <= b0 + r;) --t;
      a[r] = later(direction, t, b0 + r);
    }
    for (int64_t k = 0; k < w.blocks(); ++k)
      times(w, k, a, rows, rows, [&](int r, const At<T>& at, const T* q) {
        T* dh = (T*)p.d[direction].dh + (b0 + r) * s.out;
        auto v = load<vec_of<T>>(q);
        at.put(dh, M == RnnMode::Gru ? v + at.get(dh) : v);
      });
  }
};

template <class T, RnnMode M>
void backward(const RnnBackward& p) {
  const RnnShape& s = p.s;
  Backward<T, M> f{p, s, {}, {}};
  const int64_t gates = rnn_gates(M) * s.hidden;
  T* room = (T*)((char*)p.workspace + kCounterBytes);
  for (int i = 0; i < s.directions; ++i) {
    f.weight[i] = Packed<T>::plain(room, s.lower ? gates / 2 : gates, s.out);
    parallel(f.weight[i].blocks(),
             [&](int64_t k, int) { pack_block<false>(room, f.weight[i], k, (const T*)p.d[i].weight, s.out, s.lower); });
    room += f.weight[i].size();
    if (!s.projected) continue;
    f.projection[i] = Packed<T>::plain(room, s.out, s.hidden);
    parallel(f.projection[i].blocks(), [&](int64_t k, int) {
      pack_block<false>(room, f.projection[i], k, (const T*)p.d[i].projection, s.hidden);
    });
    room += f.projection[i].size();
  }
  const int64_t blocks = (s.projected ? f.projection[0] : f.weight[0]).blocks();
  over_steps(s, share_of(s, rnn_gates(M) * s.out, blocks), s.steps, blocks, p.workspace,
             [&](auto... where) { f.step(where...); });
  if (!p.first || interrupted()) return;
  const int64_t groups = ceil_div(s.batch, kGroup);
  parallel(groups * s.directions, [&](int64_t piece, int) {
    const int64_t b0 = piece / s.directions * kGroup;
    f.finish((int)(piece % s.directions), b0, smaller(b0 + kGroup, s.batch));
  });
}

template <class T>
void any_mode(const RnnBackward& p) {
  switch (p.s.mode) {
    case RnnMode::Tanh: return backward<T, RnnMode::Tanh>(p);
    case RnnMode::Relu: return backward<T, RnnMode::Relu>(p);
    case RnnMode::Lstm: return backward<T, RnnMode::Lstm>(p);
    case RnnMode::Gru: return backward<T, RnnMode::Gru>(p);
  }
}

}  // namespace

void rnn_backward(const RnnBackward& p) { p.s.dtype == DType::Float64 ? any_mode<double>(p) : any_mode<float>(p); }

}  // namespace weft::WEFT_ISA
