// What stands between the brackets of x[...], read from Python.
#pragma once

#include "tensor/python.h"

namespace weft {

Tensor get_item(const Tensor& x, PyObject* key);
void set_item(const Tensor& x, PyObject* key, PyObject* value);

}  // namespace weft
