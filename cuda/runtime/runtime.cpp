#include "runtime/runtime.h"

#include <pthread.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <utility>

namespace weft::cuda {
namespace {

constexpr int kMaxDevices = 16;
constexpr int kOldestCapability = 80;

struct DeviceState {
  std::once_flag once;
  cudaMemPool_t pool = nullptr;  // null: the device has no pools, plain cudaMalloc then
  int multiprocessors = 1;
  std::atomic<int64_t> in_use{0}, peak{0};
};
DeviceState states[kMaxDevices];

thread_local std::string last_error;
thread_local cudaStream_t streams[kMaxDevices];
thread_local int launching_on = 0;
thread_local int device_before = -1;
thread_local cudaStream_t capturing = nullptr;  // the stream of a graph that this thread captures

// A process that was forked after CUDA was used has a context that belongs to its parent.
std::atomic<bool> used{false}, forked{false};
constexpr const char* kForked =
    "CUDA was in use when this process was forked, and a forked child cannot use it; start workers with the 'spawn' "
    "method";

void remember_use() {
  if (!used.exchange(true)) pthread_atfork(nullptr, nullptr, [] { forked = true; });
}

bool refuse(int device, const std::string& why) {
  last_error = "[cuda:" + std::to_string(device) + "] " + why;
  return false;
}

DeviceState& state_of(int device) {
  DeviceState& s = states[device];
  std::call_once(s.once, [&] {
    int pools = 0;
    cudaDeviceGetAttribute(&s.multiprocessors, cudaDevAttrMultiProcessorCount, device);
    cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, device);
    if (pools && cudaDeviceGetDefaultMemPool(&s.pool, device) == cudaSuccess) {
      // Freed memory stays in the pool for the next allocation instead of going back at every synchronisation.
      uint64_t keep = UINT64_MAX;
      cudaMemPoolSetAttribute(s.pool, cudaMemPoolAttrReleaseThreshold, &keep);
    }
    cudaGetLastError();
  });
  return s;
}

// A copy would be a part of the graph, an allocation would be its alone; neither is done now.
bool refused_while_capturing(const char* what, int device) {
  return capturing && !refuse(device, std::string(what) + " while a graph is captured");
}

void* allocate(size_t bytes, int device) {
  OnDevice on(device);
  if (!on || refused_while_capturing("an allocation", device)) return nullptr;
  DeviceState& s = state_of(device);
  void* p = nullptr;
  size_t size = bytes ? bytes : 1;
  cudaError_t e = s.pool ? cudaMallocAsync(&p, size, stream_of(device)) : cudaMalloc(&p, size);
  if (!succeeded(e, s.pool ? "cudaMallocAsync" : "cudaMalloc", device)) {
    size_t free = 0, total = 0;
    if (e == cudaErrorMemoryAllocation && cudaMemGetInfo(&free, &total) == cudaSuccess)
      last_error += "; " + std::to_string(bytes) + " bytes wanted, " + std::to_string(free) + " of " +
                    std::to_string(total) + " free";
    return nullptr;
  }
  int64_t now = s.in_use += (int64_t)bytes, peak = s.peak;
  while (now > peak && !s.peak.compare_exchange_weak(peak, now)) {}
  return p;
}

// At interpreter exit, or in a forked child, there may be no context left to free in: nothing to report then.
void release(void* p, size_t bytes, int device) {
  OnDevice on(device);
  if (!on) return;
  DeviceState& s = state_of(device);
  s.in_use -= (int64_t)bytes;
  if ((s.pool ? cudaFreeAsync(p, stream_of(device)) : cudaFree(p)) != cudaSuccess) cudaGetLastError();
}

// Copies from pageable memory return when the host's bytes have been read; pinned memory has to be waited for.
bool copy_from_host(void* dst, const void* host, size_t bytes, int device) {
  OnDevice on(device);
  if (!on || refused_while_capturing("a copy", device)) return false;
  cudaStream_t stream = stream_of(device);
  if (!succeeded(cudaMemcpyAsync(dst, host, bytes, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync", device))
    return false;
  cudaPointerAttributes attributes{};
  bool pageable =
      cudaPointerGetAttributes(&attributes, host) == cudaSuccess && attributes.type == cudaMemoryTypeUnregistered;
  return pageable || succeeded(cudaStreamSynchronize(stream), "cudaStreamSynchronize", device);
}
bool copy_to_host(void* host, const void* src, size_t bytes, int device) {
  OnDevice on(device);
  if (!on || refused_while_capturing("a copy", device)) return false;
  cudaStream_t stream = stream_of(device);
  return succeeded(cudaMemcpyAsync(host, src, bytes, cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync", device) &&
         succeeded(cudaStreamSynchronize(stream), "cudaStreamSynchronize", device);
}
bool copy_within(void* dst, const void* src, size_t bytes, int device) {
  OnDevice on(device);
  return on && !refused_while_capturing("a copy", device) &&
         succeeded(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, stream_of(device)), "cudaMemcpyAsync",
                   device);
}
bool synchronize(int device) {
  OnDevice on(device);
  return on && succeeded(cudaDeviceSynchronize(), "cudaDeviceSynchronize", device);
}

bool enter(int device, int* before) {
  if (forked) return refuse(device, kForked);
  if (device < 0 || device >= kMaxDevices) return refuse(device, "no such device");
  int now = -1;
  if (!succeeded(cudaGetDevice(&now), "cudaGetDevice", device)) return false;
  if (now != device) {
    if (!succeeded(cudaSetDevice(device), "cudaSetDevice", device)) return false;
    *before = now;
  }
  remember_use();
  return true;
}
bool before_launch(int device) {
  launching_on = device;
  device_before = -1;
  return enter(device, &device_before);
}
bool after_launch(int device) {
  bool ok = succeeded(cudaGetLastError(), "a kernel launch", device);
  if (device_before >= 0) cudaSetDevice(device_before);
  return ok;
}

// The default stream cannot be captured, so that launches go to one of the capture's own meanwhile. It is not ordered
// with the default stream, and the mode leaves other threads alone.
bool begin_capture(int device) {
  OnDevice on(device);
  if (!on || refused_while_capturing("another capture", device)) return false;
  cudaStream_t s = nullptr;
  if (!succeeded(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), "cudaStreamCreateWithFlags", device))
    return false;
  if (succeeded(cudaStreamBeginCapture(s, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture", device)) {
    capturing = s;
    return true;
  }
  cudaStreamDestroy(s);
  return false;
}
void* end_capture(int device) {
  OnDevice on(device);
  cudaStream_t s = std::exchange(capturing, nullptr);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  bool ok = on && succeeded(cudaStreamEndCapture(s, &graph), "cudaStreamEndCapture", device) &&
            succeeded(cudaGraphInstantiateWithFlags(&exec, graph, 0), "cudaGraphInstantiateWithFlags", device);
  if (graph) cudaGraphDestroy(graph);
  cudaStreamDestroy(s);
  return ok ? exec : nullptr;
}
bool launch_graph(void* graph, int device) {
  OnDevice on(device);
  return on &&
         succeeded(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream_of(device)), "cudaGraphLaunch", device);
}
// One that is still at work is freed when it is done.
void release_graph(void* graph, int device) {
  OnDevice on(device);
  if (on && cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)) != cudaSuccess) cudaGetLastError();
}

}  // namespace

OnDevice::OnDevice(int device) { ok_ = enter(device, &before_); }
OnDevice::~OnDevice() {
  if (before_ >= 0) cudaSetDevice(before_);
}

bool succeeded(cudaError_t result, const char* call, int device) {
  if (result == cudaSuccess) return true;
  cudaGetLastError();  // so that it is not reported again by the next call
  return refuse(device,
                std::string(call) + " failed: " + cudaGetErrorString(result) + " (" + cudaGetErrorName(result) + ")");
}
const char* error() { return last_error.c_str(); }

std::string why_not() {
  if (forked) return kForked;
  int count = 0;
  cudaError_t e = cudaGetDeviceCount(&count);
  if (e == cudaErrorInsufficientDriver) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    cudaGetLastError();
    if (driver == 0) return "no NVIDIA driver was found (libcuda.so.1)";
    char text[160];
    snprintf(text, sizeof text, "the NVIDIA driver is too old: it supports CUDA %d.%d, this build needs %d.%d",
             driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
    return text;
  }
  if (e == cudaErrorNoDevice || (e == cudaSuccess && count == 0)) {
    cudaGetLastError();
    return "the driver shows no CUDA device (is CUDA_VISIBLE_DEVICES empty?)";
  }
  if (!succeeded(e, "cudaGetDeviceCount", 0)) return last_error;
  remember_use();
  int major = 0, minor = 0;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0);
  if (major * 10 + minor < kOldestCapability) {
    char text[160];
    snprintf(text, sizeof text, "the GPU has compute capability %d.%d, this build needs %d.%d or newer", major, minor,
             kOldestCapability / 10, kOldestCapability % 10);
    return text;
  }
  return "";
}

int device_count() {
  int count = 0;
  return why_not().empty() && cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

cudaStream_t current_stream() { return capturing ? capturing : streams[launching_on]; }
cudaStream_t stream_of(int device) { return streams[device]; }
void set_stream(int device, cudaStream_t stream) { streams[device] = stream; }

bool order(int device, cudaStream_t before, cudaStream_t after) {
  if (before == after) return true;
  OnDevice on(device);
  if (!on) return false;
  cudaEvent_t event;
  if (!succeeded(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags", device))
    return false;
  bool ok = succeeded(cudaEventRecord(event, before), "cudaEventRecord", device) &&
            succeeded(cudaStreamWaitEvent(after, event, 0), "cudaStreamWaitEvent", device);
  cudaEventDestroy(event);
  return ok;
}

int multiprocessors() { return state_of(launching_on).multiprocessors; }

MemoryUse memory_use(int device) {
  OnDevice on(device);
  if (!on) return {};
  DeviceState& s = state_of(device);
  uint64_t reserved = (uint64_t)s.in_use;
  if (s.pool) cudaMemPoolGetAttribute(s.pool, cudaMemPoolAttrReservedMemCurrent, &reserved);
  return {s.in_use, s.peak, (int64_t)reserved};
}
void reset_peak_memory(int device) {
  OnDevice on(device);
  if (on) states[device].peak = states[device].in_use.load();
}
void empty_cache(int device) {
  OnDevice on(device);
  if (!on) return;
  cudaDeviceSynchronize();
  if (state_of(device).pool) cudaMemPoolTrimTo(state_of(device).pool, 0);
}

DeviceRuntime device_functions() {
  DeviceRuntime r;
  r.allocate = allocate;
  r.release = release;
  r.copy_from_host = copy_from_host;
  r.copy_to_host = copy_to_host;
  r.copy_within = copy_within;
  r.synchronize = synchronize;
  r.before_launch = before_launch;
  r.after_launch = after_launch;
  r.stream = [](int device) -> void* { return stream_of(device); };
  r.begin_capture = begin_capture;
  r.end_capture = end_capture;
  r.launch_graph = launch_graph;
  r.release_graph = release_graph;
  r.device_count = device_count;
  r.error = error;
  return r;
}

}  // namespace weft::cuda
