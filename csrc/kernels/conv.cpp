// Three ways: lanes along output channels (conv/channel_pass.h, conv/channel_weight.h; conv/row_pass.h for volumes of
// few channels) or, depthwise, along the groups (conv/depth_pass.h, conv/depth_weight.h), in either memory format; and
// for few channels per group lanes along pixels (conv/direct.h, conv/weight.h). See conv/axis.h for the geometry. With
// many channels Winograd's algorithm takes fewer multiplications: conv/winograd.h and its neighbours for 3x3,
// conv/winograd_halves.h for 4x4 of stride 2.
#include "kernels/conv.h"

#include "kernels/conv/channel_pass.h"
#include "kernels/conv/channel_weight.h"
#include "kernels/conv/depth_pass.h"
#include "kernels/conv/depth_weight.h"
#include "kernels/conv/direct.h"
#include "kernels/conv/halves_pass.h"
#include "kernels/conv/halves_weight.h"
#include "kernels/conv/row_pass.h"
#include "kernels/conv/weight.h"
#include "kernels/conv/winograd_weight.h"
#include "kernels/conv/winograd_wide.h"

namespace weft::WEFT_ISA {

namespace {

using namespace conv;

// ---- lanes along output channels ----

template <class T>
WEFT_INLINE int64_t packed_room(const Pass& p, bool winograd) {
  return divide_up(winograd ? winograd_filters_size<T>(p) : filters_size<T>(p), 64) * 64;
}
template <class T>
void pack_to(const Pass& p, const ConvArgs& a, T* to) {
  a.winograd&& winograd_wins<T>(p) ? transform_filters(p, to, (const T*)a.weight, a.weight_last)
                                   : pack_filters(p, to, (const T*)a.weight, a.weight_last);
}
// Not with packed filters, which winograd_pass takes, unless there are too many to pack them.
template <class T>
bool by_wide(const Pass& p, const ConvArgs& a) {
  const bool few = p.m * p.channels <= kTooWideToPack;
  return a.winograd &&
         (few ? !a.packed && p.m * p.channels >= kWide && is_planar(p) && winograd_wins<T>(p) : wide_wins<T>(p));
}
template <class T>
void run_channels(const Pass& p, const ConvArgs& a, const ChannelArgs<T>& to) {
  if constexpr (sizeof(T) == 4)
    if (by_wide<T>(p, a))
      return wide_pass(p, cut_wide<T>(p, to.out_last, to.source_last), to, (const T*)a.weight, a.weight_last,
                       (char*)a.workspace, a.workers);
  const bool winograd = a.winograd && winograd_wins<T>(p);
  const T* packed = (const T*)a.packed;
  char* scratch = (char*)a.workspace;
  if (!packed) {
    pack_to(p, a, (T*)a.workspace);
    packed = (const T*)a.workspace;
    scratch += packed_room<T>(p, winograd) * (int64_t)sizeof(T);
  }
  if constexpr (sizeof(T) == 4) {
    if (winograd)
      return winograd_pass(p, cut_winograd<T>(p, to.out_last, to.source_last), to, packed, scratch, a.workers);
    if (a.winograd && halves::pass_wins<T>(p))
      return halves::run_pass(p, halves::cut_pass<T>(p, to.out_last, to.source_last), to, packed, scratch, a.workers);
    if (by_rows(p, to.out_last, to.source_last)) return row_pass(p, cut_rows<T>(p), to, packed, scratch, a.workers);
  }
  channel_pass(p, cut_channels<T>(p, to.out_last, to.source_last), to, packed, scratch, a.workers);
}
template <class T>
int64_t channels_room(const Pass& p, const ConvArgs& a, bool out_last, bool source_last) {
  if (by_wide<T>(p, a)) {
    const WideCut c = cut_wide<T>(p, out_last, source_last);
    return c.all_room * (int64_t)sizeof(T) + a.workers * c.worker_room;
  }
  const bool winograd = a.winograd && winograd_wins<T>(p);
  const int64_t filters = a.packed ? 0 : packed_room<T>(p, winograd) * (int64_t)sizeof(T);
  if (a.winograd && halves::pass_wins<T>(p)) {
    const halves::PassCut c = halves::cut_pass<T>(p, out_last, source_last);
    return filters + c.values_room * (int64_t)sizeof(T) + a.workers * c.worker_room;
  }
  if constexpr (sizeof(T) == 4)
    if (!winograd && by_rows(p, out_last, source_last)) return filters + a.workers * cut_rows<T>(p).worker_room;
  if (!winograd) return filters + a.workers * cut_channels<T>(p, out_last, source_last).worker_room;
  const WinogradCut c = cut_winograd<T>(p, out_last, source_last);
  return filters + a.workers * c.worker_room + c.shared_room * (int64_t)sizeof(T);
}

// In [channels, pixels] order, pointwise and first layers are better off with the lanes along pixels, unless those are
// volumes or their rows are shorter than half a vector.
template <class T>
bool by_channels(const Pass& p, const ConvArgs& a) {
  const bool narrow = p.axes.depths.a.kernel > 1 || p.axes.cols.grid * 2 <= kLane<T>;
  const bool many = p.channels >= 16 ? p.axes.taps() > 1 : narrow && merges_columns(p);
  return fills_lanes<T>(p) && (a.x_last || a.y_last || a.weight_last || many);
}

// Where a stride passes over pixels that no tap reads, the lanes along pixels read less of [channels, pixels] order.
template <class T>
bool weight_by_channels(const Pass& p, const ConvArgs& a) {
  const bool strided = p.axes.depths.a.stride * p.axes.rows.a.stride * p.axes.cols.a.stride > 1;
  return fills_lanes<T>(p) && (a.x_last || a.y_last || a.weight_last || p.axes.taps() > 1 || !strided);
}

WEFT_INLINE Pass pass_of(const ConvArgs& a) {
  return a.pass == ConvPass::BackwardInput ? backward_pass(a.shape) : forward_pass(a.shape);
}
template <class T>
int64_t packed_bytes(const ConvArgs& a) {
  const Pass p = pass_of(a);
  if (a.pass == ConvPass::BackwardWeight || !by_channels<T>(p, a)) return 0;
  if (a.winograd && wide_wins<T>(p)) return 0;
  return packed_room<T>(p, a.winograd && winograd_wins<T>(p)) * (int64_t)sizeof(T);
}
template <class T>
void pack(const ConvArgs& a) {
  pack_to(pass_of(a), a, (T*)a.workspace);
}

template <class T>
bool takes_last(const ConvArgs& a, ConvPass pass) {
  return is_depthwise<T>(a.shape) ||
         fills_lanes<T>(pass == ConvPass::BackwardInput ? backward_pass(a.shape) : forward_pass(a.shape));
}

// ---- lanes along groups ----

template <class T>
void run_depth(const ConvArgs& a, bool back, const ChannelArgs<T>& to) {
  T* filters = (T*)a.workspace;
  pack_depth_filters(a.shape, filters, (const T*)a.weight, flips<T>(a.shape.cols, back));
  depth_pass(cut_depth<T>(a.shape, back, to.source_last, to.out_last), to, (const T*)filters,
             (char*)(filters + depth_filters_size<T>(a.shape)), a.workers);
}
template <class T>
int64_t depth_room(const ConvArgs& a, bool back, bool out_last, bool source_last) {
  return depth_filters_size<T>(a.shape) * (int64_t)sizeof(T) +
         a.workers * cut_depth<T>(a.shape, back, source_last, out_last).worker_room;
}

template <class T>
DepthCut depth_weight_cut(const ConvArgs& a) {
  return cut_depth_weight<T>(a.shape, a.x_last, a.y_last);
}
template <class T>
WEFT_INLINE int64_t depth_sums_size(const ConvArgs& a) {
  return depth_splits(depth_weight_cut<T>(a)) * depth_filters_size<T>(a.shape);
}

// ---- lanes along pixels ----

template <class T>
void forward(const ConvArgs& a) {
  const Pass p = forward_pass(a.shape);
  const ChannelArgs<T> to{(T*)a.y, (const T*)a.x, (const T*)a.bias, a.y_last, a.x_last, a.relu};
  if (is_depthwise<T>(a.shape)) return run_depth(a, false, to);
  if (by_channels<T>(p, a)) return run_channels(p, a, to);
  const Cut c = cut_pass<T>(p);
  const T* weight = (const T*)a.weight;
  run_pass(p, c, PassArgs<T>{(T*)a.y, (const T*)a.x, (const T*)a.bias, a.relu}, (char*)a.workspace, a.workers,
           [&](int64_t group, const Phase&) { return weight + group * p.m * c.max_k; });
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
            T* row = to + group * group_size + phase_start(p, h, i, j) * p.m + m * p.channels * phase_taps;
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
  const ChannelArgs<T> to{(T*)a.x, (const T*)a.y, (const T*)a.bias, a.x_last, a.y_last, false};
  if (is_depthwise<T>(a.shape)) return run_depth(a, true, to);
  if (by_channels<T>(p, a)) return run_channels(p, a, to);
  const Cut c = cut_pass<T>(p);
  T* weight = (T*)a.workspace;
  const int64_t size = weight_size(a.shape), group_size = size / p.groups;
  regroup_weight(p, weight, (const T*)a.weight);
  run_pass(p, c, PassArgs<T>{(T*)a.x, (const T*)a.y, (const T*)a.bias, false},
           (char*)(weight + divide_up(size, 64) * 64), a.workers, [&](int64_t group, const Phase& phase) {
             return weight + group * group_size +
                    p.m * phase_start(p, p.axes.depths.first_tap(phase.depth), p.axes.rows.first_tap(phase.row),
                                      p.axes.cols.first_tap(phase.col));
           });
}

template <class T>
void backward_weight(const ConvArgs& a) {
  if (is_depthwise<T>(a.shape)) {
    const DepthCut c = depth_weight_cut<T>(a);
    T* sums = (T*)a.workspace;
    sum_depth_weights(c, sums, (const T*)a.x, a.x_last, (const T*)a.y, a.y_last, (char*)(sums + depth_sums_size<T>(a)),
                      a.workers);
    return combine_depth_weights(c, (T*)a.weight, (const T*)sums);
  }
  const Pass p = forward_pass(a.shape);
  if (weight_by_channels<T>(p, a)) {
    if constexpr (sizeof(T) == 4) {
      if (a.winograd && winograd_weight_wins<T>(p))
        return winograd_weights(cut_winograd_weight<T>(a.shape, a.x_last, a.y_last), (T*)a.weight, a.weight_last,
                                (const T*)a.x, a.x_last, (const T*)a.y, a.y_last, (char*)a.workspace, a.workers);
      if (a.winograd && halves::weight_wins<T>(p))
        return halves::run_weight(halves::cut_weight<T>(a.shape, a.x_last, a.y_last), (T*)a.weight, a.weight_last,
                                  (const T*)a.x, a.x_last, (const T*)a.y, a.y_last, (char*)a.workspace, a.workers);
    }
    return channel_weights(cut_channel_weight<T>(a.shape, a.x_last), (T*)a.weight, a.weight_last, (const T*)a.x,
                           a.x_last, (const T*)a.y, a.y_last, (char*)a.workspace, a.workers);
  }
  const WeightCut c = cut_weight<T>(a.shape);
  T* sums = (T*)a.workspace;
  char* scratch = (char*)(sums + divide_up(c.splits * c.sum_room, 64) * 64);
  sum_weights(c, a.shape, sums, (const T*)a.x, (const T*)a.y, scratch, a.workers);
  combine_weights(c, a.shape, (T*)a.weight, sums);
}

template <class T>
int64_t forward_room(const ConvArgs& a) {
  const Pass p = forward_pass(a.shape);
  if (is_depthwise<T>(a.shape)) return depth_room<T>(a, false, a.y_last, a.x_last);
  if (by_channels<T>(p, a)) return channels_room<T>(p, a, a.y_last, a.x_last);
  return a.workers * scratch_bytes<T>(cut_pass<T>(p));
}
template <class T>
int64_t backward_input_room(const ConvArgs& a) {
  const Pass p = backward_pass(a.shape);
  if (is_depthwise<T>(a.shape)) return depth_room<T>(a, true, a.x_last, a.y_last);
  if (by_channels<T>(p, a)) return channels_room<T>(p, a, a.x_last, a.y_last);
  return divide_up(weight_size(a.shape), 64) * 64 * (int64_t)sizeof(T) + a.workers * scratch_bytes<T>(cut_pass<T>(p));
}
template <class T>
int64_t backward_weight_room(const ConvArgs& a) {
  if (is_depthwise<T>(a.shape))
    return depth_sums_size<T>(a) * (int64_t)sizeof(T) + a.workers * depth_weight_cut<T>(a).worker_room;
  const Pass p = forward_pass(a.shape);
  if (weight_by_channels<T>(p, a)) {
    if (a.winograd && winograd_weight_wins<T>(p))
      return winograd_weight_room<T>(cut_winograd_weight<T>(a.shape, a.x_last, a.y_last), a.workers);
    if (a.winograd && halves::weight_wins<T>(p))
      return halves::weight_room<T>(halves::cut_weight<T>(a.shape, a.x_last, a.y_last), a.workers);
    return channel_weight_room<T>(cut_channel_weight<T>(a.shape, a.x_last), a.workers);
  }
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
WEFT_BY_DTYPE(int64_t, packed_bytes)
WEFT_BY_DTYPE(void, pack)
#undef WEFT_BY_DTYPE
bool takes_last_any(const ConvArgs& a, ConvPass pass) {
  return a.dtype == DType::Float32 ? takes_last<float>(a, pass) : takes_last<double>(a, pass);
}

}  // namespace

void fill(ConvKernels& k) {
  k.forward = forward_any;
  k.backward_input = backward_input_any;
  k.backward_weight = backward_weight_any;
  k.forward_workspace = forward_room_any;
  k.backward_input_workspace = backward_input_room_any;
  k.backward_weight_workspace = backward_weight_room_any;
  k.packed_bytes = packed_bytes_any;
  k.pack = pack_any;
  k.takes_last = takes_last_any;
}

}  // namespace weft::WEFT_ISA
