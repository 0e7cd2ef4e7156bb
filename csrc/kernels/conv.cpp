// See conv/axis.h for the geometry, conv/direct.h for both directions, conv/weight.h for the weights.
#include "kernels/conv.h"

#include "kernels/conv/direct.h"
#include "kernels/conv/weight.h"

namespace weft::WEFT_ISA {

namespace {

using namespace conv;

template <class T>
void forward(const ConvArgs& a) {
  const Pass p = forward_pass(a.shape);
  const Cut c = cut_pass<T>(p);
  const T* weight = (const T*)a.weight;
  run_pass(p, c, PassArgs<T>{(T*)a.y, (const T*)a.x, (const T*)a.bias}, (char*)a.workspace, a.workers,
           [&](int64_t group, const Phase&) { return weight + group * p.m * c.max_k; });
}

// The filter matrix [in_channels, out_channels * taps] of each phase, one behind the other in the order of first taps.
WEFT_INLINE int64_t phase_start(const Pass& p, int64_t depth_tap, int64_t row_tap, int64_t col_tap) {
  const Axis &depths = p.axes.depths, &rows = p.axes.rows, &cols = p.axes.cols;
  const int64_t in_plane =
      rows.taps_before(row_tap) * cols.a.kernel + rows.taps_from(row_tap) * cols.taps_before(col_tap);
  return p.m * p.channels *
         (depths.taps_before(depth_tap) * rows.a.kernel * cols.a.kernel + depths.taps_from(depth_tap) * in_plane);
}

// The taps of the phase that begins with the given ones, of one pair of channels; returns where the next would go.
template <class T>
WEFT_INLINE T* copy_taps(T* to, const T* from, const Axes& a, int64_t depth_tap, int64_t row_tap, int64_t col_tap) {
  for (int64_t t = depth_tap; t < a.depths.a.kernel; t += a.depths.tap_step())
    for (int64_t k = row_tap; k < a.rows.a.kernel; k += a.rows.tap_step())
      for (int64_t l = col_tap; l < a.cols.a.kernel; l += a.cols.tap_step())
        *to++ = from[(t * a.rows.a.kernel + k) * a.cols.a.kernel + l];
  return to;
}

template <class T>
void regroup_weight(const Pass& p, T* to, const T* weight) {
  const Axis &depths = p.axes.depths, &rows = p.axes.rows, &cols = p.axes.cols;
  const int64_t taps = p.axes.taps(), group_size = p.m * p.channels * taps;
  parallel_ranges(p.groups * p.m, 32768 / (p.channels * taps) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t group = item / p.m, m = item % p.m;
      for (int64_t h = 0; h < depths.used; ++h)
        for (int64_t i = 0; i < rows.used; ++i)
          for (int64_t j = 0; j < cols.used; ++j) {
            const int64_t phase_taps = depths.taps_from(h) * rows.taps_from(i) * cols.taps_from(j);
            T* row = to + group * group_size + phase_start(p, h, i, j) + m * p.channels * phase_taps;
            for (int64_t c = 0; c < p.channels; ++c)
              row = copy_taps(row, weight + ((group * p.channels + c) * p.m + m) * taps, p.axes, h, i, j);
          }
    }
  });
}

WEFT_INLINE int64_t weight_size(const ConvShape& s) {
  return s.groups * s.out_channels * s.in_channels * s.depths.kernel * s.rows.kernel * s.cols.kernel;
}

template <class T>
void backward_input(const ConvArgs& a) {
  const Pass p = backward_pass(a.shape);
  const Cut c = cut_pass<T>(p);
  T* weight = (T*)a.workspace;
  const int64_t size = weight_size(a.shape), group_size = size / p.groups;
  regroup_weight(p, weight, (const T*)a.weight);
  run_pass(p, c, PassArgs<T>{(T*)a.x, (const T*)a.y, (const T*)a.bias}, (char*)(weight + divide_up(size, 64) * 64),
           a.workers, [&](int64_t group, const Phase& phase) {
             return weight + group * group_size +
                    phase_start(p, p.axes.depths.first_tap(phase.depth), p.axes.rows.first_tap(phase.row),
                                p.axes.cols.first_tap(phase.col));
           });
}

template <class T>
void backward_weight(const ConvArgs& a) {
  const WeightCut c = cut_weight<T>(a.shape);
  T* sums = (T*)a.workspace;
  char* scratch = (char*)(sums + divide_up(c.splits * c.sum_room, 64) * 64);
  sum_weights(c, a.shape, sums, (const T*)a.x, (const T*)a.y, scratch, a.workers);
  combine_weights(c, a.shape, (T*)a.weight, sums);
}

template <class T>
int64_t forward_room(const ConvArgs& a) {
  return a.workers * scratch_bytes<T>(cut_pass<T>(forward_pass(a.shape)));
}
template <class T>
int64_t backward_input_room(const ConvArgs& a) {
  return divide_up(weight_size(a.shape), 64) * 64 * (int64_t)sizeof(T) +
         a.workers * scratch_bytes<T>(cut_pass<T>(backward_pass(a.shape)));
}
template <class T>
int64_t backward_weight_room(const ConvArgs& a) {
  const WeightCut c = cut_weight<T>(a.shape);
  return divide_up(c.splits * c.sum_room, 64) * 64 * (int64_t)sizeof(T) + a.workers * scratch_bytes<T>(c);
}

#define WEFT_BY_DTYPE(result, name) \
  result name##_any(const ConvArgs& a) { return a.dtype == DType::Float32 ? name<float>(a) : name<double>(a); }
WEFT_BY_DTYPE(void, forward)
WEFT_BY_DTYPE(void, backward_input)
WEFT_BY_DTYPE(void, backward_weight)
WEFT_BY_DTYPE(int64_t, forward_room)
WEFT_BY_DTYPE(int64_t, backward_input_room)
WEFT_BY_DTYPE(int64_t, backward_weight_room)
#undef WEFT_BY_DTYPE

}  // namespace

void fill(ConvKernels& k) {
  k.forward = forward_any;
  k.backward_input = backward_input_any;
  k.backward_weight = backward_weight_any;
  k.forward_workspace = forward_room_any;
  k.backward_input_workspace = backward_input_room_any;
  k.backward_weight_workspace = backward_weight_room_any;
}

}  // namespace weft::WEFT_ISA
