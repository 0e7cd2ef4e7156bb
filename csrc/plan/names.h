// What things in reach of a function are called, such as "model._modules[head].weight". Thousands are named, and hardly
// ever one of them is told: a name is kept as its place in another.
#pragma once

#include <string>
#include <vector>

#include "tensor/python.h"

namespace weft {

class Names {
 public:
  static constexpr int kNone = -1;

  int argument(size_t i) { return add({kNone, "argument ", {}, (Py_ssize_t)i}); }
  int plain(const char* text) { return add({kNone, text, {}, -1}); }  // it has to live on
  int plain(PyObject* text) { return add({kNone, "", borrow(text), -1}); }
  int attribute(int of, PyObject* key) { return add({of, ".", borrow(key), -1}); }
  int item(int of, PyObject* key) { return add({of, "[", borrow(key), -1}); }
  int item(int of, size_t i) { return add({of, "[", {}, (Py_ssize_t)i}); }

  std::string text(int name) const {
    if (name == kNone) return {};
    const Name& n = names_[(size_t)name];
    std::string own = n.key ? (std::string)py::str(n.key) : n.index >= 0 ? std::to_string(n.index) : "";
    if (n.in == kNone) return n.text + own;
    return text(n.in) + n.text + own + (n.text[0] == '[' ? "]" : "");
  }

  template <class F>
  void visit(F f) const {
    for (const Name& n : names_) f(n.key);
  }

 private:
  struct Name {
    int in;
    const char* text;
    py::object key;
    Py_ssize_t index;
  };
  static py::object borrow(PyObject* o) { return py::reinterpret_borrow<py::object>(o); }
  int add(Name n) {
    if (names_.empty()) names_.reserve(256);
    names_.push_back(std::move(n));
    return (int)names_.size() - 1;
  }
  std::vector<Name> names_;
};

}  // namespace weft
