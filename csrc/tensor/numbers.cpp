// Tensors in Python's expressions.
#include "ops/autocast.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "tensor/slots.h"

namespace weft {
namespace {

template <PointwiseOp op>
PyObject* number_binary(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    Operand x, y;
    if (!load_operand(a, &x) || !load_operand(b, &y)) Py_RETURN_NOTIMPLEMENTED;
    return wrap(binary_operand(op, x, y));
  });
}

template <PointwiseOp op>
PyObject* number_power(PyObject* a, PyObject* b, PyObject* modulo) {
  if (modulo != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return number_binary<op>(a, b);
}

template <PointwiseOp op>
PyObject* number_inplace(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    Operand y;
    if (!load_operand(b, &y)) Py_RETURN_NOTIMPLEMENTED;
    binary_inplace(op, tensor_of(a), y);
    return Py_NewRef(a);
  });
}

PyObject* number_inplace_power(PyObject* a, PyObject* b, PyObject* modulo) {
  if (modulo != Py_None) Py_RETURN_NOTIMPLEMENTED;
  return number_inplace<PointwiseOp::Pow>(a, b);
}

PyObject* number_divmod(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    Operand x, y;
    if (!load_operand(a, &x) || !load_operand(b, &y)) Py_RETURN_NOTIMPLEMENTED;
    return py::make_tuple(binary_operand(PointwiseOp::DivFloor, x, y), binary_operand(PointwiseOp::Remainder, x, y))
        .release()
        .ptr();
  });
}

template <Tensor (*f)(const Tensor&)>
PyObject* number_unary(PyObject* a) {
  return guarded([&] { return wrap(f(tensor_of(a))); });
}

PyObject* number_matmul(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    Operand x, y;
    if (!load_operand(a, &x) || !load_operand(b, &y) || x.is_number() || y.is_number()) Py_RETURN_NOTIMPLEMENTED;
    return wrap(autocasting<Autocast::Lower>(matmul)(x.tensor, y.tensor));
  });
}

PyObject* compare(PyObject* a, PyObject* b, int relation) {
  return guarded([&]() -> PyObject* {
    Operand x, y;
    if (!load_operand(a, &x) || !load_operand(b, &y)) Py_RETURN_NOTIMPLEMENTED;
    static constexpr PointwiseOp ops[] = {PointwiseOp::Lt, PointwiseOp::Le, PointwiseOp::Eq,
                                          PointwiseOp::Ne, PointwiseOp::Gt, PointwiseOp::Ge};
    return wrap(binary_operand(ops[relation], x, y));
  });
}

int truth(PyObject* self) {
  return guarded([&] {
    const Tensor& t = tensor_of(self);
    WEFT_CHECK(t.numel() == 1, Runtime, "[bool] the truth value of a tensor with ", t.numel(),
               " elements is ambiguous; use any() or all()");
    return (int)(t.item() != 0);
  });
}

PyObject* to_float(PyObject* self) {
  return guarded([&] { return PyFloat_FromDouble(tensor_of(self).item()); });
}
PyObject* to_int(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = tensor_of(self);
    return is_floating(t.dtype()) ? PyLong_FromDouble(t.item()) : PyLong_FromLongLong(t.item_int());
  });
}
PyObject* to_index(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = tensor_of(self);
    WEFT_CHECK(!is_floating(t.dtype()) && t.numel() == 1, Type,
               "only integer tensors of one element can be used as an index");
    return PyLong_FromLongLong(t.item_int());
  });
}

}  // namespace

std::vector<PyType_Slot> number_slots() {
  return {
      {Py_nb_add, slot(number_binary<PointwiseOp::Add>)},
      {Py_nb_subtract, slot(number_binary<PointwiseOp::Sub>)},
      {Py_nb_multiply, slot(number_binary<PointwiseOp::Mul>)},
      {Py_nb_true_divide, slot(number_binary<PointwiseOp::Div>)},
      {Py_nb_floor_divide, slot(number_binary<PointwiseOp::DivFloor>)},
      {Py_nb_remainder, slot(number_binary<PointwiseOp::Remainder>)},
      {Py_nb_power, slot(number_power<PointwiseOp::Pow>)},
      {Py_nb_and, slot(number_binary<PointwiseOp::BitwiseAnd>)},
      {Py_nb_or, slot(number_binary<PointwiseOp::BitwiseOr>)},
      {Py_nb_xor, slot(number_binary<PointwiseOp::BitwiseXor>)},
      {Py_nb_lshift, slot(number_binary<PointwiseOp::ShiftLeft>)},
      {Py_nb_rshift, slot(number_binary<PointwiseOp::ShiftRight>)},
      {Py_nb_divmod, slot(number_divmod)},
      {Py_nb_matrix_multiply, slot(number_matmul)},
      {Py_nb_inplace_add, slot(number_inplace<PointwiseOp::Add>)},
      {Py_nb_inplace_subtract, slot(number_inplace<PointwiseOp::Sub>)},
      {Py_nb_inplace_multiply, slot(number_inplace<PointwiseOp::Mul>)},
      {Py_nb_inplace_true_divide, slot(number_inplace<PointwiseOp::Div>)},
      {Py_nb_inplace_floor_divide, slot(number_inplace<PointwiseOp::DivFloor>)},
      {Py_nb_inplace_remainder, slot(number_inplace<PointwiseOp::Remainder>)},
      {Py_nb_inplace_power, slot(number_inplace_power)},
      {Py_nb_inplace_and, slot(number_inplace<PointwiseOp::BitwiseAnd>)},
      {Py_nb_inplace_or, slot(number_inplace<PointwiseOp::BitwiseOr>)},
      {Py_nb_inplace_xor, slot(number_inplace<PointwiseOp::BitwiseXor>)},
      {Py_nb_inplace_lshift, slot(number_inplace<PointwiseOp::ShiftLeft>)},
      {Py_nb_inplace_rshift, slot(number_inplace<PointwiseOp::ShiftRight>)},
      {Py_nb_negative, slot(number_unary<neg>)},
      {Py_nb_positive, slot(number_unary<positive>)},
      {Py_nb_absolute, slot(number_unary<weft::abs>)},
      {Py_nb_invert, slot(number_unary<bitwise_not>)},
      {Py_nb_bool, slot(truth)},
      {Py_nb_float, slot(to_float)},
      {Py_nb_int, slot(to_int)},
      {Py_nb_index, slot(to_index)},
      {Py_tp_richcompare, slot(compare)},
  };
}

}  // namespace weft
