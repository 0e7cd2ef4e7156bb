// The Tensor type, dtypes and devices as Python sees them.
#include "tensor/python.h"

#include <structmember.h>

#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/view.h"
#include "tensor/hooks.h"
#include "tensor/numpy.h"
#include "tensor/subscript.h"

namespace weft {

namespace {

struct PyTensor {
  PyObject_HEAD TensorImpl* impl;  // owned
  PyObject* weakrefs;
};

PyTypeObject* type = nullptr;
py::object* dtype_objects[kDTypes];
py::object* size_type = nullptr;

template <class F>
auto guarded(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    py::detail::try_translate_exceptions();
    if constexpr (std::is_pointer_v<decltype(f())>)
      return nullptr;
    else
      return -1;
  }
}

PyObject* wrap_new(PyTypeObject* t, const Tensor& tensor) {
  PyTensor* o = reinterpret_cast<PyTensor*>(t->tp_alloc(t, 0));
  if (!o) throw py::error_already_set();
  o->impl = tensor.get();
  o->impl->refs.fetch_add(1, std::memory_order_relaxed);
  o->weakrefs = nullptr;
  o->impl->python = reinterpret_cast<PyObject*>(o);
  return reinterpret_cast<PyObject*>(o);
}

void dealloc(PyObject* self) {
  PyTensor* o = reinterpret_cast<PyTensor*>(self);
  if (o->weakrefs) PyObject_ClearWeakRefs(self);
  TensorImpl* impl = o->impl;
  if (impl && impl->python == self) impl->python = nullptr;
  if (impl && impl->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete impl;
  PyTypeObject* t = Py_TYPE(self);
  t->tp_free(self);
  Py_DECREF(t);
}

PyObject* construct(PyTypeObject* t, PyObject* args, PyObject* kwargs) {
  return guarded([&]() -> PyObject* {
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    WEFT_CHECK(!kwargs || PyDict_GET_SIZE(kwargs) == 0, Type, "[Tensor] takes no keyword arguments; use weft.tensor()");
    if (n == 1 && is_tensor(PyTuple_GET_ITEM(args, 0)))
      return wrap_new(t, tensor_of(PyTuple_GET_ITEM(args, 0)).detach());
    bool sizes = n != 1 || PyLong_Check(PyTuple_GET_ITEM(args, 0));
    if (sizes) return wrap_new(t, Tensor::empty(n ? py::handle(args).cast<Dims>() : Dims{0}, DType::Float32));
    return wrap_new(t, tensor_from_python(py::reinterpret_borrow<py::object>(PyTuple_GET_ITEM(args, 0)), DType::Float32,
                                          DType::Float32, true));
  });
}

}  // namespace

bool is_tensor(PyObject* o) { return Py_TYPE(o) == type || PyType_IsSubtype(Py_TYPE(o), type); }

// PyTensor holds a bare pointer with Ref's layout.
const Tensor& tensor_of(PyObject* o) {
  static_assert(sizeof(Tensor) == sizeof(TensorImpl*));
  return *reinterpret_cast<Tensor*>(&reinterpret_cast<PyTensor*>(o)->impl);
}

PyObject* wrap(const Tensor& t) {
  if (!t.defined()) Py_RETURN_NONE;
  if (PyObject* living = t.get()->python) return Py_NewRef(living);
  return wrap_new(type, t);
}

PyObject* wrap_as(PyTypeObject* subclass, const Tensor& t) { return wrap_new(subclass, t); }
PyTypeObject* tensor_type() { return type; }
py::handle tensor_class() { return py::handle(reinterpret_cast<PyObject*>(type)); }

namespace {

// ---- numbers ----

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
    return wrap(matmul(x.tensor, y.tensor));
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

// ---- sequences ----

Py_ssize_t length(PyObject* self) {
  return guarded([&]() -> Py_ssize_t {
    const Tensor& t = tensor_of(self);
    WEFT_CHECK(t.dim() > 0, Type, "len() of a 0-dimensional tensor");
    return t.shape()[0];
  });
}

PyObject* get(PyObject* self, PyObject* key) {
  return guarded([&] { return wrap(get_item(tensor_of(self), key)); });
}

int set(PyObject* self, PyObject* key, PyObject* value) {
  return guarded([&] {
    WEFT_CHECK(value, Type, "elements of a tensor cannot be deleted");
    set_item(tensor_of(self), key, value);
    return 0;
  });
}

PyObject* iterate(PyObject* self) {
  return guarded([&]() -> PyObject* {
    const Tensor& t = tensor_of(self);
    WEFT_CHECK(t.dim() > 0, Type, "iteration over a 0-dimensional tensor");
    py::list rows;
    for (int64_t i = 0; i < t.shape()[0]; ++i) rows.append(py::cast(select(t, 0, i)));
    return PyObject_GetIter(rows.ptr());
  });
}

int get_buffer(PyObject* self, Py_buffer* view, int flags) {
  return guarded([&] { return fill_buffer(tensor_of(self), self, view, flags); });
}

PyObject* format(PyObject* self) {
  return guarded(
      [&] { return py::module_::import("weft._repr").attr("tensor_repr")(py::handle(self)).release().ptr(); });
}

// ---- attributes ----

template <class F>
constexpr getter attribute(F) {
  return [](PyObject* self, void*) -> PyObject* {
    return guarded([&]() -> PyObject* {
      auto value = F{}(tensor_of(self));
      if constexpr (std::is_base_of_v<py::object, decltype(value)>)
        return value.release().ptr();
      else
        return py::cast(std::move(value)).release().ptr();
    });
  };
}

py::object shape_object(const Tensor& t) {
  py::tuple sizes(t.dim());
  for (int i = 0; i < t.dim(); ++i) sizes[i] = py::int_(t.shape()[i]);
  return size_type ? (*size_type)(sizes) : py::object(sizes);
}

int set_grad(PyObject* self, PyObject* value, void*) {
  return guarded([&] {
    TensorImpl* impl = tensor_of(self).get();
    if (!value || value == Py_None) {
      impl->grad.reset();
      return 0;
    }
    WEFT_CHECK(is_tensor(value), Type, "[grad] expected a tensor or None, got ", Py_TYPE(value)->tp_name);
    const Tensor& g = tensor_of(value);
    WEFT_CHECK(g.shape() == impl->shape && g.dtype() == impl->dtype, Runtime, "[grad] expected shape ",
               to_string(impl->shape), " and dtype ", name_of(impl->dtype), ", got ", to_string(g.shape()), " and ",
               name_of(g.dtype()));
    impl->grad = g.ref();
    return 0;
  });
}

int set_requires(PyObject* self, PyObject* value, void*) {
  return guarded([&] {
    tensor_of(self).set_requires_grad(PyObject_IsTrue(value) == 1);
    return 0;
  });
}

// x.data = y: x takes over y's memory and shape, its place in modules and optimizers stays.
int set_data(PyObject* self, PyObject* value, void*) {
  return guarded([&] {
    WEFT_CHECK(value && is_tensor(value), Type, "[data] expected a tensor");
    const TensorImpl* from = tensor_of(value).get();
    TensorImpl* impl = tensor_of(self).get();
    WEFT_CHECK(impl->requires_grad <= is_floating(from->dtype), Runtime,
               "[data] a tensor that requires grad needs a floating dtype, got ", name_of(from->dtype));
    impl->storage = from->storage;
    impl->offset = from->offset;
    impl->shape = from->shape;
    impl->strides = from->strides;
    impl->dtype = from->dtype;
    return 0;
  });
}

PyGetSetDef attributes[] = {
    {"shape", attribute([](const Tensor& t) { return shape_object(t); }), nullptr, "Sizes, a weft.Size (a tuple).",
     nullptr},
    {"dtype", attribute([](const Tensor& t) { return dtype_object(t.dtype()); }), nullptr, "Element type.", nullptr},
    {"device", attribute([](const Tensor& t) { return t.device(); }), nullptr, "Where the memory is.", nullptr},
    {"ndim", attribute([](const Tensor& t) { return t.dim(); }), nullptr, "Number of dimensions.", nullptr},
    {"itemsize", attribute([](const Tensor& t) { return t.itemsize(); }), nullptr, "Bytes per element.", nullptr},
    {"nbytes", attribute([](const Tensor& t) { return t.itemsize() * t.numel(); }), nullptr, "Bytes of all elements.",
     nullptr},
    {"T", attribute([](const Tensor& t) {
       Dims axes;
       for (int i = t.dim() - 1; i >= 0; --i) axes.push_back(i);
       return permute(t, axes);
     }),
     nullptr, "All dimensions reversed.", nullptr},
    {"mT", attribute([](const Tensor& t) { return transpose(t, -2, -1); }), nullptr, "The last two dimensions swapped.",
     nullptr},
    {"is_cuda", attribute([](const Tensor& t) { return t.device().is_cuda(); }), nullptr, nullptr, nullptr},
    {"is_leaf", attribute([](const Tensor& t) { return !grad_fn_of(t); }), nullptr,
     "True if not made by a recorded operation.", nullptr},
    {"grad_fn", attribute([](const Tensor& t) -> py::object {
       Ref<Node> n = grad_fn_of(t);
       return n ? node_object(n) : py::none();
     }),
     nullptr, "The operation that made it, or None.", nullptr},
    {"_version", attribute([](const Tensor& t) {
       WEFT_CHECK(!t.get()->storage->inference, Runtime,
                  "[_version] a tensor made in inference mode counts no changes");
       return t.version();
     }),
     nullptr, "Number of in-place changes.", nullptr},
    {"retains_grad", attribute([](const Tensor& t) { return t.get()->retains_grad; }), nullptr,
     "Whether retain_grad() was called on a tensor that is not a leaf.", nullptr},
    {"data", attribute([](const Tensor& t) { return t.detach(); }), set_data, "The same memory, off the tape.",
     nullptr},
    {"grad", attribute([](const Tensor& t) { return t.grad(); }), set_grad, "Accumulated gradient, or None.", nullptr},
    {"requires_grad", attribute([](const Tensor& t) { return t.requires_grad(); }), set_requires,
     "Whether operations on it are recorded.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weakrefs), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

void make_type(py::module_& m) {
  PyType_Slot slots[] = {
      {Py_tp_dealloc, slot(dealloc)},
      {Py_tp_new, slot(construct)},
      {Py_tp_repr, slot(format)},
      {Py_tp_hash, slot(+[](PyObject* o) -> Py_hash_t { return _Py_HashPointer(o); })},
      {Py_tp_richcompare, slot(compare)},
      {Py_tp_iter, slot(iterate)},
      {Py_tp_getset, attributes},
      {Py_tp_members, members},
      {Py_tp_doc, const_cast<char*>("An n-dimensional array with a place on the tape. Made by weft.tensor, zeros, …")},
      {Py_sq_length, slot(length)},
      {Py_mp_length, slot(length)},
      {Py_mp_subscript, slot(get)},
      {Py_mp_ass_subscript, slot(set)},
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
      {Py_bf_getbuffer, slot(get_buffer)},
      {Py_bf_releasebuffer, slot(+[](PyObject*, Py_buffer* view) { release_buffer(view); })},
      {0, nullptr}};
  PyType_Spec spec = {"weft.Tensor", sizeof(PyTensor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  PyObject* made = PyType_FromSpec(&spec);
  if (!made) throw py::error_already_set();
  type = reinterpret_cast<PyTypeObject*>(made);
  m.attr("Tensor") = py::handle(made);
}

void bind_basics(py::module_& m) {
  def_method(
      "size",
      [](const Tensor& t, std::optional<int64_t> dim) -> py::object {
        return dim ? py::object(py::int_(t.size(*dim))) : shape_object(t);
      },
      py::arg("dim") = py::none(), "All sizes, or one.");
  def_method("dim", &Tensor::dim, "Number of dimensions.");
  def_method("ndimension", &Tensor::dim, "Number of dimensions.");
  def_both(m, "numel", [](const Tensor& t) { return t.numel(); }, "Number of elements.");
  def_method("nelement", [](const Tensor& t) { return t.numel(); }, "Number of elements.");
  def_method("element_size", [](const Tensor& t) { return t.itemsize(); }, "Bytes per element.");
  def_method(
      "stride",
      [](const Tensor& t, std::optional<int64_t> dim) -> py::object {
        return dim ? py::object(py::int_(t.strides()[wrap_dim("stride", *dim, t.dim())])) : py::cast(t.strides());
      },
      py::arg("dim") = py::none(), "Steps between neighbours, in elements.");
  def_method("storage_offset", [](const Tensor& t) { return t.get()->offset; }, "First element's place in its buffer.");
  def_method("is_contiguous", &Tensor::is_contiguous, "True if the elements lie in row-major order without gaps.");
  def_method("is_floating_point", [](const Tensor& t) { return is_floating(t.dtype()); });
  m.def("is_floating_point", [](const Tensor& t) { return is_floating(t.dtype()); }, py::arg("input"));
  m.def("is_tensor", [](py::handle o) { return is_tensor(o.ptr()); }, py::arg("obj"));
  def_method(
      "data_ptr", [](const Tensor& t) { return reinterpret_cast<uintptr_t>(t.data()); },
      "Address of the first element.");
  def_method(
      "item",
      [](const Tensor& t) -> py::object {
        if (is_floating(t.dtype())) return py::float_(t.item());
        int64_t v = t.item_int();
        return t.dtype() == DType::Bool ? py::object(py::bool_(v != 0)) : py::object(py::int_(v));
      },
      "The only element as a Python number. RuntimeError if there are more.");
  def_method(
      "tolist", [](const Tensor& t) { return numpy_from(t, true).attr("tolist")(); },
      "Nested lists of Python numbers.");
  def_method(
      "__array__",
      [](const Tensor& t, py::object dtype, std::optional<bool> copy) {
        py::object a = numpy_from(t, false);
        if (copy == true) return a.attr("astype")(dtype.is_none() ? a.attr("dtype") : dtype);
        py::object b = dtype.is_none() ? a : a.attr("astype")(dtype, py::arg("copy") = false);
        WEFT_CHECK(copy != false || b.is(a), Value, "[__array__] dtype ", std::string(py::str(dtype)),
                   " needs a copy of a tensor of ", name_of(t.dtype()));
        return b;
      },
      py::arg("dtype") = py::none(), py::arg("copy") = py::none());
  def_method(
      "__array_wrap__",
      [](const Tensor&, py::object array, py::object, bool) -> py::object {
        if (!dtype_from_numpy(array.attr("dtype"))) return array;
        return py::cast(tensor_from_python(array, std::nullopt, DType::Float32, false));
      },
      py::arg("array"), py::arg("context") = py::none(), py::arg("return_scalar") = false,
      "What a NumPy function makes of its result when an argument was a tensor.");
  tensor_class().attr("__array_priority__") = 1000;  // NumPy leaves `array + tensor` to us
  def_both(m, "detach", &Tensor::detach, "The same memory, off the tape.");
  def_method(
      "requires_grad_",
      [](py::object self, bool on) {
        tensor_of(self.ptr()).set_requires_grad(on);
        return self;
      },
      py::arg("requires_grad") = true, "Sets requires_grad in place.");
  m.def("_storage_id", [](const Tensor& t) { return reinterpret_cast<uintptr_t>(t.get()->storage.get()); });
  m.def(
      "_storage",
      [](const Tensor& t) {
        Tensor bytes = t.detach();
        TensorImpl* impl = bytes.get();
        impl->dtype = DType::UInt8;
        impl->offset = 0;
        impl->shape = {(int64_t)impl->storage->bytes};
        impl->strides = {1};
        return bytes;
      },
      "All bytes of the memory that a tensor looks into, as a vector.");
  m.def(
      "_over_storage",
      [](const Tensor& bytes, DType dtype, const Dims& shape, const Dims& strides, int64_t offset) {
        int64_t end = offset + 1;
        for (int d = 0; d < shape.n; ++d) end += (shape[d] - 1) * strides[d];
        WEFT_CHECK(numel_of(shape) == 0 || (offset >= 0 && end * size_of(dtype) <= bytes.numel()), Value,
                   "a tensor of shape ", to_string(shape), " reaches beyond its memory");
        Tensor t = bytes.detach();
        t.get()->dtype = dtype;
        t.get()->shape = shape;
        t.get()->strides = strides;
        t.get()->offset = offset;
        return t;
      },
      "A tensor in such a vector.");
  m.def(
      "_make_subclass",
      [](py::handle cls, const Tensor& t, bool requires_grad) {
        Tensor view = t.detach();
        view.set_requires_grad(requires_grad);
        return py::reinterpret_steal<py::object>(wrap_as(reinterpret_cast<PyTypeObject*>(cls.ptr()), view));
      },
      py::arg("cls"), py::arg("data"), py::arg("requires_grad"),
      "An object of a Tensor subclass over the same memory.");
}

}  // namespace

void bind_dtypes(py::module_& m, py::object** dtypes);  // tensor/types.cpp
void bind_autograd(py::module_& m);                     // tensor/hooks.cpp

py::object dtype_object(DType t) { return *dtype_objects[(int)t]; }

void bind_tensor(py::module_& m) {
  bind_dtypes(m, dtype_objects);
  make_type(m);
  bind_basics(m);
  bind_autograd(m);
  m.def("_set_size_type", [](py::object cls) { size_type = new py::object(std::move(cls)); });
}

}  // namespace weft
