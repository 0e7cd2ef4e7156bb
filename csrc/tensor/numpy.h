// NumPy arrays across the border.
#pragma once

#include <pybind11/pybind11.h>

#include <optional>

#include "tensor/tensor.h"

namespace weft {

// From an array, a NumPy scalar, a number or nested sequences. Without `copy`, memory is shared where it can be.
// Floating data without a NumPy dtype of its own becomes `float_dtype`.
Tensor tensor_from_python(pybind11::object data, std::optional<DType> dtype, DType float_dtype, bool copy);
pybind11::object numpy_from(const Tensor& x, bool force);
pybind11::object numpy_dtype(DType d);  // TypeError for bfloat16
// The buffer protocol: memoryview(tensor). BufferError where the memory cannot be shared as wanted.
int fill_buffer(const Tensor& x, PyObject* self, Py_buffer* view, int flags);
void release_buffer(Py_buffer* view);
std::optional<DType> dtype_from_numpy(pybind11::handle dtype);  // a numpy.dtype

}  // namespace weft
