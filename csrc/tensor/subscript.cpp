#include "tensor/subscript.h"

#include "ops/copy.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/slice.h"
#include "ops/view.h"
#include "ops/view_scatter.h"
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
  return (PySequence_Check(o) && !PyUnicode_Check(o)) || PyObject_HasAttrString(o, "__array__") ||
         PyObject_HasAttrString(o, "__array_interface__");
}

// Integer or bool tensor from an index that is not basic.
Tensor index_tensor(PyObject* o, Device device) {
  Tensor t;
  if (is_tensor(o)) {
    t = tensor_of(o);
  } else {
    WEFT_CHECK(is_array_like(o), Index,
               "[index] expected integers, slices, None, Ellipsis, or integer or bool tensors, got ",
               Py_TYPE(o)->tp_name);
    t = tensor_from_python(py::reinterpret_borrow<py::object>(o), std::nullopt, DType::Float32, false);
    if (t.numel() == 0 && is_floating(t.dtype())) t = to(t, DType::Int64);  // x[[]]
  }
  WEFT_CHECK(!is_floating(t.dtype()), Index, "[index] an index tensor must be integer or bool, got ",
             name_of(t.dtype()));
  if (t.dtype() == DType::UInt8) t = to(t, DType::Bool);  // as PyTorch, which deprecates it
  return to(t, device);
}

int dims_taken(PyObject* o) {
  if (o == Py_None || o == Py_Ellipsis || PyBool_Check(o)) return 0;
  if (PySlice_Check(o) || PyLong_Check(o)) return 1;
  if (is_tensor(o)) {
    DType t = tensor_of(o).dtype();
    return t == DType::Bool || t == DType::UInt8 ? tensor_of(o).dim() : 1;
  }
  if (is_array_like(o)) {
    Tensor t = index_tensor(o, Device{});
    return t.dtype() == DType::Bool ? t.dim() : 1;
  }
  return 1;
}

// NumPy's integers, and integer tensors and arrays without dimensions, count as Python's.
py::object plain_integer(PyObject* o) {
  bool integer = PyIndex_Check(o) && !PyLong_Check(o);
  if (integer && is_tensor(o)) {
    const Tensor& t = tensor_of(o);
    integer = t.dim() == 0 && is_integral(t.dtype()) && t.dtype() != DType::UInt8;
  } else if (integer && PyObject_HasAttrString(o, "ndim")) {
    integer = py::handle(o).attr("ndim").cast<int>() == 0;
  }
  return integer ? py::reinterpret_steal<py::object>(PyNumber_Index(o)) : py::reinterpret_borrow<py::object>(o);
}

// A list is a tuple of indices if it holds anything but numbers: x[[0, 2]] takes rows, x[[[0, 2], [1, 1]]] elements.
bool stands_for_tuple(PyObject* key) {
  if (!PyList_Check(key) || PyList_GET_SIZE(key) >= 32) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(key); ++i) {
    PyObject* o = PyList_GET_ITEM(key, i);
    if (o == Py_None || o == Py_Ellipsis || is_tensor(o) || PySlice_Check(o) || PySequence_Check(o)) return true;
  }
  return false;
}

Key parse(const Tensor& x, PyObject* key) {
  std::vector<py::object> items;
  if (PyTuple_Check(key) || stands_for_tuple(key)) {
    for (py::handle item : py::reinterpret_borrow<py::sequence>(key)) items.push_back(plain_integer(item.ptr()));
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

// The basic part of a key as a view; x itself where there is none.
Tensor basic_part(const Tensor& x, const BasicIndex& index) {
  bool whole = index.new_axes_at_end == 0;
  for (int d = 0; d < index.n && whole; ++d) {
    const auto& a = index.axes[d];
    whole = a.keep && a.new_axes_before == 0 && a.start == 0 && a.step == 1 && a.length == x.shape()[d];
  }
  return whole ? x : basic_index(x, index);
}

}  // namespace

Tensor get_item(const Tensor& x, PyObject* key) {
  if (PyLong_Check(key) && !PyBool_Check(key) && x.dim() > 0) {  // the commonest, without a detour
    int64_t i = PyLong_AsLongLong(key);
    if (i == -1 && PyErr_Occurred()) throw py::error_already_set();
    return select(x, 0, i);
  }
  Key k = parse(x, key);
  if (k.advanced.empty()) return basic_index(x, k.basic);
  Adjacent a = bring_together(basic_part(x, k.basic), k);
  return index_dims(a.view, a.first, a.indices);
}

namespace {

Tensor without_leading_ones(Tensor v, int dims) {  // as NumPy: they do no harm
  while (v.dim() > dims && v.shape()[0] == 1) v = squeeze(v, 0);
  return v;
}

void put_parsed(const Tensor& x, const Key& k, const Tensor& values, bool accumulate) {
  Tensor part = basic_part(x, k.basic);
  if (k.advanced.empty()) {
    copy_(part, without_leading_ones(accumulate ? add(part, values) : values, part.dim()));
    return;
  }
  Adjacent a = bring_together(part, k);
  int dims = a.view.dim() - (int)a.indices.size(), most = 0;
  for (const Tensor& t : a.indices) most = std::max(most, t.dim());
  index_put(a.view, a.first, a.indices, without_leading_ones(values, dims + most), accumulate);
}

}  // namespace

void set_item(const Tensor& x, PyObject* key, PyObject* value) {
  Tensor v;
  if (is_tensor(value)) {
    v = tensor_of(value);
    if (v.device() != x.device() && v.dim() == 0) v = to(v, x.device());
  } else {
    DType numbers = x.dtype() == DType::Float64 ? DType::Float64 : DType::Float32;  // nothing is lost on the way
    v = to(tensor_from_python(py::reinterpret_borrow<py::object>(value), std::nullopt, numbers, false), x.device());
  }
  put_parsed(x, parse(x, key), v, false);
}

Tensor put_item(const Tensor& x, const py::sequence& indices, const Tensor& values, bool accumulate, bool inplace) {
  WEFT_CHECK(values.dtype() == x.dtype(), Runtime, "[index_put] expected values of the input's dtype ",
             name_of(x.dtype()), ", got ", name_of(values.dtype()));
  py::tuple key(indices.size());
  for (size_t i = 0; i < indices.size(); ++i) {
    py::object item = indices[i];
    WEFT_CHECK(item.is_none() || is_tensor(item.ptr()), Type, "[index_put] expected tensors as indices, got ",
               Py_TYPE(item.ptr())->tp_name);
    key[i] = item.is_none() ? py::reinterpret_steal<py::object>(PySlice_New(nullptr, nullptr, nullptr)) : item;
  }
  Key k = parse(x, key.ptr());
  WEFT_CHECK(!k.advanced.empty() || inplace, Index, "[index_put] expected at least one index");
  if (inplace) {
    put_parsed(x, k, values, accumulate);
    return x;
  }
  auto view = [k](const Tensor& t) { return bring_together(basic_part(t, k.basic), k).view; };
  Adjacent a = bring_together(basic_part(x, k.basic), k);
  Tensor part = clone(a.view);
  index_put(part, a.first, a.indices, values, accumulate);
  return part.shape() == x.shape() && a.view.get() == x.get() ? part : view_scatter("index_put", x, part, view);
}

}  // namespace weft
