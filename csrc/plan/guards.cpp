#include "plan/guards.h"

#include "base/threads.h"
#include "kernels/table.h"
#include "ops/autocast.h"
#include "ops/pointwise.h"
#include "tensor/autograd.h"

namespace weft {

namespace {

bool is_number(PyObject* o) { return PyFloat_CheckExact(o) || PyLong_CheckExact(o); }

// Both numbers and both zero or both not; or tuples of such.
bool may_replace(PyObject* a, PyObject* b) {
  if (is_number(a) && is_number(b)) return PyObject_IsTrue(a) == PyObject_IsTrue(b);
  if (!PyTuple_CheckExact(a) || !PyTuple_CheckExact(b) || PyTuple_GET_SIZE(a) != PyTuple_GET_SIZE(b)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(a); ++i)
    if (!may_replace(PyTuple_GET_ITEM(a, i), PyTuple_GET_ITEM(b, i))) return false;
  return true;
}

}  // namespace

bool same_constant(PyObject* a, PyObject* b) {
  if (a == b) return true;
  if (Py_TYPE(a) != Py_TYPE(b)) return false;
  if (PyTuple_CheckExact(a)) {
    if (PyTuple_GET_SIZE(a) != PyTuple_GET_SIZE(b)) return false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(a); ++i)
      if (!same_constant(PyTuple_GET_ITEM(a, i), PyTuple_GET_ITEM(b, i))) return false;
    return true;
  }
  if (!is_number(a) && !PyUnicode_CheckExact(a) && !PyBytes_CheckExact(a)) return false;
  return PyObject_RichCompareBool(a, b, Py_EQ) == 1;
}

void Guards::watch(py::object container, int name, bool numbers_change) {
  if (entries_.empty()) {  // about what a small network has
    containers_.reserve(32);
    entries_.reserve(256);
  }
  PyObject* o = container.ptr();
  Container c{std::move(container), name, (bool)PyDict_Check(o), numbers_change, entries_.size(), 0};
  if (c.is_dict) {
    PyObject *key, *value;
    Py_ssize_t at = 0;
    while (PyDict_Next(o, &at, &key, &value))
      entries_.push_back({py::reinterpret_borrow<py::object>(key), py::reinterpret_borrow<py::object>(value)});
  } else {
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(o); ++i)
      entries_.push_back({{}, py::reinterpret_borrow<py::object>(PyList_GET_ITEM(o, i))});
  }
  c.count = entries_.size() - c.first;
  containers_.push_back(std::move(c));
}

// One that the dict has and did not have, or the other way round.
std::string Guards::other_key(const Container& c) const {
  auto keys = py::reinterpret_steal<py::object>(PyObject_CallMethod(c.object.ptr(), "keys", nullptr));
  py::set now(keys), then;
  for (size_t i = 0; i < c.count; ++i) then.add(entries_[c.first + i].key);
  for (py::handle key : py::set(now ^ then)) return py::str(key).cast<std::string>();
  return "keys";
}

PyObject* Guards::Variable::now() const {
  return key.is_none() ? PyCell_GET(place.ptr()) : PyDict_GetItem(place.ptr(), key.ptr());
}

void Guards::watch_variable(py::object place, py::object key, int name) {
  Variable v{std::move(place), std::move(key), {}, name};
  v.value = py::reinterpret_borrow<py::object>(v.now());
  variables_.push_back(std::move(v));
}

void Guards::watch_tensor(py::object tensor) {
  const Tensor& t = tensor_of(tensor.ptr());
  if (tensors_.empty()) tensors_.reserve(32);
  tensors_.push_back({t.ref(), t.get()->storage, t.get()->storage->data, t.get()->offset, t.requires_grad()});
}

std::string Guards::what_changed() {
  for (Container& c : containers_) {
    PyObject* o = c.object.ptr();
    const auto size = (Py_ssize_t)c.count;
    if (c.is_dict && PyDict_GET_SIZE(o) != size) return cat(names.text(c.name), ".", other_key(c));
    if (!c.is_dict && PyList_GET_SIZE(o) != size) return names.text(c.name);
    Py_ssize_t at = 0;
    for (Py_ssize_t i = 0; i < size; ++i) {
      PyObject *key = nullptr, *value = nullptr;
      if (c.is_dict)
        PyDict_Next(o, &at, &key, &value);
      else
        value = PyList_GET_ITEM(o, i);
      Entry& before = entries_[c.first + (size_t)i];
      if (value == before.value.ptr() && (!key || key == before.key.ptr())) continue;
      const bool same =
          (!key || same_constant(key, before.key.ptr())) &&
          (same_constant(value, before.value.ptr()) || (c.numbers_change && may_replace(value, before.value.ptr())));
      if (!same)
        return key && PyUnicode_Check(key) ? cat(names.text(c.name), ".", py::str(key).cast<std::string>())
                                           : cat(names.text(c.name), "[", i, "]");
      before.value = py::reinterpret_borrow<py::object>(value);
      if (key) before.key = py::reinterpret_borrow<py::object>(key);
    }
  }
  for (Variable& v : variables_) {
    PyObject* value = v.now();
    if (value == v.value.ptr()) continue;
    if (!value || !same_constant(value, v.value.ptr())) return names.text(v.name);
    v.value = py::reinterpret_borrow<py::object>(value);
  }
  for (const Memory& m : tensors_)
    if (!(m.tensor->storage == m.storage) || m.storage->data != m.data || m.tensor->offset != m.offset ||
        m.tensor->requires_grad != m.requires_grad)
      return "the memory of a tensor";
  return {};
}

bool Guards::hold() { return what_changed().empty(); }

Surroundings Surroundings::now() {
  Surroundings s{};
  s.grad = grad_mode();
  s.inference = inference_mode();
  autocast_state(s.autocast, s.lower);
  s.default_dtype = weft::default_dtype;
  s.kernels = &kernel_table((int)DeviceKind::CPU);
  s.threads = num_threads();
  return s;
}

}  // namespace weft
