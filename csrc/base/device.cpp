#include "base/device.h"

#include <cstring>

#include "base/allocator.h"
#include "base/error.h"

namespace weft {

std::string to_string(Device d) { return d.is_cpu() ? "cpu" : "cuda:" + std::to_string((int)d.index); }

Device parse_device(const std::string& text) {
  if (text == "cpu" || text == "cpu:0") return {};
  if (text == "cuda") return {DeviceKind::CUDA, 0};
  const char* digits = text.compare(0, 5, "cuda:") == 0 ? text.c_str() + 5 : "";
  size_t length = strlen(digits);
  bool number = length >= 1 && length <= 3 && strspn(digits, "0123456789") == length;
  int index = number ? std::stoi(digits) : -1;
  WEFT_CHECK(index >= 0 && index <= 127, Value, "[device] expected 'cpu', 'cuda' or 'cuda:N', got '", text, "'");
  return {DeviceKind::CUDA, (int8_t)index};
}

namespace {

bool copy(void* dst, const void* src, size_t bytes, int) {
  if (bytes) memcpy(dst, src, bytes);
  return true;
}

DeviceRuntime cpu_runtime() {
  DeviceRuntime r;
  r.allocate = [](size_t bytes, int) { return allocate_cpu(bytes); };
  r.release = [](void* p, size_t bytes, int) { release_cpu(p, bytes); };
  r.copy_from_host = r.copy_to_host = r.copy_within = copy;
  r.synchronize = [](int) { return true; };
  r.after_launch = [](int) { return true; };
  r.stream = [](int) -> void* { return nullptr; };
  r.device_count = [] { return 1; };
  r.error = [] { return ""; };
  return r;
}

}  // namespace

DeviceRuntime& device_runtime(DeviceKind kind) {
  static DeviceRuntime table[kDeviceKinds] = {cpu_runtime(), {}};
  return table[(int)kind];
}

}  // namespace weft
