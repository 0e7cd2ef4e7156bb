// The emulated device as a core sees it. For tests, which load this library by ctypes and hand it the core's tables.
#include <cstring>
#include <string>

#include "base/device.h"
#include "emulation/memory.h"
#include "emulation/scheduler.h"
#include "fill.h"

namespace weft::cuda {

int multiprocessors() { return 2; }

}  // namespace weft::cuda

namespace weft::emulation {
namespace {

thread_local std::string last_error;

bool refuse(const char* why) {
  last_error = std::string("[cuda:0] emulation: ") + why;
  return false;
}
bool refused_while_capturing(const char* what) {
  if (!capturing()) return false;
  spoil_capture();
  refuse(what);
  return true;
}
bool copy(void* dst, const void* src, size_t bytes, bool to_device, bool from_device) {
  if (bytes == 0) return true;
  if (refused_while_capturing("a copy while a graph is captured")) return false;
  if (contains(dst) != to_device || contains(src) != from_device)
    return refuse("a copy between the wrong kinds of memory");
  DeviceMemoryOpen open;
  std::memcpy(dst, src, bytes);
  return true;
}

DeviceRuntime device_functions() {
  DeviceRuntime r;
  r.allocate = [](size_t bytes, int) -> void* {
    if (refused_while_capturing("an allocation while a graph is captured")) return nullptr;
    void* p = emulation::allocate(bytes);
    if (!p) refuse("out of memory");
    return p;
  };
  r.release = [](void* p, size_t bytes, int) { emulation::release(p, bytes); };
  r.copy_from_host = [](void* d, const void* s, size_t n, int) { return copy(d, s, n, true, false); };
  r.copy_to_host = [](void* d, const void* s, size_t n, int) { return copy(d, s, n, false, true); };
  r.copy_within = [](void* d, const void* s, size_t n, int) { return copy(d, s, n, true, true); };
  r.synchronize = [](int) { return !refused_while_capturing("waiting while a graph is captured"); };
  r.before_launch = [](int device) { return device == 0 || refuse("there is one device"); };
  r.after_launch = [](int) {
    if (!failure()) return true;
    refuse(failure());
    clear_failure();
    return false;
  };
  r.stream = [](int) -> void* { return nullptr; };
  r.begin_capture = [](int) {
    if (refused_while_capturing("a capture while a graph is captured")) return false;
    begin_capture();
    return true;
  };
  r.end_capture = [](int) {
    void* graph = end_capture();
    if (!graph) refuse("the capture failed");
    return graph;
  };
  r.launch_graph = [](void* graph, int device) {
    launch_graph(graph);
    return device_functions().after_launch(device);
  };
  r.release_graph = [](void* graph, int) { release_graph(graph); };
  r.device_count = [] { return 1; };
  r.error = [] { return last_error.c_str(); };
  return r;
}

}  // namespace
}  // namespace weft::emulation

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT size_t weft_emulation_kernels_size() { return sizeof(weft::Kernels); }
EXPORT size_t weft_emulation_runtime_size() { return sizeof(weft::DeviceRuntime); }
EXPORT void weft_emulation_install(weft::Kernels* kernels, weft::DeviceRuntime* runtime) {
  weft::cuda::fill_table(*kernels);
  *runtime = weft::emulation::device_functions();
}
// Tensors and plans that are still alive keep a way to give back what they have.
EXPORT void weft_emulation_uninstall(weft::Kernels* kernels, weft::DeviceRuntime* runtime) {
  auto release = runtime->release;
  auto release_graph = runtime->release_graph;
  *kernels = {};
  *runtime = {};
  runtime->release = release;
  runtime->release_graph = release_graph;
}
EXPORT void weft_emulation_set_schedule(int schedule, uint64_t seed) { weft::emulation::set_schedule(schedule, seed); }
EXPORT int64_t weft_emulation_bytes_in_use() { return weft::emulation::bytes_in_use(); }
EXPORT void weft_emulation_let_captures_fail(bool on) { weft::emulation::let_captures_fail(on); }
EXPORT int64_t weft_emulation_graphs_alive() { return weft::emulation::graphs_alive(); }
EXPORT int64_t weft_emulation_graph_launches() { return weft::emulation::graph_launches(); }
// What went wrong outside of a launch (a buffer overrun found when it was freed), once; else null.
EXPORT const char* weft_emulation_take_failure() {
  static std::string text;
  if (!weft::emulation::failure()) return nullptr;
  text = weft::emulation::failure();
  weft::emulation::clear_failure();
  return text.c_str();
}
