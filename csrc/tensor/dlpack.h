// Tensors across the border to other libraries by DLPack (dmlc.github.io/dlpack, version 1): memory is shared.
#pragma once

#include "tensor/python.h"

namespace weft {

struct DLDevice {
  int32_t type, index;
};

// A capsule over x's memory: of version 1 if `versioned`, else of the form before versions. BufferError where x cannot
// be shared.
py::capsule dlpack_export(const Tensor& x, bool versioned, bool copied);
// Takes over the tensor in a capsule of either form, which is then used up. `copied`: whether its maker says that it is
// a copy.
Tensor dlpack_import(py::handle capsule, bool* copied = nullptr);

DLDevice dlpack_device(const Tensor& x);

void bind_dlpack(py::module_& m);

}  // namespace weft
