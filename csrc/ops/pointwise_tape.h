// What the backward functions of pointwise operations keep, and checks that they share.
#pragma once

#include "ops/copy.h"
#include "ops/pointwise_launch.h"
#include "ops/reduce.h"
#include "tensor/autograd.h"

namespace weft {

inline Operand as_operand(const Tensor& t) { return Operand{t}; }
inline bool takes_gradient(const Operand& a) { return !a.is_number() && needs_grad(a.tensor); }

// Where a gradient goes back to: the shape and dtype that an operand had before broadcasting and promotion.
struct Origin {
  Dims shape;
  DType dtype;
  explicit Origin(const Operand& o)
      : shape(o.is_number() ? Dims{} : o.tensor.shape()), dtype(o.is_number() ? o.category : o.tensor.dtype()) {}
  Tensor back(const Tensor& g) const { return to(g.shape() == shape ? g : sum_to(g, shape), dtype); }
};

// An operand kept for backward, if that will read it.
struct Kept {
  Saved saved;
  Operand plain;
  Kept(const Operand& o, bool needed) : plain(o) {
    plain.tensor = {};
    if (needed && !o.is_number()) saved = Saved(o.tensor);
  }
  Operand get(Backward& b) const {
    Operand o = plain;
    if (saved.defined()) o.tensor = saved.get(b);
    return o;
  }
};

}  // namespace weft
