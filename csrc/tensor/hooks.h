// The tape as Python sees it: nodes, hooks, operations written in Python.
#pragma once

#include "tensor/python.h"

namespace weft {

py::object node_object(const Ref<Node>& node);

}  // namespace weft
