// Devices, and the table of memory functions that a device's module fills when it is loaded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace weft {

enum class DeviceKind : uint8_t { CPU, CUDA };
constexpr int kDeviceKinds = 2;

struct Device {
  DeviceKind kind = DeviceKind::CPU;
  int8_t index = 0;
  bool operator==(const Device& o) const { return kind == o.kind && index == o.index; }
  bool operator!=(const Device& o) const { return !(*this == o); }
  bool is_cpu() const { return kind == DeviceKind::CPU; }
  bool is_cuda() const { return kind == DeviceKind::CUDA; }
};

std::string to_string(Device d);               // "cpu", "cuda:0"
Device parse_device(const std::string& text);  // ValueError on anything else

// Functions a device offers to the tensor floor. Plain pointers, so that a second extension module
// (_cuda) can fill them without linking against the core. They throw weft::Error... in the core's
// sense only through `error`: on failure they return false / nullptr and leave a sentence there.
struct DeviceRuntime {
  void* (*allocate)(size_t bytes, int index) = nullptr;  // nullptr when out of memory
  void (*release)(void* p, size_t bytes, int index) = nullptr;
  bool (*copy_from_host)(void* dst, const void* host, size_t bytes, int index) = nullptr;
  bool (*copy_to_host)(void* host, const void* src, size_t bytes, int index) = nullptr;
  bool (*copy_within)(void* dst, const void* src, size_t bytes, int index) = nullptr;
  bool (*synchronize)(int index) = nullptr;
  bool (*before_launch)(int index) = nullptr;  // makes the device current
  bool (*after_launch)(int index) = nullptr;   // undoes that; false on a launch error
  void* (*stream)(int index) = nullptr;        // current stream, for interop
  // Launches of this thread from begin to end are kept as a graph instead of run; it may then do nothing else there.
  bool (*begin_capture)(int index) = nullptr;
  void* (*end_capture)(int index) = nullptr;  // nullptr: could not be captured
  bool (*launch_graph)(void* graph, int index) = nullptr;
  void (*release_graph)(void* graph, int index) = nullptr;
  int (*device_count)() = nullptr;
  const char* (*error)() = nullptr;  // last failure on this thread
};
DeviceRuntime& device_runtime(DeviceKind kind);

}  // namespace weft
