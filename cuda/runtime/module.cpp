// The extension module weft._cuda. It links neither the core nor the driver: install() fills the tables of a core that
// it is handed.
#include <pybind11/pybind11.h>

#include "fill.h"
#include "runtime/runtime.h"

namespace py = pybind11;

namespace weft::cuda {
namespace {

template <class T>
T* unpack(py::handle capsule, const char* name) {
  void* p = PyCapsule_GetPointer(capsule.ptr(), name);
  if (!p) throw py::error_already_set();
  if ((size_t)PyCapsule_GetContext(capsule.ptr()) != sizeof(T))
    throw py::import_error("weft._cuda and weft._core come from different builds; reinstall weft");
  return static_cast<T*>(p);
}

void install(py::handle kernels, py::handle runtime) {
  auto* table = unpack<Kernels>(kernels, "weft.Kernels");
  auto* functions = unpack<DeviceRuntime>(runtime, "weft.DeviceRuntime");
  fill_table(*table);
  *functions = device_functions();
}

void check(bool ok) {
  if (!ok) throw std::runtime_error(error());
}
cudaStream_t stream_at(uintptr_t pointer) { return reinterpret_cast<cudaStream_t>(pointer); }

cudaDeviceProp properties(int device) {
  cudaDeviceProp p;
  check(succeeded(cudaGetDeviceProperties(&p, device), "cudaGetDeviceProperties", device));
  return p;
}

}  // namespace
}  // namespace weft::cuda

PYBIND11_MODULE(_cuda, m) {
  using namespace weft::cuda;
  using release_gil = py::call_guard<py::gil_scoped_release>;
  m.attr("version") = CUDART_VERSION;
  m.def("install", &install, py::arg("kernels"), py::arg("runtime"));
  m.def("why_not", &why_not);
  m.def("device_count", &device_count);
  m.def("properties", [](int device) {
    cudaDeviceProp p = properties(device);
    py::dict d;
    d["name"] = p.name;
    d["capability"] = py::make_tuple(p.major, p.minor);
    d["total_memory"] = p.totalGlobalMem;
    d["multiprocessors"] = p.multiProcessorCount;
    return d;
  });
  m.def("synchronize", [](int device) { check(device_functions().synchronize(device)); }, release_gil());
  m.def(
      "synchronize_stream",
      [](int device, uintptr_t stream) {
        OnDevice on(device);
        check((bool)on && succeeded(cudaStreamSynchronize(stream_at(stream)), "cudaStreamSynchronize", device));
      },
      release_gil());
  m.def("stream", [](int device) { return reinterpret_cast<uintptr_t>(stream_of(device)); });
  m.def("set_stream", [](int device, uintptr_t stream) { set_stream(device, stream_at(stream)); });
  m.def("order", [](int device, uintptr_t before, uintptr_t after) {
    check(order(device, stream_at(before), stream_at(after)));
  });
  m.def("create_stream", [](int device) {
    OnDevice on(device);
    cudaStream_t s;
    check((bool)on && succeeded(cudaStreamCreate(&s), "cudaStreamCreate", device));
    return reinterpret_cast<uintptr_t>(s);
  });
  m.def("destroy_stream", [](int device, uintptr_t stream) {
    OnDevice on(device);
    if (on) cudaStreamDestroy(stream_at(stream));
  });
  m.def("memory_use", [](int device) {
    MemoryUse u = memory_use(device);
    return py::make_tuple(u.in_use, u.peak, u.reserved);
  });
  m.def("reset_peak_memory", &reset_peak_memory);
  m.def("empty_cache", &empty_cache, release_gil());
}
