#include "tensor/subscript.h"

#include "ops/copy.h"
#include "ops/index.h"
#include "ops/slice.h"
#include "ops/view.h"
#include "tensor/numpy.h"

namespace weft {

namespace {

// A key taken apart: one basic view, then integer tensors at some dimensions of that view.
struct Key {
  BasicIndex basic;
  struct Advanced {
    int dim;       // of the basic view
    Tensor index;  // int64
  };
  std::vector<Advanced> advanced;
};

bool is_array_like(PyObject* o) {
  return PyList_Check(o) || PyObject_HasAttrString(o, "__array__") || PyObject_HasAttrString(o, "__array_interface__");
}

// Integer or bool tensor from an index that is not basic.
Tensor index_tensor(PyObject* o, Device device) {
  Tensor t;
  if (is_tensor(o)) {
    t = tensor_of(o);
  } else {
    WEFT_CHECK(is_array_like(o) || PyTuple_Check(o), Index,
               "[index] expected integers, slices, None, Ellipsis, or integer or bool tensors, got ",
               Py_TYPE(o)->tp_name);
    t = tensor_from_python(py::reinterpret_borrow<py::object>(o), std::nullopt, DType::Float32, false);
    if (t.numel() == 0 && is_floating(t.dtype())) t = to(t, DType::Int64);  // x[[]]
  }
  WEFT_CHECK(!is_floating(t.dtype()), Index, "[index] an index tensor must be integer or bool, got ",
             name_of(t.dtype()));
  return to(t, device);
}

int dims_taken(PyObject* o) {
  if (o == Py_None || o == Py_Ellipsis || PyBool_Check(o)) return 0;
  if (is_tensor(o) && tensor_of(o).dtype() == DType::Bool) return tensor_of(o).dim();
  if (PySlice_Check(o) || PyLong_Check(o) || is_tensor(o)) return 1;
  if (is_array_like(o)) {
    Tensor t = index_tensor(o, Device{});
    return t.dtype() == DType::Bool ? t.dim() : 1;
  }
  return 1;
}

// NumPy's integers count as Python's.
py::object plain_integer(PyObject* o) {
  bool integer = PyIndex_Check(o) && !PyLong_Check(o) && !is_tensor(o) && !PyObject_HasAttrString(o, "__setitem__");
  return integer ? py::reinterpret_steal<py::object>(PyNumber_Index(o)) : py::reinterpret_borrow<py::object>(o);
}

Key parse(const Tensor& x, PyObject* key) {
  std::vector<py::object> items;
  if (PyTuple_Check(key)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(key); ++i) items.push_back(plain_integer(PyTuple_GET_ITEM(key, i)));
  } else {
    items.push_back(plain_integer(key));
  }
  int taken = 0, ellipses = 0;
  for (const py::object& item : items) {
    taken += dims_taken(item.ptr());
    ellipses += item.ptr() == Py_Ellipsis;
  }
  WEFT_CHECK(ellipses <= 1, Index, "[index] only one Ellipsis is allowed");
  WEFT_CHECK(taken <= x.dim(), Index, "[index] too many indices (", taken, ") for a tensor of shape ",
             to_string(x.shape()));

