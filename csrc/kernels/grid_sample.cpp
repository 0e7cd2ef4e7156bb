// As many positions at a time as a vector has lanes: their taps are found together. Then a vector of neighbouring
// channels at each tap of each position: such squares of values are turned around on their way to y and from dy.
#include "kernels/grid_sample.h"

#include "base/threads.h"
#include "simd/vec.h"

#define WEFT_TAPS weft::WEFT_ISA

namespace weft::WEFT_ISA {

WEFT_INLINE i32v to_index(f32v x) { return to_i32(x); }
WEFT_INLINE i64v to_index(f64v x) { return __builtin_convertvector(x, i64v); }

}  // namespace weft::WEFT_ISA

#include "kernels/grid_sample_taps.h"

namespace weft::WEFT_ISA {
namespace {

constexpr int64_t kWork = 4096;  // outputs of a piece, about

int64_t image_of(const GridSampleShape& s) { return s.size[0] * s.size[1] * s.size[2]; }
int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// The taps of the first `count` positions.
template <class V, class T>
WEFT_ONE_COPY void find_taps(const T* grid, int64_t count, const GridSampleShape& s, PointTaps<V>& taps) {
  alignas(64) T at[3][lanes<V>] = {};
  for (int64_t p = 0; p < count; ++p)
    for (int axis = 0; axis < s.axes; ++axis) at[axis][p] = grid[p * s.axes + axis];
  const V g[3] = {load<V>(at[0]), load<V>(at[1]), load<V>(at[2])};
  taps_of(g, s, taps);
}

// Each tap of position p inside the image: body(element of the image, number of the tap).
template <class V, class F>
WEFT_INLINE void each_tap(const PointTaps<V>& taps, int64_t p, const F& body) {
  for (int k = 0; k < taps.count; ++k)
    if (const int64_t at = taps.at[k][p]; at >= 0) body(at, k);
}

// Elements `step` apart: n of them.
template <class V>
WEFT_INLINE V fetch(const scalar_of<V>* p, int64_t step, int64_t n) {
  if (step == 1) return n == lanes<V> ? load<V>(p) : load_n<V>(p, n);
  alignas(64) scalar_of<V> one[lanes<V>] = {};
  for (int64_t i = 0; i < n; ++i) one[i] = p[i * step];
  return load<V>(one);
}
template <class V>
WEFT_INLINE void store_first(scalar_of<V>* p, V v, int64_t n) {
  n == lanes<V> ? store(p, v) : store_n(p, v, n);
}

// dy of `count` positions and n channels: a vector of channels for each position.
template <class V>
WEFT_INLINE void turned(V* v, const scalar_of<V>* dy, int64_t outputs, int64_t n, int64_t count) {
  for (int64_t c = 0; c < lanes<V>; ++c) v[c] = c < n ? fetch<V>(dy + c * outputs, 1, count) : V{};
  transpose(v);
}

// Of x, `channels` of an item in groups of kSampleGroup: to[element][channel], zeros for those that are missing.
template <class T>
void turn_group(T* to, const T* x, int64_t image, int64_t channels) {
  using V = vec_of<T>;
  constexpr int64_t L = lanes<V>;
  for (int64_t i = 0; i < image; i += L, to += L * kSampleGroup) {
    const int64_t count = least(L, image - i);
    for (int64_t c = 0; c < channels; c += L) {
      V v[L];
      turned(v, x + c * image + i, image, channels - c, count);
      for (int64_t p = 0; p < count; ++p) store<V>(to + p * kSampleGroup + c, v[p]);
    }
  }
}

// body(n, first, count) for the positions of each batch item, in pieces of whole vectors.
template <int64_t L, class F>
void parallel_points(const GridSampleShape& s, const F& body) {
  const Pieces cuts = cut(s.outputs, (kWork / s.channels / L + 1) * L);
  parallel(s.batch * cuts.count, [&](int64_t piece, int) {
    const int64_t begin = piece % cuts.count * cuts.size, end = least(begin + cuts.size, s.outputs);
    for (int64_t i = begin; i < end; i += L) body(piece / cuts.count, i, least(L, end - i));
  });
}

// A piece is a group of an item's channels. An element before the image is zero, so that taps outside are as others.
template <class T>
void forward_by_groups(const GridSampleForward& a) {
  using V = vec_of<T>;
  constexpr int64_t L = lanes<V>, G = kSampleGroup;
  const GridSampleShape& s = a.shape;
  const int64_t image = image_of(s), groups = (s.channels + G - 1) / G;
  parallel(
      s.batch * groups,
      [&](int64_t piece, int worker) {
        const int64_t n = piece / groups, from = piece % groups * G, channels = least(G, s.channels - from);
        T *before = static_cast<T*>(a.room) + worker * (image + 1) * G, *x = before + G;
        __builtin_memset(before, 0, G * sizeof(T));
        turn_group(x, static_cast<const T*>(a.x) + (n * s.channels + from) * image, image, channels);
        for (int64_t first = 0; first < s.outputs; first += L) {
          const int64_t count = least(L, s.outputs - first);
          PointTaps<V> taps;
          find_taps(static_cast<const T*>(a.grid) + (n * s.outputs + first) * s.axes, count, s, taps);
          for (int64_t c = 0; c < channels; c += L) {
            T* y = static_cast<T*>(a.y) + (n * s.channels + from + c) * s.outputs + first;
            V v[L];
            for (int64_t p = 0; p < L; ++p) {
              v[p] = V{};
              for (int k = 0; k < taps.count; ++k) v[p] += load<V>(x + taps.at[k][p] * G + c) * taps.weight[k][p];
            }
            transpose(v);
            for (int64_t i = 0; i < L && c + i < channels; ++i) store_first(y + i * s.outputs, v[i], count);
          }
        }
      },
      a.workers);
}

template <class T>
void forward(const GridSampleForward& a) {
  using V = vec_of<T>;
  constexpr int64_t L = lanes<V>;
  const GridSampleShape& s = a.shape;
  if (a.room) return forward_by_groups<T>(a);
  const int64_t item = s.channels * image_of(s);
  parallel_points<L>(s, [&](int64_t n, int64_t first, int64_t count) {
    PointTaps<V> taps;
    find_taps(static_cast<const T*>(a.grid) + (n * s.outputs + first) * s.axes, count, s, taps);
    for (int64_t c = 0; c < s.channels; c += L) {
      const int64_t m = least(L, s.channels - c);
      const T* x = static_cast<const T*>(a.x) + n * item + c * s.channel;
      T* y = static_cast<T*>(a.y) + (n * s.channels + c) * s.outputs + first;
      V v[L] = {};
      for (int64_t p = 0; p < count; ++p) {
        V sum{};
        each_tap(taps, p, [&](int64_t at, int k) __attribute__((always_inline)) {
          sum += fetch<V>(x + at * s.element, s.channel, m) * taps.weight[k][p];
        });
        v[p] = sum;
      }
      transpose(v);
      for (int64_t i = 0; i < m; ++i) store_first(y + i * s.outputs, v[i], count);
    }
  });
}

// A piece has some of an item's channels to itself, so that no two threads add to one place: few where items are few.
template <class T>
void backward_input(const GridSampleBackward& a) {
  using V = vec_of<T>;
  constexpr int64_t L = lanes<V>;
  const GridSampleShape& s = a.shape;
  const int64_t item = s.channels * image_of(s), group = s.batch < 8 ? L : 4 * L;
  const int64_t groups = (s.channels + group - 1) / group;
  parallel(s.batch * groups, [&](int64_t piece, int) {
    const int64_t n = piece / groups, from = piece % groups * group, to = least(from + group, s.channels);
    const T* dy = static_cast<const T*>(a.dy) + n * s.channels * s.outputs;
    for (int64_t first = 0; first < s.outputs; first += L) {
      const int64_t count = least(L, s.outputs - first);
      PointTaps<V> taps;
      find_taps(static_cast<const T*>(a.grid) + (n * s.outputs + first) * s.axes, count, s, taps);
      for (int64_t c = from; c < to; c += L) {
        const int64_t m = least(L, to - c);
        T* dx = static_cast<T*>(a.dx) + n * item + c;
        V d[L];
        turned(d, dy + c * s.outputs + first, s.outputs, m, count);
        for (int64_t p = 0; p < count; ++p)
          each_tap(taps, p, [&](int64_t at, int k) __attribute__((always_inline)) {
            T* to = dx + at * s.element;
            store_first(to, fetch<V>(to, 1, m) + d[p] * taps.weight[k][p], m);
          });
      }
    }
  });
}

template <class T>
void backward_grid(const GridSampleBackward& a) {
  using V = vec_of<T>;
  constexpr int64_t L = lanes<V>;
  const GridSampleShape& s = a.shape;
  const int64_t item = s.channels * image_of(s);
  parallel_points<L>(s, [&](int64_t n, int64_t first, int64_t count) {
    PointTaps<V> taps;
    find_taps(static_cast<const T*>(a.grid) + (n * s.outputs + first) * s.axes, count, s, taps);
    V sum[3][L] = {};
    for (int64_t c = 0; c < s.channels; c += L) {
      const int64_t m = least(L, s.channels - c);
      const T* x = static_cast<const T*>(a.x) + n * item + c * s.channel;
      V d[L];
      turned(d, static_cast<const T*>(a.dy) + (n * s.channels + c) * s.outputs + first, s.outputs, m, count);
      for (int64_t p = 0; p < count; ++p) {
        V along[3] = {};
        each_tap(taps, p, [&](int64_t at, int k) __attribute__((always_inline)) {
          const V v = fetch<V>(x + at * s.element, s.channel, m);
#pragma GCC unroll 3
          for (int axis = 0; axis < 3; ++axis) along[axis] += v * taps.slope[axis][k][p];
        });
#pragma GCC unroll 3
        for (int axis = 0; axis < 3; ++axis) sum[axis][p] += along[axis] * d[p];
      }
    }
    T* dgrid = static_cast<T*>(a.dgrid) + (n * s.outputs + first) * s.axes;
    for (int axis = 0; axis < s.axes; ++axis) {
      const V total = sums(sum[axis]);
      for (int64_t p = 0; p < count; ++p) dgrid[p * s.axes + axis] = total[p];
    }
  });
}

void run_forward(const GridSampleForward& a) { a.dtype == DType::Float64 ? forward<double>(a) : forward<float>(a); }

template <class T>
void backward(const GridSampleBackward& a) {
  if (a.dx) backward_input<T>(a);
  if (a.dgrid && a.shape.mode != SampleMode::Nearest) backward_grid<T>(a);
}
void run_backward(const GridSampleBackward& a) { a.dtype == DType::Float64 ? backward<double>(a) : backward<float>(a); }

}  // namespace

void fill(GridSampleKernels& k) {
  k.forward = run_forward;
  k.backward = run_backward;
}

}  // namespace weft::WEFT_ISA
