#include "plan/reach.h"

#include <cstring>

namespace weft {

namespace {

constexpr size_t kMost = 100'000;  // objects

// Classes that are known by more than their layout, and names of attributes, made once.
struct Known {
  py::object optimizer, scheduler, compiled, partial, array;
  py::object attributes, module, names, constants, free_names, grad_norm, groups, state, parameters, call, forward;

  static const Known& get() {
    static const Known* all = [] {
      auto from = [](const char* module, const char* name) { return py::module_::import(module).attr(name); };
      auto word = [](const char* text) { return py::reinterpret_steal<py::object>(PyUnicode_InternFromString(text)); };
      return new Known{from("weft.optim", "Optimizer"),
                       from("weft.optim.lr_scheduler", "LRScheduler"),
                       from("weft._core", "_Compiled"),
                       from("functools", "partial"),
                       from("numpy", "ndarray"),
                       word("__dict__"),
                       word("__module__"),
                       word("co_names"),
                       word("co_consts"),
                       word("co_freevars"),
                       word("grad_norm"),
                       word("param_groups"),
                       word("state"),
                       word("params"),
                       word("__call__"),
                       word("forward")};
    }();
    return *all;
  }
};

// Objects by their addresses: few, asked for often.
class Seen {
 public:
  bool insert(const void* o) {  // false: it is there
    if (2 * ++count_ > slots_.size()) grow();
    return put(o) || (--count_, false);
  }
  size_t size() const { return count_; }

 private:
  bool put(const void* o) {
    const size_t mask = slots_.size() - 1;
    size_t at = (reinterpret_cast<size_t>(o) >> 4) * 0x9E3779B97F4A7C15u >> 20 & mask;
    for (; slots_[at]; at = (at + 1) & mask)
      if (slots_[at] == o) return false;
    slots_[at] = o;
    return true;
  }
  void grow() {
    std::vector<const void*> old(std::max<size_t>(512, 2 * slots_.size()));
    old.swap(slots_);
    for (const void* o : old)
      if (o) put(o);
  }
  std::vector<const void*> slots_;  // a power of two, at most half of them taken
  size_t count_ = 0;
};

bool is_a(PyObject* o, const py::object& type) { return PyObject_TypeCheck(o, (PyTypeObject*)type.ptr()); }

bool leads_on(PyObject* o) {
  return !(PyLong_Check(o) || PyFloat_Check(o) || PyComplex_Check(o) || PyUnicode_Check(o) || PyBytes_Check(o) ||
           o == Py_None || PyType_Check(o) || PyModule_Check(o) || PyCFunction_Check(o) || is_a(o, Known::get().array));
}

py::object attribute(PyObject* o, const py::object& name) {  // or null
  auto value = py::reinterpret_steal<py::object>(PyObject_GetAttr(o, name.ptr()));
  if (!value) PyErr_Clear();
  return value;
}

bool begins(PyObject* text, const char* with) {
  const char* letters = text && PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : nullptr;
  if (!letters) PyErr_Clear();
  return letters && strncmp(letters, with, strlen(with)) == 0;
}

// What the code, and functions made in it, takes from its module.
void add_global_names(PyObject* code, PyObject* globals, std::vector<py::object>& names) {
  const Known& known = Known::get();
  for (py::handle name : py::tuple(attribute(code, known.names))) {
    PyObject* value = PyDict_GetItem(globals, name.ptr());
    if (value && !PyModule_Check(value)) names.push_back(py::reinterpret_borrow<py::object>(name));
  }
  for (py::handle constant : py::tuple(attribute(code, known.constants)))
    if (PyCode_Check(constant.ptr())) add_global_names(constant.ptr(), globals, names);
}

}  // namespace

Reach::Reach(const py::object& function, const py::args& args, const py::kwargs& kwargs) {
  Names& names = guards_.names;
  add(Names::kNone, function.ptr());
  for (size_t i = 0; i < args.size(); ++i) add(names.argument(i), PyTuple_GET_ITEM(args.ptr(), (Py_ssize_t)i));
  for (auto [key, value] : kwargs) add(names.plain(key.ptr()), value.ptr());
  Seen seen;
  todo_.reserve(64);
  while (!todo_.empty() && !too_far_) {
    auto [name, o] = std::move(todo_.back());
    todo_.pop_back();
    if (!seen.insert(o.ptr())) continue;
    too_far_ = seen.size() > kMost;
    look_at(name, o);
  }
}

void Reach::add(int name, PyObject* o) {
  if (leads_on(o)) todo_.emplace_back(name, py::reinterpret_borrow<py::object>(o));
}

void Reach::look_at(int name, const py::object& o) {
  Names& names = guards_.names;
  const Known& known = Known::get();
  PyObject* p = o.ptr();
  if (PyMethod_Check(p)) {
    add(name, PyMethod_GET_FUNCTION(p));
    add(names.plain(Py_TYPE(PyMethod_GET_SELF(p))->tp_name), PyMethod_GET_SELF(p));
  } else if (PyFunction_Check(p)) {
    look_into_function(p);
  } else if (is_tensor(p)) {
    guards_.watch_tensor(o);
  } else if (PyDict_Check(p)) {
    guards_.watch(o, name);
    for (auto [key, value] : py::reinterpret_borrow<py::dict>(o))
      if (leads_on(value.ptr())) add(names.item(name, key.ptr()), value.ptr());
  } else if (PyList_Check(p) || PyTuple_Check(p) || PyAnySet_Check(p)) {
    if (PyList_Check(p)) guards_.watch(o, name);
    size_t i = 0;
    for (py::handle value : o) {
      if (leads_on(value.ptr())) add(names.item(name, i), value.ptr());
      ++i;
    }
  } else if (is_a(p, known.partial)) {
    for (const char* part : {"func", "args", "keywords"}) add(name, o.attr(part).ptr());
  } else if (is_a(p, known.optimizer)) {
    optimizers_.emplace_back(o, attribute(p, known.grad_norm));
  } else if (!is_a(p, known.scheduler) && !is_a(p, known.compiled)) {
    look_into_object(name == Names::kNone ? names.plain(Py_TYPE(p)->tp_name) : name, o);
  }
}

void Reach::look_into_function(PyObject* f) {
  PyObject *code = PyFunction_GetCode(f), *cells = PyFunction_GetClosure(f), *globals = PyFunction_GetGlobals(f);
  if (cells) {
    py::tuple names(attribute(code, Known::get().free_names));
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(cells); ++i) {
      PyObject* cell = PyTuple_GET_ITEM(cells, i);
      if (!PyCell_GET(cell)) continue;  // not yet assigned
      const int name = guards_.names.plain(names[(size_t)i].ptr());
      guards_.watch_variable(py::reinterpret_borrow<py::object>(cell), py::none(), name);
      add(name, PyCell_GET(cell));
    }
  }
  if (!begins(PyFunction_GetModule(f), "weft.")) {
    std::vector<py::object> names;
    add_global_names(code, globals, names);
    for (const py::object& name : names) {
      const int called = guards_.names.plain(name.ptr());
      guards_.watch_variable(py::reinterpret_borrow<py::object>(globals), name, called);
      add(called, PyDict_GetItem(globals, name.ptr()));
    }
  }
  for (PyObject* defaults : {PyFunction_GetDefaults(f), PyFunction_GetKwDefaults(f)})
    if (defaults) add(guards_.names.plain("default"), defaults);
}

