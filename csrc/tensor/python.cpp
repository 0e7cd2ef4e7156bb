// The Tensor type, dtypes and devices as Python sees them.
#include "tensor/python.h"

#include <structmember.h>

#include "ops/view.h"
#include "tensor/hooks.h"
#include "tensor/numpy.h"
#include "tensor/slots.h"
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

py::object shape_object(const Tensor& t) {
  py::tuple sizes(t.dim());
  for (int i = 0; i < t.dim(); ++i) sizes[i] = py::int_(t.shape()[i]);
  return size_type ? (*size_type)(sizes) : py::object(sizes);
}

namespace {

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

int set_grad(PyObject* self, PyObject* value, void*) {
  return guarded([&] {
    TensorImpl* impl = tensor_of(self).get();
    note_grad(*impl, GradUse::Cleared);
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
    {"is_sparse", attribute([](const Tensor& t) { return t.is_sparse(); }), nullptr,
     "Whether it holds some rows only: the gradient of an embedding with sparse=True.", nullptr},
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
    {"grad", attribute([](const Tensor& t) {
       note_grad(*t.get(), GradUse::Read);
       return t.grad();
     }),
     set_grad, "Accumulated gradient, or None.", nullptr},
    {"requires_grad", attribute([](const Tensor& t) { return t.requires_grad(); }), set_requires,
     "Whether operations on it are recorded.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMemberDef members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(PyTensor, weakrefs), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};

void make_type(py::module_& m) {
  std::vector<PyType_Slot> slots = number_slots();
  slots.insert(
      slots.end(),
      {{Py_tp_dealloc, slot(dealloc)},
       {Py_tp_new, slot(construct)},
       {Py_tp_repr, slot(format)},
       {Py_tp_hash, slot(+[](PyObject* o) -> Py_hash_t { return _Py_HashPointer(o); })},
       {Py_tp_iter, slot(iterate)},
       {Py_tp_getset, attributes},
       {Py_tp_members, members},
       {Py_tp_doc, const_cast<char*>("An n-dimensional array with a place on the tape. Made by weft.tensor, zeros, …")},
       {Py_sq_length, slot(length)},
       {Py_mp_length, slot(length)},
       {Py_mp_subscript, slot(get)},
       {Py_mp_ass_subscript, slot(set)},
       {Py_bf_getbuffer, slot(get_buffer)},
       {Py_bf_releasebuffer, slot(+[](PyObject*, Py_buffer* view) { release_buffer(view); })},
       {0, nullptr}});
  PyType_Spec spec = {"weft.Tensor", sizeof(PyTensor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots.data()};
  PyObject* made = PyType_FromSpec(&spec);
  if (!made) throw py::error_already_set();
  type = reinterpret_cast<PyTypeObject*>(made);
  m.attr("Tensor") = py::handle(made);
}

}  // namespace

void bind_dtypes(py::module_& m, py::object** dtypes);  // tensor/types.cpp
void bind_autograd(py::module_& m);                     // tensor/hooks.cpp
void bind_methods(py::module_& m);                      // tensor/methods.cpp

py::object dtype_object(DType t) { return *dtype_objects[(int)t]; }

void bind_tensor(py::module_& m) {
  bind_dtypes(m, dtype_objects);
  make_type(m);
  bind_methods(m);
  bind_autograd(m);
  m.def("_set_size_type", [](py::object cls) { size_type = new py::object(std::move(cls)); });
}

}  // namespace weft
