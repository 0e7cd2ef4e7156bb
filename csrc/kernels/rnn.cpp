#include "kernels/rnn.h"

#include "kernels/rnn/rnn.h"
#include "kernels/rnn/schedule.h"

namespace weft::WEFT_ISA {
namespace {

// Both passes pack W_hh and W_hr in one orientation or the other.
template <class T>
int64_t elements(const RnnShape& s) {
  using rnn::Packed;
  const int64_t gates = rnn_gates(s.mode);
  const int64_t forward = Packed<T>::gated(nullptr, s.out, s.hidden, (int)gates).size();
  const int64_t backward = Packed<T>::plain(nullptr, gates * s.hidden, s.out).size();
  int64_t all = forward > backward ? forward : backward;
  if (s.projected) {
    const int64_t to = Packed<T>::plain(nullptr, s.hidden, s.out).size();
    const int64_t from = Packed<T>::plain(nullptr, s.out, s.hidden).size();
    all += to > from ? to : from;
  }
  return all * s.directions;
}

int64_t workspace(const RnnShape& s) {
  return rnn::kCounterBytes + (s.dtype == DType::Float64 ? elements<double>(s) * 8 : elements<float>(s) * 4);
}

}  // namespace

void fill(RnnKernels& k) {
  k.lowers = WEFT_BF16_DOTS;
  k.forward = rnn_forward;
  k.backward = rnn_backward;
  k.workspace = workspace;
  k.packed_bytes = rnn_packed_bytes;
  k.pack = rnn_pack;
}

}  // namespace weft::WEFT_ISA
