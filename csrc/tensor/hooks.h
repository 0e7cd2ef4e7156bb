// The tape as Python sees it: nodes, hooks, operations written in Python.
#pragma once

#include "tensor/python.h"

namespace weft {

py::object node_object(const Ref<Node>& node);
std::shared_ptr<py::object> shared_callable(py::object f);  // C++ may keep and drop it without the GIL

}  // namespace weft
