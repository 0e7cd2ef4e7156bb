// Which kernels a call launches, by stem: for the table of operations and for tests.
#include <string>
#include <vector>

#include "kernels/table.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

// The stem whose kernels have this one among them; the function tables are plain structs of pointers.
const char* stem_of(Device device, void (*kernel)(const void*)) {
  using Function = void (*)(const void*);
  const Kernels& all = kernel_table((int)device.kind);
#define STEM(Type, name)                                       \
  for (size_t i = 0; i < sizeof(Type) / sizeof(Function); ++i) \
    if (reinterpret_cast<const Function*>(&all.name)[i] == kernel) return #name;
  WEFT_STEMS(STEM)
#undef STEM
  return "?";
}

class Trace final : public Recorder {
 public:
  Trace() {
    WEFT_CHECK(!current_recorder(), Runtime, "[trace] this thread is recording already");
    current_recorder() = this;
    ++active_recorders;
  }
  ~Trace() override {
    current_recorder() = nullptr;
    --active_recorders;
  }
  void launched(const char*, Device device, void (*kernel)(const void*), const void*, size_t) override {
    stems.push_back(stem_of(device, kernel));
  }
  void used(Storage&) override {}
  void read_by_host(const char*) override {}

  std::vector<std::string> stems;
};

}  // namespace

void bind_trace(py::module_& m) {
  m.def("_trace_kernels", [](const py::function& f) {
    Trace trace;
    f();
    return trace.stems;
  });
}

}  // namespace weft
