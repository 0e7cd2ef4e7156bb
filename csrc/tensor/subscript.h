// What stands between the brackets of x[...], read from Python.
#pragma once

#include "tensor/python.h"

namespace weft {

Tensor get_item(const Tensor& x, PyObject* key);
void set_item(const Tensor& x, PyObject* key, PyObject* value);
// x[indices] = values, or +=, in place or in a copy; None among the indices means a whole dimension.
Tensor put_item(const Tensor& x, const py::sequence& indices, const Tensor& values, bool accumulate, bool inplace);

}  // namespace weft
