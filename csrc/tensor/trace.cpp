// Which kernels a call launches, by stem, and how long each took: for the table of operations, tests and the profile of
// benchmarks.
#include "tensor/trace.h"

#include <chrono>
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

using Clock = std::chrono::steady_clock;

class Trace final : public Recorder {
 public:
  struct Launch {
    std::string operation;
    const char* stem;
    double seconds;
  };

  Trace() {
    WEFT_CHECK(!current_recorder(), Runtime, "[trace] this thread is recording already");
    current_recorder() = current = this;
    ++active_recorders;
  }
  ~Trace() override {
    current_recorder() = current = nullptr;
    --active_recorders;
  }
  bool replays() const override { return false; }
  void launched(const char* name, Device device, void (*kernel)(const void*), const void*, size_t, double) override {
    launches.push_back({name, stem_of(device, kernel), 0});
    start = Clock::now();
  }
  void finished() { launches.back().seconds = std::chrono::duration<double>(Clock::now() - start).count(); }

  std::vector<Launch> launches;
  static thread_local Trace* current;

 private:
  Clock::time_point start;
};
thread_local Trace* Trace::current = nullptr;

}  // namespace

void trace_finished() {
  if (Trace::current && !Trace::current->launches.empty()) Trace::current->finished();
}

void bind_trace(py::module_& m) {
  m.def("_trace_kernels", [](const py::function& f) {
    Trace trace;
    f();
    std::vector<const char*> stems;
    for (const auto& launch : trace.launches) stems.push_back(launch.stem);
    return stems;
  });
  m.def("_time_kernels", [](const py::function& f) {
    Trace trace;
    f();
    py::list list;
    for (const auto& launch : trace.launches)
      list.append(py::make_tuple(launch.operation, launch.stem, launch.seconds));
    return list;
  });
}

}  // namespace weft
