// The CUDA runtime as the core sees it (DeviceRuntime) and as kernels see it (the current stream).
// The driver is opened by the static runtime library on the first call: importing weft._cuda makes no call.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/device.h"

namespace weft::cuda {

// Empty when a GPU can be used, else a sentence.
std::string why_not();
int device_count();  // 0 when why_not() has something to say

// The calling thread's stream on a device: the default stream, as CuPy's and PyTorch's, until it is set.
cudaStream_t current_stream();  // on the device of the launch that is under way
cudaStream_t stream_of(int device);
void set_stream(int device, cudaStream_t stream);
bool order(int device, cudaStream_t before,
           cudaStream_t after);  // work on `after` waits for that on `before`, not the host

int multiprocessors();  // of the current device

struct MemoryUse {
  int64_t in_use, peak, reserved;
};
MemoryUse memory_use(int device);  // ours; `reserved` is the pool's, which others (CuPy) may share
void reset_peak_memory(int device);
void empty_cache(int device);

DeviceRuntime device_functions();

// False on a failure, which error() then tells: "[cuda:0] cudaMallocAsync failed: out of memory …".
bool succeeded(cudaError_t result, const char* call, int device);
const char* error();

// Makes a device current for a scope and gives back the one that the caller had.
class OnDevice {
 public:
  explicit OnDevice(int device);
  ~OnDevice();
  OnDevice(const OnDevice&) = delete;
  explicit operator bool() const { return ok_; }

 private:
  int before_ = -1;
  bool ok_ = false;
};

}  // namespace weft::cuda