void Reach::look_into_object(int name, const py::object& o) {
  const Known& known = Known::get();
  if (Py_TYPE(o.ptr())->tp_dictoffset == 0) return;  // it has no attributes of its own
  const py::object attributes = attribute(o.ptr(), known.attributes);
  const py::object type = py::type::of(o), module = attribute(type.ptr(), known.module);
  if (!attributes || !PyDict_Check(attributes.ptr()) || begins(module.ptr(), "pybind11")) return;
  guards_.watch(attributes, name);
  for (auto [key, value] : py::reinterpret_borrow<py::dict>(attributes))
    if (leads_on(value.ptr())) add(guards_.names.attribute(name, key.ptr()), value.ptr());
  if (begins(module.ptr(), "weft.")) return;
  for (const py::object& method : {known.call, known.forward})
    if (py::object f = attribute(type.ptr(), method)) add(name, f.ptr());
}

void Reach::watch_optimizers() {
  const Known& known = Known::get();
  auto keep = [](PyObject* o) { return py::reinterpret_borrow<py::object>(o); };
  for (const auto& [optimizer, norm] : optimizers_) {
    Names& names = guards_.names;
    const int name = names.plain(Py_TYPE(optimizer.ptr())->tp_name);
    const int in_groups = names.attribute(name, known.groups.ptr()),
              in_state = names.attribute(name, known.state.ptr());
    py::dict attributes = attribute(optimizer.ptr(), known.attributes);
    guards_.watch_variable(attributes, known.groups, in_groups);
    guards_.watch_variable(attributes, known.state, in_state);
    py::list groups = attributes[known.groups];
    guards_.watch(groups, in_groups);
    for (py::handle group : groups) {
      guards_.watch(keep(group.ptr()), in_groups, true);
      py::list parameters = group[known.parameters];
      guards_.watch(parameters, in_groups);
      for (py::handle p : parameters) guards_.watch_tensor(keep(p.ptr()));
    }
    py::dict state = attributes[known.state];
    guards_.watch(state, in_state);
    for (auto [parameter, of_it] : state) {
      guards_.watch(keep(of_it.ptr()), in_state);
      for (auto [key, value] : py::reinterpret_borrow<py::dict>(of_it))
        if (is_tensor(value.ptr())) guards_.watch_tensor(keep(value.ptr()));
    }
  }
}

std::vector<std::pair<py::object, py::object>> Reach::slots() const {
  const Known& known = Known::get();
  std::vector<std::pair<py::object, py::object>> all;
  for (const auto& [optimizer, before] : optimizers_) {
    py::object norm = attribute(optimizer.ptr(), known.grad_norm);
    if (norm && !norm.is_none() && !norm.is(before))
      all.emplace_back(attribute(optimizer.ptr(), known.attributes), known.grad_norm);
  }
  return all;
}

}  // namespace weft
