// What a step of each optimizer does to one element, for the CPU (V a vector) and for CUDA (V a number).
//
// A rule is built for one tensor and one step: its constructor turns numbers and the step count into constants of type
// S. update(p, g, s) is given the gradient with scale, sign and weight decay in it, and the tensor's state, zero where
// it keeps none. Before the rule is built, begin() counts the step; end() comes when all elements are done. Both are
// called once per tensor. kOwn: tensors that have seen as many steps can differ in their constants all the same.
//
// The includer defines WEFT_FUNCTORS as a namespace where, for V, vsqrt, vabs, vmax, vmin and vselect exist.
#pragma once

#include "kernels/optimizer.h"

namespace WEFT_FUNCTORS {

#define WEFT_RULE WEFT_HD inline __attribute__((always_inline))

struct RuleInput {
  const double* c;  // the rule's numbers
  double lr, step;
  bool fresh;  // the first step of this tensor
  const OptimizerTensor& t;
};

struct CountedRule {
  static constexpr bool kOwn = false, kEnds = false;
  WEFT_HD static void begin(const OptimizerTensor& t, const double*) {
    if (t.step) *t.step += 1;
  }
  WEFT_HD static void end(const OptimizerTensor&, const double*, double) {}
};

WEFT_HD WEFT_INLINE double rule_pow(double x, double y) { return __builtin_pow(x, y); }

// The sign of each element; zero and NaN stay.
template <class V, class S>
WEFT_HD WEFT_INLINE V sign_of(V x, S) {
  return vselect(x > (S)0, V{} + (S)1, vselect(x < (S)0, V{} - (S)1, x));
}

// b = momentum * b + (1 - dampening) * g, g itself at first; p -= lr * (nesterov ? g + momentum * b : b). State: b, or
// nothing without momentum.
template <class S>
struct SgdRule : CountedRule {
  static constexpr bool kOwn = true;
  S lr, keep, add, momentum;
  bool nesterov;
  SgdRule() = default;
  WEFT_HD SgdRule(const RuleInput& r)
      : lr((S)-r.lr),
        keep((S)(r.fresh ? 0 : r.c[0])),
        add((S)(r.fresh || r.c[0] == 0 ? 1 : 1 - r.c[1])),
        momentum((S)r.c[0]),
        nesterov(r.c[2] != 0) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] = s[0] * keep + g * add;
    p += (nesterov ? g + s[0] * momentum : s[0]) * lr;
  }
};

// Kingma and Ba, 2015; Loshchilov and Hutter, 2019, for decoupled decay. State: m, v and, for AMSGrad (Reddi et al.,
// 2018), the largest v. plain_eps: eps is added to the root of v before v is corrected, as in PyTorch's SparseAdam.
template <class S>
struct AdamRule : CountedRule {
  S by, correct, beta2, add1, add2, eps;
  bool amsgrad;
  AdamRule() = default;
  WEFT_HD AdamRule(const RuleInput& r)
      : by((S)(-r.lr / (1 - rule_pow(r.c[0], r.step)))),
        correct((S)(1 / __builtin_sqrt(1 - rule_pow(r.c[1], r.step)))),
        beta2((S)r.c[1]),
        add1((S)(1 - r.c[0])),
        add2((S)(1 - r.c[1])),
        eps((S)(r.c[2] * (r.c[3] != 0 ? 1 / __builtin_sqrt(1 - rule_pow(r.c[1], r.step)) : 1))),
        amsgrad(r.t.s[2]) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] += (g - s[0]) * add1;
    s[1] = s[1] * beta2 + g * g * add2;
    if (amsgrad) s[2] = vmax(s[2], s[1]);
    p += s[0] * by / (vsqrt(amsgrad ? s[2] : s[1]) * correct + eps);
  }
};

// Tieleman and Hinton, 2012; centered: Graves, 2013. State: mean square, momentum buffer, mean.
template <class S>
struct RmspropRule : CountedRule {
  S lr, alpha, add, eps, momentum, add_mean;
  RmspropRule() = default;
  WEFT_HD RmspropRule(const RuleInput& r)
      : lr((S)-r.lr),
        alpha((S)r.c[0]),
        add((S)(1 - r.c[0])),
        eps((S)r.c[1]),
        momentum((S)r.c[2]),
        add_mean((S)(r.c[3] != 0 ? 1 - r.c[0] : 0)) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] = s[0] * alpha + g * g * add;
    s[2] += (g - s[2]) * add_mean;
    s[1] = s[1] * momentum + g / (vsqrt(s[0] - s[2] * s[2]) + eps);
    p += s[1] * lr;
  }
};

// Duchi et al., 2011. State: sum of squares.
template <class S>
struct AdagradRule : CountedRule {
  S lr, eps;
  AdagradRule() = default;
  WEFT_HD AdagradRule(const RuleInput& r) : lr((S)(-r.lr / (1 + (r.step - 1) * r.c[0]))), eps((S)r.c[1]) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] += g * g;
    p += g * lr / (vsqrt(s[0]) + eps);
  }
};

// Zeiler, 2012. State: mean square of the gradients, mean square of the changes.
template <class S>
struct AdadeltaRule : CountedRule {
  S lr, rho, add, eps;
  AdadeltaRule() = default;
  WEFT_HD AdadeltaRule(const RuleInput& r) : lr((S)-r.lr), rho((S)r.c[0]), add((S)(1 - r.c[0])), eps((S)r.c[1]) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] = s[0] * rho + g * g * add;
    V change = vsqrt(s[1] + eps) / vsqrt(s[0] + eps) * g;
    s[1] = s[1] * rho + change * change * add;
    p += change * lr;
  }
};

