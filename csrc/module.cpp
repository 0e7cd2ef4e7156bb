// The extension module weft._core: one line per operation.
#include "tensor/python.h"

namespace weft {

#define WEFT_BINDINGS(BIND)  \
  BIND(activation)           \
  BIND(arg_reduce)           \
  BIND(attention)            \
  BIND(autocast)             \
  BIND(batch_norm)           \
  BIND(cat)                  \
  BIND(clamp)                \
  BIND(comparison)           \
  BIND(conv)                 \
  BIND(copy)                 \
  BIND(creation)             \
  BIND(cross_entropy)        \
  BIND(csr)                  \
  BIND(ctc_loss)             \
  BIND(distance)             \
  BIND(dropout)              \
  BIND(embedding)            \
  BIND(gather)               \
  BIND(grid_sample)          \
  BIND(group_norm)           \
  BIND(index)                \
  BIND(interpolate)          \
  BIND(layer_norm)           \
  BIND(linear)               \
  BIND(linear_cross_entropy) \
  BIND(linear_scan)          \
  BIND(losses)               \
  BIND(matmul)               \
  BIND(optimizer)            \
  BIND(plan)                 \
  BIND(pointwise)            \
  BIND(pointwise_ternary)    \
  BIND(pool)                 \
  BIND(probe)                \
  BIND(random)               \
  BIND(reduce)               \
  BIND(rnn)                  \
  BIND(scan)                 \
  BIND(search)               \
  BIND(segment)              \
  BIND(softmax)              \
  BIND(sort)                 \
  BIND(sparse)               \
  BIND(split)                \
  BIND(strided_view)         \
  BIND(unfold)               \
  BIND(variance)             \
  BIND(view)                 \
  BIND(view_inplace)         \
  BIND(view_scatter)

#define BIND(name) void bind_##name(py::module_& m);
WEFT_BINDINGS(BIND)
#undef BIND

void bind_runtime(py::module_& m);  // csrc/tensor/runtime.cpp: errors, threads, memory, instruction sets
void bind_tensor(py::module_& m);   // csrc/tensor/python.cpp: the Tensor type, dtypes, devices
void bind_trace(py::module_& m);    // csrc/tensor/trace.cpp: which kernels a call launches
void bind_devices(py::module_& m);  // csrc/tensor/devices.cpp: CUDA arrays, the tables that weft._cuda fills
void bind_dlpack(py::module_& m);   // csrc/tensor/dlpack.cpp

}  // namespace weft

PYBIND11_MODULE(_core, m) {
  using namespace weft;
  bind_runtime(m);
  bind_tensor(m);
  bind_devices(m);
  bind_trace(m);
  bind_dlpack(m);
#define BIND(name) bind_##name(m);
  WEFT_BINDINGS(BIND)
#undef BIND
}
