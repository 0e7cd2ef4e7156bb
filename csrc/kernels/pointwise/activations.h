// Activations.
#pragma once

#include "kernels/pointwise/common.h"

namespace WEFT_FUNCTORS {

struct Relu {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vselect(x < lit<V>(0), lit<V>(0), x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return vselect(y > lit<V>(0), dy, lit<V>(0)); }
};
struct Relu6 {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vselect(x < lit<V>(0), lit<V>(0), vselect(x > lit<V>(6), lit<V>(6), x)); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return vselect((x > lit<V>(0)) & (x < lit<V>(6)), dy, lit<V>(0)); }
};
struct Sigmoid {
  static constexpr Reads reads = Reads::Output;
  WEFT_FN value(V x, const Params&) { return vsigmoid(x); }
  WEFT_FN grad(V dy, V, V y, const Params&) { return dy * y * (lit<V>(1) - y); }
};
struct LogSigmoid {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return vselect(x > lit<V>(0), lit<V>(0), x) - vlog1p(vexp(-vabs(x))); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * vsigmoid(-x); }
};
struct Silu {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return x / (lit<V>(1) + vexp(-x)); }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    V s = vsigmoid(x);
    return dy * (s * (lit<V>(1) + x * (lit<V>(1) - s)));
  }
};
struct Mish {  // x tanh(log(1 + e^x)), arXiv:1908.08681
  static constexpr Reads reads = Reads::Input;
  // tanh(...) = a / b, both without overflow or cancellation; 1 - tanh^2 = gap (a + b) / b^2
  template <class V>
  struct Parts {
    V u, a, b, gap;
  };
  template <class V>
  WEFT_HD WEFT_INLINE Parts<V> parts(V x) {
    V u = vexp(-vabs(x)), twice = u + u;
    auto positive = x > lit<V>(0);
    V a = vselect(positive, lit<V>(1) + twice, u * (u + lit<V>(2)));
    V gap = vselect(positive, twice * u, lit<V>(2));
    return {u, a, a + gap, gap};
  }
  WEFT_FN value(V x, const Params&) {
    Parts<V> p = parts(x);
    return x * (p.a / p.b);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    Parts<V> p = parts(x);
    V s = vselect(x > lit<V>(0), lit<V>(1), p.u) / (lit<V>(1) + p.u);
    return dy * (p.a / p.b + x * s * (p.gap * (p.a + p.b) / (p.b * p.b)));
  }
};
struct Selu {  // arXiv:1706.02515
  static constexpr Reads reads = Reads::Output;
  static constexpr double alpha = 1.6732632423543772848170429916717, scale = 1.0507009873554804934193349852946;
  WEFT_FN value(V x, const Params&) {
    return vselect(x < lit<V>(0), lit<V>(scale * alpha) * vexpm1(x), lit<V>(scale) * x);
  }
  WEFT_FN grad(V dy, V, V y, const Params&) {
    return dy * vselect(y > lit<V>(0), lit<V>(scale), y + lit<V>(scale * alpha));
  }
};
struct HardSigmoid {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) {
    V t = x + lit<V>(3);
    return vselect(t < lit<V>(0), lit<V>(0), vselect(t > lit<V>(6), lit<V>(6), t)) / lit<V>(6);
  }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    return vselect((x > lit<V>(-3)) & (x < lit<V>(3)), dy / lit<V>(6), lit<V>(0));
  }
};
struct HardSwish {
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return x * HardSigmoid::value(x, p); }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    return vselect(x <= lit<V>(-3), lit<V>(0), vselect(x < lit<V>(3), dy * (x / lit<V>(3) + lit<V>(0.5)), dy));
  }
};

// With parameters.

struct Gelu {  // x P(X <= x), arXiv:1606.08415
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params&) { return x * vnormal_cdf(x); }
  WEFT_FN grad(V dy, V x, V, const Params&) { return dy * (vnormal_cdf(x) + x * vnormal_pdf(x)); }
};
struct GeluTanh {  // with (1 + tanh(u)) / 2 = sigmoid(2u), which keeps its relative accuracy in the tail
  static constexpr Reads reads = Reads::Input;
  static constexpr double a = 1.59576912160573071176, b = 0.044715;  // 2 sqrt(2 / pi)
  WEFT_FN value(V x, const Params&) { return x / (lit<V>(1) + vexp(-inner(x))); }
  WEFT_FN grad(V dy, V x, V, const Params&) {
    V s = vsigmoid(inner(x));
    return dy * (s + x * s * (lit<V>(1) - s) * (lit<V>(a) + lit<V>(3 * a * b) * x * x));
  }
  WEFT_FN inner(V x) { return x * (lit<V>(a) + lit<V>(a * b) * x * x); }
};
struct Softplus {  // beta, threshold
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) {
    V t = x * lit<V>(p[0]);
    V soft = vselect(t > lit<V>(0), t, lit<V>(0)) + vlog1p(vexp(-vabs(t)));
    return vselect(t > lit<V>(p[1]), x, soft / lit<V>(p[0]));
  }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    V t = x * lit<V>(p[0]);
    return vselect(t > lit<V>(p[1]), dy, dy * vsigmoid(t));
  }
};
struct Elu {  // alpha, and the slope within the exponential: 1, of celu 1 / alpha
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return vselect(x > lit<V>(0), x, lit<V>(p[0]) * vexpm1(x * lit<V>(p[1]))); }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    return vselect(x > lit<V>(0), dy, dy * lit<V>(p[0] * p[1]) * vexp(x * lit<V>(p[1])));
  }
};
struct LeakyRelu {  // slope
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return vselect(x > lit<V>(0), x, x * lit<V>(p[0])); }
  WEFT_FN grad(V dy, V x, V, const Params& p) { return vselect(x > lit<V>(0), dy, dy * lit<V>(p[0])); }
};
struct ClampNumbers {  // low, high
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) {
    V raised = vselect(x < lit<V>(p[0]), lit<V>(p[0]), x);
    return vselect(raised > lit<V>(p[1]), lit<V>(p[1]), raised);
  }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    return vselect((x >= lit<V>(p[0])) & (x <= lit<V>(p[1])), dy, lit<V>(0));
  }
};
struct HardTanh {  // low, high: no gradient at the bounds
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return ClampNumbers::value(x, p); }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    return vselect((x > lit<V>(p[0])) & (x < lit<V>(p[1])), dy, lit<V>(0));
  }
};
struct HardShrink {  // lambda
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return grad(x, x, x, p); }
  WEFT_FN grad(V dy, V x, V, const Params& p) {
    return vselect((x >= lit<V>(-p[0])) & (x <= lit<V>(p[0])), lit<V>(0), dy);
  }
};
struct SoftShrink {  // lambda; NaN stays NaN
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) {
    V l = lit<V>(p[0]);
    return vselect(x > l, x - l, vselect(x < -l, x + l, x * lit<V>(0)));
  }
  WEFT_FN grad(V dy, V x, V y, const Params& p) { return HardShrink::grad(dy, x, y, p); }
};
struct Threshold {  // threshold, value
  static constexpr Reads reads = Reads::Input;
  WEFT_FN value(V x, const Params& p) { return vselect(x <= lit<V>(p[0]), lit<V>(p[1]), x); }
  WEFT_FN grad(V dy, V x, V, const Params& p) { return vselect(x <= lit<V>(p[0]), lit<V>(0), dy); }
};

}  // namespace WEFT_FUNCTORS
