#include "ops/pointwise_launch.h"

#include "ops/copy.h"
#include "ops/layout.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"

namespace weft {

namespace {

struct Entry {
  const char* name;
  Domain domain;
};
constexpr Entry kEntries[] = {
#define OP(F, name, domain) {#name, Domain::domain},
    WEFT_UNARY_SMOOTH(OP) WEFT_UNARY_PARAMETRIC(OP) WEFT_UNARY_STEP(OP) WEFT_UNARY_STEP_PARAMETRIC(OP) WEFT_BINARY(OP)
        WEFT_TERNARY(OP)
#undef OP
#define OP(F, name, domain) {#name "_backward", Domain::Real},
            WEFT_UNARY_SMOOTH(OP) WEFT_UNARY_PARAMETRIC(OP)
#undef OP
};

int category(DType t) { return t == DType::Bool ? 0 : is_floating(t) ? 2 : 1; }

// Higher class `a`, lower class `b`.
DType combine(DType a, DType b) { return category(b) > category(a) ? b : a; }

// Of the functions of integers, those that stay within 0 and 1.
bool has_bools(PointwiseOp op) {
  switch (op) {
    case PointwiseOp::Add:
    case PointwiseOp::Mul:
    case PointwiseOp::Maximum:
    case PointwiseOp::Minimum:
    case PointwiseOp::Fmax:
    case PointwiseOp::Fmin:
    case PointwiseOp::Clamp:
    case PointwiseOp::Where:
    case PointwiseOp::Sign:
    case PointwiseOp::BitwiseNot:
    case PointwiseOp::BitwiseAnd:
    case PointwiseOp::BitwiseOr:
    case PointwiseOp::BitwiseXor: return true;
    default: return false;
  }
}

struct ElementLayout {
  Dims shape;
  bool straight = true;  // every tensor has that shape and is contiguous
  Device device;
};

ElementLayout layout_of(PointwiseOp op, const Arg* args, int n) {
  ElementLayout l;
  bool first = true;
  for (int k = 0; k < n; ++k) {
    if (!args[k].tensor) continue;
    const Tensor& t = *args[k].tensor;
    if (first) {
      l.shape = t.shape();
      l.straight = t.is_contiguous();
      l.device = t.device();
      first = false;
      continue;
    }
    if (t.device() != l.device) {
      WEFT_CHECK(t.dim() == 0 || l.shape.n == 0, Runtime, "[", name_of(op),
                 "] expected all tensors on one device, got ", to_string(l.device), " and ", to_string(t.device()));
      if (l.device.is_cpu()) l.device = t.device();  // a CPU number joins tensors on a GPU
    }
    if (t.shape() == l.shape) {
      l.straight = l.straight && t.is_contiguous();
    } else {
      l.shape = broadcast_shapes(name_of(op), l.shape, t.shape());
      l.straight = false;
    }
  }
  return l;
}

void launch_pointwise(PointwiseOp op, const Tensor& out, const Arg* args, int n, const ElementLayout& layout,
                      bool straight, DType computed, const Params& params) {
  Pointwise a;
  a.out = out.data();
  a.out_dtype = out.dtype();
  a.params = params;
  a.inputs = n;
  Dims strides[1 + kPointwiseInputs];
  int64_t* merged[1 + kPointwiseInputs] = {a.out_strides};
  int operands = 1;
  for (int k = 0; k < n; ++k) {
    PointwiseOperand& x = a.in[k];
    const Tensor* t = args[k].tensor;
    if (t && t->device() == layout.device) {
      x.data = t->data();
      x.dtype = t->dtype();
      x.strides[0] = 1;
      if (!straight) {
        strides[operands] = broadcast_strides(t->shape(), t->strides(), layout.shape);
        merged[operands++] = x.strides;
      }
      continue;
    }
    x.data = nullptr;
    x.dtype = computed;
    x.number = t ? t->item() : args[k].number;
    x.integer = !t ? args[k].integer : is_floating(t->dtype()) ? (int64_t)x.number : t->item_int();
  }
  int64_t numel = out.numel();
  if (straight) {
    a.ndim = 1;
    a.shape[0] = numel;
    a.out_strides[0] = 1;
  } else {
    strides[0] = out.strides();
    a.ndim = merge_dims(layout.shape, operands, strides, a.shape, merged);
  }
  if (numel == 0) return;
  launch(name_of(op), layout.device, kernels<PointwiseKernels>(layout.device)(op, computed), a, (double)numel * 2);
}

}  // namespace

const char* name_of(PointwiseOp op) { return kEntries[(int)op].name; }
Domain domain_of(PointwiseOp op) { return kEntries[(int)op].domain; }

DType result_type(const Arg* args, int n) {
  bool any[3] = {};
  DType type[3] = {DType::Bool, DType::Bool, DType::Bool};
  for (int k = 0; k < n; ++k) {
    int rank = !args[k].tensor ? 2 : args[k].tensor->dim() == 0 ? 1 : 0;
    DType t = args[k].tensor ? args[k].tensor->dtype() : args[k].category;
    if (rank == 2 && t == DType::Float32) t = default_dtype;
    type[rank] = any[rank] ? promote(type[rank], t) : t;
    any[rank] = true;
  }
  DType result = DType::Bool;
  bool found = false;
  for (int rank = 0; rank < 3; ++rank) {
    if (!any[rank]) continue;
    result = found ? combine(result, type[rank]) : type[rank];
    found = true;
  }
  return result;
}

Typing typing_of(PointwiseOp op, DType common) {
  switch (domain_of(op)) {
    case Domain::Real: return is_floating(common) ? Typing{common, common} : Typing{default_dtype, default_dtype};
    case Domain::Test: return {common, DType::Bool};
    case Domain::Whole:
      WEFT_CHECK(!is_floating(common), Type, "[", name_of(op), "] expected integers or bools, got ", name_of(common));
      break;
    case Domain::Number: break;
  }
  if (common == DType::Bool) {
    WEFT_CHECK(op != PointwiseOp::Sub && op != PointwiseOp::Neg, Runtime, "[", name_of(op),
               "] is not defined for bools; use ^, logical_xor() or logical_not()");
    WEFT_CHECK(has_bools(op), NotImplemented, "[", name_of(op),
               "] is not defined for bools; convert with .to(weft.int64) first");
  }
  return {common, common};
}

void check_castable(PointwiseOp op, DType result, DType stored) {
  WEFT_CHECK(category(result) <= category(stored), Runtime, "[", name_of(op), "] result type ", name_of(result),
             " can't be cast to the desired output type ", name_of(stored));
}

void check_out(PointwiseOp op, std::initializer_list<const Tensor*> tensors) {
  for (const Tensor* t : tensors)
    WEFT_CHECK(!needs_grad(*t), Runtime, "[", name_of(op),
               "] out= is not recorded on the tape, but one of the tensors requires grad; use weft.no_grad()");
}

Tensor pointwise(PointwiseOp op, const Arg* args, int n, Typing typing, const Params& params) {
  ElementLayout layout = layout_of(op, args, n);
  Tensor out = Tensor::empty(layout.shape, typing.result, layout.device);
  if (!layout.straight)
    for (int k = 0; k < n; ++k)
      if (const Tensor* t = args[k].tensor; t && t->shape() == layout.shape) {
        if (is_dense(*t)) out.get()->strides = t->strides();
        break;
      }
  launch_pointwise(op, out, args, n, layout, layout.straight, typing.computed, params);
  return out;
}

void pointwise_into(PointwiseOp op, const Tensor& out, const Arg* args, int n, DType computed, const Params& params) {
  ElementLayout layout = layout_of(op, args, n);
  WEFT_CHECK(layout.shape == out.shape(), Runtime, "[", name_of(op), "] the result has shape ", to_string(layout.shape),
             ", the tensor to be written has ", to_string(out.shape()));
  WEFT_CHECK(layout.device == out.device(), Runtime, "[", name_of(op), "] operands are on ", to_string(layout.device),
             ", the tensor to be written is on ", to_string(out.device()));
  Tensor aside[kPointwiseInputs];
  Arg safe[kPointwiseInputs] = {args[0], args[n > 1 ? 1 : 0], args[n > 2 ? 2 : 0]};
  for (int k = 0; k < n; ++k) {
    if (!args[k].tensor || !overlaps(*args[k].tensor, out)) continue;
    aside[k] = clone(args[k].tensor->detach());
    safe[k].tensor = &aside[k];
  }
  launch_pointwise(op, out, safe, n, layout, layout.straight && out.is_contiguous(), computed, params);
}

}  // namespace weft