// Kingma and Ba, 2015, section 7.1. State: mean, decaying maximum.
template <class S>
struct AdamaxRule : CountedRule {
  S by, beta2, add, eps;
  AdamaxRule() = default;
  WEFT_HD AdamaxRule(const RuleInput& r)
      : by((S)(-r.lr / (1 - rule_pow(r.c[0], r.step)))), beta2((S)r.c[1]), add((S)(1 - r.c[0])), eps((S)r.c[2]) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] += (g - s[0]) * add;
    s[1] = vmax(s[1] * beta2, vabs(g) + eps);
    p += s[0] * by / s[1];
  }
};

// Dozat, 2016. State: m, v; s[2] is one float32 number, the product of the momenta so far.
template <class S>
struct NadamRule : CountedRule {
  static constexpr bool kOwn = true;
  S by_g, by_m, correct, beta2, add1, add2, eps;
  WEFT_HD static double momentum(const double* c, double step) {
    return c[0] * (1 - 0.5 * rule_pow(0.96, step * c[3]));
  }
  WEFT_HD static void begin(const OptimizerTensor& t, const double* c) {
    *t.step += 1;
    *static_cast<float*>(t.s[2]) *= (float)momentum(c, *t.step);
  }
  NadamRule() = default;
  WEFT_HD NadamRule(const RuleInput& r)
      : correct((S)(1 / __builtin_sqrt(1 - rule_pow(r.c[1], r.step)))),
        beta2((S)r.c[1]),
        add1((S)(1 - r.c[0])),
        add2((S)(1 - r.c[1])),
        eps((S)r.c[2]) {
    double product = *static_cast<const float*>(r.t.s[2]), next = momentum(r.c, r.step + 1);
    by_g = (S)(-r.lr * (1 - momentum(r.c, r.step)) / (1 - product));
    by_m = (S)(-r.lr * next / (1 - product * next));
  }
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] += (g - s[0]) * add1;
    s[1] = s[1] * beta2 + g * g * add2;
    p += (g * by_g + s[0] * by_m) / (vsqrt(s[1]) * correct + eps);
  }
};

// Liu et al., 2020. State: m, v.
template <class S>
struct RadamRule : CountedRule {
  S by, beta2, add1, add2, eps;
  bool rectified;
  RadamRule() = default;
  WEFT_HD RadamRule(const RuleInput& r)
      : beta2((S)r.c[1]), add1((S)(1 - r.c[0])), add2((S)(1 - r.c[1])), eps((S)r.c[2]) {
    double power = rule_pow(r.c[1], r.step), most = 2 / (1 - r.c[1]) - 1;
    double length = most - 2 * r.step * power / (1 - power);
    rectified = length > 5;
    double rate = -r.lr / (1 - rule_pow(r.c[0], r.step));
    if (rectified)
      rate *= __builtin_sqrt((1 - power) * (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length));
    by = (S)rate;
  }
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    s[0] += (g - s[0]) * add1;
    s[1] = s[1] * beta2 + g * g * add2;
    p += rectified ? s[0] * by / (vsqrt(s[1]) + eps) : s[0] * by;
  }
};

// Polyak and Juditsky, 1992. State: the average; s[1] and s[2] are float32 numbers, this step's eta and mu.
template <class S>
struct AsgdRule : CountedRule {
  static constexpr bool kOwn = true, kEnds = true;
  S eta, keep, mu;
  AsgdRule() = default;
  WEFT_HD AsgdRule(const RuleInput& r)
      : eta((S) * static_cast<const float*>(r.t.s[1])),
        keep((S)(1 - r.c[0] * *static_cast<const float*>(r.t.s[1]))),
        mu((S) * static_cast<const float*>(r.t.s[2])) {}
  WEFT_HD static void end(const OptimizerTensor& t, const double* c, double lr) {
    double step = *t.step, since = step - c[2];
    *static_cast<float*>(t.s[1]) = (float)(lr / rule_pow(1 + c[0] * lr * step, c[1]));
    *static_cast<float*>(t.s[2]) = (float)(1 / (since > 1 ? since : 1));
  }
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    p = p * keep - g * eta;
    s[0] = mu == 1 ? p : s[0] + (p - s[0]) * mu;
  }
};

// Riedmiller and Braun, 1993. State: the last gradient, the step of each element.
template <class S>
struct RpropRule : CountedRule {
  S less, more, least, most;
  RpropRule() = default;
  WEFT_HD RpropRule(const RuleInput& r) : less((S)r.c[0]), more((S)r.c[1]), least((S)r.c[2]), most((S)r.c[3]) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    V turn = g * s[0];
    V factor = vselect(turn > (S)0, V{} + more, vselect(turn < (S)0, V{} + less, V{} + (S)1));
    s[1] = vmin(vmax(s[1] * factor, V{} + least), V{} + most);
    s[0] = vselect(turn < (S)0, V{}, g);
    p -= sign_of(s[0], (S)0) * s[1];
  }
};

// Chen et al., 2023. State: m.
template <class S>
struct LionRule : CountedRule {
  S lr, add, keep;
  LionRule() = default;
  WEFT_HD LionRule(const RuleInput& r) : lr((S)-r.lr), add((S)(1 - r.c[0])), keep((S)(1 - r.c[1])) {}
  template <class V>
  WEFT_RULE void update(V& p, V g, V (&s)[3]) const {
    p += sign_of(s[0] + (g - s[0]) * add, (S)0) * lr;
    s[0] += (g - s[0]) * keep;
  }
};

#undef WEFT_RULE

}  // namespace WEFT_FUNCTORS
