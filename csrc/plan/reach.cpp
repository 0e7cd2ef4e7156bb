#include "plan/reach.h"

#include <unordered_set>

namespace weft {

namespace {

constexpr size_t kMost = 100'000;  // objects

// Classes that are known by more than their layout.
struct Classes {
  py::object optimizer, scheduler, compiled, partial, array;

  static const Classes& get() {
    static const Classes* all = [] {
      auto from = [](const char* module, const char* name) { return py::module_::import(module).attr(name); };
      return new Classes{from("weft.optim", "Optimizer"), from("weft.optim.lr_scheduler", "LRScheduler"),
                         from("weft._core", "_Compiled"), from("functools", "partial"), from("numpy", "ndarray")};
    }();
    return *all;
  }
};

bool is_a(PyObject* o, const py::object& type) { return PyObject_TypeCheck(o, (PyTypeObject*)type.ptr()); }

bool leads_on(PyObject* o) {
  return !(PyLong_Check(o) || PyFloat_Check(o) || PyComplex_Check(o) || PyUnicode_Check(o) || PyBytes_Check(o) ||
           o == Py_None || PyType_Check(o) || PyModule_Check(o) || PyCFunction_Check(o) ||
           is_a(o, Classes::get().array));
}

py::object attribute(PyObject* o, const char* name) {  // or null
  auto value = py::reinterpret_steal<py::object>(PyObject_GetAttrString(o, name));
  if (!value) PyErr_Clear();
  return value;
}

bool begins(PyObject* text, const char* with) {
  return text && PyUnicode_Check(text) && py::reinterpret_borrow<py::str>(text).cast<std::string>().rfind(with, 0) == 0;
}

// What the code, and functions made in it, takes from its module.
void add_global_names(PyObject* code, PyObject* globals, std::vector<py::object>& names) {
  for (py::handle name : py::reinterpret_borrow<py::object>(code).attr("co_names")) {
    PyObject* value = PyDict_GetItem(globals, name.ptr());
    if (value && !PyModule_Check(value)) names.push_back(py::reinterpret_borrow<py::object>(name));
  }
  for (py::handle constant : py::reinterpret_borrow<py::object>(code).attr("co_consts"))
    if (PyCode_Check(constant.ptr())) add_global_names(constant.ptr(), globals, names);
}

}  // namespace

Reach::Reach(const py::object& function, const py::args& args, const py::kwargs& kwargs) {
  Names& names = guards_.names;
  add(Names::kNone, function.ptr());
  for (size_t i = 0; i < args.size(); ++i) add(names.argument(i), PyTuple_GET_ITEM(args.ptr(), (Py_ssize_t)i));
  for (auto [key, value] : kwargs) add(names.plain(key.ptr()), value.ptr());
  std::unordered_set<PyObject*> seen;
  seen.reserve(256);
  while (!todo_.empty() && !too_far_) {
    auto [name, o] = std::move(todo_.back());
    todo_.pop_back();
    if (!seen.insert(o.ptr()).second) continue;
    too_far_ = seen.size() > kMost;
    look_at(name, o);
  }
}

void Reach::add(int name, PyObject* o) {
  if (leads_on(o)) todo_.emplace_back(name, py::reinterpret_borrow<py::object>(o));
}

void Reach::look_at(int name, const py::object& o) {
  Names& names = guards_.names;
  const Classes& known = Classes::get();
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
    optimizers_.emplace_back(o, o.attr("grad_norm"));
  } else if (!is_a(p, known.scheduler) && !is_a(p, known.compiled)) {
    look_into_object(name == Names::kNone ? names.plain(Py_TYPE(p)->tp_name) : name, o);
  }
}

void Reach::look_into_function(PyObject* f) {
  PyObject *code = PyFunction_GetCode(f), *cells = PyFunction_GetClosure(f), *globals = PyFunction_GetGlobals(f);
  if (cells) {
    py::tuple names = py::reinterpret_borrow<py::object>(code).attr("co_freevars");
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
  const py::object attributes = attribute(o.ptr(), "__dict__");
  const py::object type = py::type::of(o), module = attribute(type.ptr(), "__module__");
  if (!attributes || !PyDict_Check(attributes.ptr()) || begins(module.ptr(), "pybind11")) return;
  guards_.watch(attributes, name);
  for (auto [key, value] : py::reinterpret_borrow<py::dict>(attributes))
    if (leads_on(value.ptr())) add(guards_.names.attribute(name, key.ptr()), value.ptr());
  if (begins(module.ptr(), "weft.")) return;
  for (const char* method : {"__call__", "forward"})
    if (py::object f = attribute(type.ptr(), method)) add(name, f.ptr());
}

void Reach::watch_optimizers() {
  for (const auto& [optimizer, norm] : optimizers_) {
    Names& names = guards_.names;
    const int name = names.plain(Py_TYPE(optimizer.ptr())->tp_name);
    const int in_groups = names.attribute(name, "param_groups"), in_state = names.attribute(name, "state");
    py::dict attributes = optimizer.attr("__dict__");
    guards_.watch_variable(attributes, py::str("param_groups"), in_groups);
    guards_.watch_variable(attributes, py::str("state"), in_state);
    py::list groups = attributes["param_groups"];
    guards_.watch(groups, in_groups);
    for (py::handle group : groups) {
      guards_.watch(py::reinterpret_borrow<py::object>(group), in_groups, true);
      py::object parameters = group["params"];
      guards_.watch(parameters, in_groups);
      for (py::handle p : parameters) guards_.watch_tensor(py::reinterpret_borrow<py::object>(p));
    }
    py::dict state = attributes["state"];
    guards_.watch(state, in_state);
    for (auto [parameter, of_it] : state) {
      guards_.watch(py::reinterpret_borrow<py::object>(of_it), in_state);
      for (auto [key, value] : py::reinterpret_borrow<py::dict>(of_it))
        if (is_tensor(value.ptr())) guards_.watch_tensor(py::reinterpret_borrow<py::object>(value));
    }
  }
}

std::vector<std::pair<py::object, py::object>> Reach::slots() const {
  std::vector<std::pair<py::object, py::object>> all;
  for (const auto& [optimizer, before] : optimizers_) {
    py::object norm = optimizer.attr("grad_norm");
    if (!norm.is_none() && !norm.is(before)) all.emplace_back(optimizer.attr("__dict__"), py::str("grad_norm"));
  }
  return all;
}

}  // namespace weft