  Key k;
  k.basic = BasicIndex::all(x.shape());
  int d = 0, out = 0;  // dimension of x, and of the basic view
  int new_axes = 0;
  auto here = [&]() -> BasicIndex::Axis& {
    k.basic.axes[d].new_axes_before = new_axes;
    new_axes = 0;
    return k.basic.axes[d++];
  };
  for (const py::object& item : items) {
    PyObject* o = item.ptr();
    if (o == Py_None) {
      ++new_axes, ++out;
    } else if (o == Py_Ellipsis) {
      for (int n = x.dim() - taken; n > 0; --n) here(), ++out;
    } else if (PySlice_Check(o)) {
      Py_ssize_t start, stop, step;
      if (PySlice_Unpack(o, &start, &stop, &step) < 0) throw py::error_already_set();
      WEFT_CHECK(step > 0, Value, "[index] step must be positive, got ", step, "; use flip() to reverse");
      Py_ssize_t length = PySlice_AdjustIndices(x.shape()[d], &start, &stop, step);
      BasicIndex::Axis& a = here();
      a.start = start, a.step = step, a.length = length, ++out;
    } else if (PyLong_Check(o) && !PyBool_Check(o)) {
      int64_t size = x.shape()[d], i = PyLong_AsLongLong(o);
      if (i == -1 && PyErr_Occurred()) throw py::error_already_set();
      WEFT_CHECK(i >= -size && i < size, Index, "[index] index ", i, " is out of bounds for dimension ", d, " of size ",
                 size);
      BasicIndex::Axis& a = here();
      a.start = i < 0 ? i + size : i, a.length = 1, a.keep = false;
    } else if (PyBool_Check(o)) {  // a new axis of size one or zero
      ++new_axes;
      Tensor t = Tensor::zeros({o == Py_True ? 1 : 0}, DType::Int64, x.device());
      k.advanced.push_back({out++, t});
    } else {
      Tensor t = index_tensor(o, x.device());
      if (t.dtype() != DType::Bool) {
        here();
        k.advanced.push_back({out++, t});
        continue;
      }
      for (int i = 0; i < t.dim(); ++i)
        WEFT_CHECK(t.shape()[i] == x.shape()[d + i], Index, "[index] the mask has shape ", to_string(t.shape()),
                   ", which does not match the tensor's ", to_string(x.shape()), " from dimension ", d);
      Tensor where = nonzero(t);
      if (t.dim() == 0) ++new_axes;
      for (int i = 0; i < std::max(1, t.dim()); ++i) {
        if (t.dim() > 0) here();
        Tensor column = t.dim() > 0 ? select(where, 1, i) : Tensor::zeros({where.shape()[0]}, DType::Int64, x.device());
        k.advanced.push_back({out++, column});
      }
    }
  }
  for (; d < x.dim(); ++out) here();
  k.basic.new_axes_at_end = new_axes;
  return k;
}

// The view on which `indices` stand at adjacent dimensions, from `first` on. Like NumPy: where they are apart in the
// key, their dimensions move to the front.
struct Adjacent {
  Tensor view;
  int first;
  TensorList indices;
};

Adjacent bring_together(const Tensor& v, const Key& k) {
  Adjacent a{v, k.advanced[0].dim, {}};
  bool together = true;
  for (size_t i = 0; i < k.advanced.size(); ++i) {
    together = together && k.advanced[i].dim == a.first + (int)i;
    a.indices.push_back(k.advanced[i].index);
  }
  if (together) return a;
  Dims axes;
  for (const auto& adv : k.advanced) axes.push_back(adv.dim);
  for (int d = 0; d < v.dim(); ++d) {
    bool taken = false;
    for (const auto& adv : k.advanced) taken = taken || adv.dim == d;
    if (!taken) axes.push_back(d);
  }
  a.view = permute(v, axes);
  a.first = 0;
  return a;
}

bool is_everything(PyObject* key) { return key == Py_Ellipsis; }

}  // namespace

Tensor get_item(const Tensor& x, PyObject* key) {
  if (PyLong_Check(key) && !PyBool_Check(key) && x.dim() > 0) {  // the commonest, without a detour
    int64_t i = PyLong_AsLongLong(key);
    if (i == -1 && PyErr_Occurred()) throw py::error_already_set();
    return select(x, 0, i);
  }
  Key k = parse(x, key);
  Tensor v = basic_index(x, k.basic);
  if (k.advanced.empty()) return v;
  Adjacent a = bring_together(v, k);
  return index_dims(a.view, a.first, a.indices);
}

void set_item(const Tensor& x, PyObject* key, PyObject* value) {
  Tensor v;
  if (is_tensor(value)) {
    v = tensor_of(value);
    if (v.device() != x.device() && v.dim() == 0) v = to(v, x.device());
  } else {
    DType numbers = x.dtype() == DType::Float64 ? DType::Float64 : DType::Float32;  // nothing is lost on the way
    v = to(tensor_from_python(py::reinterpret_borrow<py::object>(value), std::nullopt, numbers, false), x.device());
  }
  if (is_everything(key)) {
    Tensor whole = x;
    copy_(whole, v);
    return;
  }
  Key k = parse(x, key);
  Tensor part = basic_index(x, k.basic);
  if (k.advanced.empty()) {
    while (v.dim() > part.dim() && v.shape()[0] == 1) v = squeeze(v, 0);  // as NumPy: leading ones do no harm
    copy_(part, v);
    return;
  }
  Adjacent a = bring_together(part, k);
  index_put(a.view, a.first, a.indices, v, false);
}

}  // namespace weft
