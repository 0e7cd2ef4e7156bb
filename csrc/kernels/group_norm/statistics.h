// What both memory formats share: how work is cut, and from sums to what passes over the elements use.
#pragma once

#include "base/threads.h"
#include "kernels/group_norm.h"
#include "simd/rows.h"

namespace weft::WEFT_ISA {

namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece of work
constexpr int64_t kBlock = 4096;   // elements whose mean and squares are taken in the first cache
constexpr int64_t kRows = 64;      // the same of a strip
constexpr int kVectors = 4;        // of a strip

WEFT_INLINE float root(float x) { return __builtin_sqrtf(x); }
WEFT_INLINE double root(double x) { return __builtin_sqrt(x); }
WEFT_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// Mean and sum of squared distances of what has been added so far.
struct Spread {
  double count = 0, mean = 0, squares = 0;
  void add(double n, double m, double s) {
    if (count == 0) {
      *this = {n, m, s};
      return;
    }
    const double share = n / (count + n), d = m - mean;
    mean += d * share;
    squares += s + d * d * count * share;
    count += n;
  }
};

template <class A>
void put_statistics(const GroupNormForward& a, int64_t group, const Spread& s) {
  const double variance = s.squares / s.count;
  ((A*)a.mean)[group] = (A)s.mean;
  ((A*)a.rstd)[group] = (A)(1 / root(variance + a.eps));
  if (a.variance) ((A*)a.variance)[group] = (A)variance;
}

// dx = scale * dy - shift - (x - mean) * slope, from a group's sums of g and g * xhat; part is 1 / its elements.
template <class A>
struct Slope {
  A shift, slope;
  Slope(double g, double gx, A rstd, double part)
      : shift((A)(rstd * g * part)), slope((A)((double)rstd * rstd * gx * part)) {}
};

// Of each part of the items: sums of dy and of dy * xhat for all channels.
template <class A>
WEFT_INLINE A* shares_of(const GroupNormBackward& a) {
  return (A*)((double*)a.workspace + a.shape.n * a.shape.groups * 2);
}

}  // namespace

}  // namespace weft::WEFT_ISA
