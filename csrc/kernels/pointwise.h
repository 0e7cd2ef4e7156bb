// Elementwise operations: out[i] = f(in0[i], in1[i], in2[i]; params).
//
// Operands are strided, broadcast by stride 0, or a constant kept in the struct; dimensions are merged and ordered by
// the host (the last one moves fastest). Elements of any dtype are converted to the dtype of computation, one of
// float32 (also for half precision), float64 and int64 (all integers and bool: exact modulo 2^n), and the result to
// the dtype of `out`. out may be the same memory as an input with the same strides, and may not overlap one otherwise.
//
// The functors are in kernels/pointwise/. To add an activation: its functor there and its line below.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/shape.h"

namespace weft {

// What a function is computed in.
//   Real     floating dtypes; integers are converted to the default dtype first
//   Number   floating dtypes and integers as they are
//   Whole    integers and bool only
//   Test     floating dtypes and integers; the result is a bool
enum class Domain : uint8_t { Real, Number, Whole, Test };

// Unary, differentiable, without parameters: OP(functor, name in Python, domain). Functor::grad gives <functor>Grad.
#define WEFT_UNARY_SMOOTH(OP)        \
  OP(Neg, neg, Number)               \
  OP(Abs, abs, Number)               \
  OP(Square, square, Number)         \
  OP(Relu, relu, Number)             \
  OP(Relu6, relu6, Number)           \
  OP(Reciprocal, reciprocal, Real)   \
  OP(Sqrt, sqrt, Real)               \
  OP(Rsqrt, rsqrt, Real)             \
  OP(Exp, exp, Real)                 \
  OP(Exp2, exp2, Real)               \
  OP(Expm1, expm1, Real)             \
  OP(Log, log, Real)                 \
  OP(Log2, log2, Real)               \
  OP(Log10, log10, Real)             \
  OP(Log1p, log1p, Real)             \
  OP(Sin, sin, Real)                 \
  OP(Cos, cos, Real)                 \
  OP(Tan, tan, Real)                 \
  OP(Sinh, sinh, Real)               \
  OP(Cosh, cosh, Real)               \
  OP(Tanh, tanh, Real)               \
  OP(Asin, asin, Real)               \
  OP(Acos, acos, Real)               \
  OP(Atan, atan, Real)               \
  OP(Asinh, asinh, Real)             \
  OP(Acosh, acosh, Real)             \
  OP(Atanh, atanh, Real)             \
  OP(Erf, erf, Real)                 \
  OP(Erfc, erfc, Real)               \
  OP(Erfinv, erfinv, Real)           \
  OP(Sigmoid, sigmoid, Real)         \
  OP(LogSigmoid, logsigmoid, Real)   \
  OP(Silu, silu, Real)               \
  OP(Mish, mish, Real)               \
  OP(Selu, selu, Real)               \
  OP(HardSigmoid, hardsigmoid, Real) \
  OP(HardSwish, hardswish, Real)

// The same, with parameters or reached through another function; bound by hand in ops/activation.cpp and
// ops/pointwise.cpp.
#define WEFT_UNARY_PARAMETRIC(OP)  \
  OP(Cube, pow, Number)            \
  OP(Gelu, gelu, Real)             \
  OP(GeluTanh, gelu, Real)         \
  OP(Softplus, softplus, Real)     \
  OP(Elu, elu, Real)               \
  OP(LeakyRelu, leaky_relu, Real)  \
  OP(HardTanh, hardtanh, Number)   \
  OP(ClampNumbers, clamp, Real)    \
  OP(HardShrink, hardshrink, Real) \
  OP(SoftShrink, softshrink, Real) \
  OP(Threshold, threshold, Number) \
  OP(Logit, logit, Real)           \
  OP(NanToNum, nan_to_num, Real)

// Unary with a zero derivative, or none.
#define WEFT_UNARY_STEP(OP)         \
  OP(Sign, sign, Number)            \
  OP(Floor, floor, Number)          \
  OP(Ceil, ceil, Number)            \
  OP(Round, round, Number)          \
  OP(Trunc, trunc, Number)          \
  OP(SignBit, signbit, Test)        \
  OP(IsNan, isnan, Test)            \
  OP(IsInf, isinf, Test)            \
  OP(IsFinite, isfinite, Test)      \
  OP(LogicalNot, logical_not, Test) \
  OP(BitwiseNot, bitwise_not, Whole)
#define WEFT_UNARY_STEP_PARAMETRIC(OP) OP(RoundDecimals, round, Real)

// Two and three operands. Gradients: ops/pointwise_binary.cpp, ops/pointwise_ternary.cpp.
#define WEFT_BINARY(OP)                      \
  OP(Add, add, Number)                       \
  OP(Sub, sub, Number)                       \
  OP(Mul, mul, Number)                       \
  OP(Div, div, Real)                         \
  OP(DivTrunc, div, Number)                  \
  OP(DivFloor, floor_divide, Number)         \
  OP(Remainder, remainder, Number)           \
  OP(Fmod, fmod, Number)                     \
  OP(Pow, pow, Number)                       \
  OP(Maximum, maximum, Number)               \
  OP(Minimum, minimum, Number)               \
  OP(Atan2, atan2, Real)                     \
  OP(Eq, eq, Test)                           \
  OP(Ne, ne, Test)                           \
  OP(Lt, lt, Test)                           \
  OP(Le, le, Test)                           \
  OP(Gt, gt, Test)                           \
  OP(Ge, ge, Test)                           \
  OP(LogicalAnd, logical_and, Test)          \
  OP(LogicalOr, logical_or, Test)            \
  OP(LogicalXor, logical_xor, Test)          \
  OP(BitwiseAnd, bitwise_and, Whole)         \
  OP(BitwiseOr, bitwise_or, Whole)           \
  OP(BitwiseXor, bitwise_xor, Whole)         \
  OP(ShiftLeft, bitwise_left_shift, Whole)   \
  OP(ShiftRight, bitwise_right_shift, Whole) \
  OP(Gcd, gcd, Whole)                        \
  OP(Fmax, fmax, Number)                     \
  OP(Fmin, fmin, Number)                     \
  OP(CopySign, copysign, Real)               \
  OP(Hypot, hypot, Real)                     \
  OP(LogAddExp, logaddexp, Real)             \
  OP(LogAddExp2, logaddexp2, Real)           \
  OP(XLogY, xlogy, Real)                     \
  OP(Prelu, prelu, Real)
#define WEFT_TERNARY(OP)                  \
  OP(Where, where, Number)                \
  OP(Lerp, lerp, Real)                    \
  OP(Addcmul, addcmul, Number)            \
  OP(Addcdiv, addcdiv, Real)              \
  OP(Clamp, clamp, Number)                \
  OP(DivGradOther, div_backward, Real)    \
  OP(PowGradBase, pow_backward, Real)     \
  OP(PowGradExponent, pow_backward, Real) \
  OP(MaximumGrad, maximum_backward, Real) \
  OP(MinimumGrad, minimum_backward, Real) \
  OP(Atan2Grad, atan2_backward, Real)

enum class PointwiseOp : uint8_t {
#define OP(F, ...) F,
  WEFT_UNARY_SMOOTH(OP) WEFT_UNARY_PARAMETRIC(OP) WEFT_UNARY_STEP(OP) WEFT_UNARY_STEP_PARAMETRIC(OP) WEFT_BINARY(OP)
      WEFT_TERNARY(OP)
#undef OP
#define OP(F, ...) F##Grad,
          WEFT_UNARY_SMOOTH(OP) WEFT_UNARY_PARAMETRIC(OP)
#undef OP
              Count
};

enum class Compute : uint8_t { Float32, Float64, Int64 };
constexpr int kComputes = 3;
WEFT_HD WEFT_INLINE constexpr Compute compute_of(DType t) {
  return t == DType::Float64 ? Compute::Float64 : is_floating(t) ? Compute::Float32 : Compute::Int64;
}

struct Params {
  double v[3];
  WEFT_HD double operator[](int i) const { return v[i]; }
};

constexpr int kPointwiseInputs = 3;

struct PointwiseOperand {
  const void* data;           // null: the constant
  int64_t strides[kMaxDims];  // in elements; the first `ndim` are set
  DType dtype;
  double number;    // the constant, for a computation in floating point
  int64_t integer;  // and for one in int64
};

struct Pointwise {
  void* out;
  int64_t out_strides[kMaxDims];
  DType out_dtype;
  int ndim;  // 0: one element
  int64_t shape[kMaxDims];
  Params params;
  int inputs;
  PointwiseOperand in[kPointwiseInputs];
};

using PointwiseKernel = void (*)(const Pointwise&);

struct PointwiseKernels {
  PointwiseKernel table[(int)PointwiseOp::Count][kComputes] = {};  // null where the domain has no such computation
  PointwiseKernel operator()(PointwiseOp op, DType computed) const { return table[(int)op][(int)compute_of(computed)]; }
};

}  // namespace weft
