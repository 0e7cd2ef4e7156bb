// Private to the benchmarks: the machine's arithmetic and memory limits, measured by kernels/probe.
#include "kernels/probe.h"

#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

const ProbeKernels& probe(Device device = {}) { return kernels<ProbeKernels>(device); }

void check_floats(const Tensor& t, Device device) {
  WEFT_CHECK(t.dtype() == DType::Float32 && t.is_contiguous() && t.device() == device, Value,
             "[probe] expected contiguous float32 tensors on one device");
}

int64_t probe_fma(int64_t rounds, int64_t pieces) {
  WEFT_CHECK(rounds >= 0 && pieces > 0, Value, "[probe] expected rounds >= 0 and pieces > 0");
  Tensor sink = Tensor::empty({pieces}, DType::Float32);
  launch("probe", Device{}, probe().fma, ProbeFma{sink.ptr<float>(), rounds, pieces}, 1e9);
  return probe().fma_flops * rounds * pieces;
}

int64_t probe_stream(const Tensor& y, const Tensor& x, const std::optional<Tensor>& z, bool past) {
  check_floats(y, y.device()), check_floats(x, y.device());
  if (z) check_floats(*z, y.device());
  int64_t n = y.numel();
  WEFT_CHECK(x.numel() == n && (!z || z->numel() == n), Value, "[probe] expected tensors of one size");
  WEFT_CHECK(!past || (n % 16 == 0 && y.device().is_cpu()), Value, "[probe] expected a whole number of vectors");
  launch("probe", y.device(), probe(y.device()).stream,
         ProbeStream{y.ptr<float>(), x.ptr<float>(), z ? z->ptr<float>() : nullptr, n, past}, 1e9);
  return n * (z ? 12 : 8);
}

int64_t probe_read(const Tensor& x) {
  check_floats(x, x.device());
  Tensor sink = Tensor::empty({x.numel() / kProbeGrain + 1}, DType::Float32);
  launch("probe", x.device(), probe(x.device()).read, ProbeRead{sink.ptr<float>(), x.ptr<float>(), x.numel()}, 1e9);
  return x.numel() * 4;
}

}  // namespace

void bind_probe(py::module_& m) {
  m.def("_probe_fma", probe_fma, py::arg("rounds"), py::arg("pieces"),
        "Multiply-adds in registers; returns operations.");
  m.def("_probe_stream", probe_stream, py::arg("y"), py::arg("x"), py::arg("z") = py::none(), py::arg("past") = false,
        "y = x, or y = x + 3 z, also with stores past the caches; returns bytes moved.");
  m.def("_probe_read", probe_read, py::arg("x"), "Reads x; returns bytes read.");
}

}  // namespace weft
