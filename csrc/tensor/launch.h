// The choke point between operations and kernels: every launch passes here.
#pragma once

#include "base/device.h"
#include "base/error.h"
#include "base/threads.h"
#include "tensor/recorder.h"
#include "tensor/tensor.h"

namespace weft {

// A stem's kernels for a device: kernels<SoftmaxKernels>(device).forward. Fields are null where that device has no such
// kernel.
template <class Stem>
const Stem& kernels(Device d);

// Frees the GIL for as long as it lives, if this thread holds it and the work is worth it (set by the binding).
struct WithoutGil {
  explicit WithoutGil(bool worth_it);
  ~WithoutGil();
  void* state = nullptr;
};
extern void* (*gil_release)();
extern void (*gil_restore)(void*);
extern void (*raise_interrupted)();  // set by the binding: throws what the signal handler raised

void before_launch(const char* name, Device device, bool has_kernel);
void after_launch(const char* name, Device device);

// Work, in scalar operations or bytes, from which on the GIL is freed: about ten microseconds. Where threads wait for
// it, handing it over and getting it back takes that long.
constexpr double kWorthFreeing = 300'000;

// Runs the kernel on `args`, a plain struct. `work` is roughly the number of scalar operations or bytes. A missing
// kernel is an error naming operation and device.
template <class Args>
void launch(const char* name, Device device, void (*kernel)(const Args&), const Args& args, double work) {
  static_assert(std::is_trivially_copyable_v<Args>, "kernel arguments are plain structs");
  before_launch(name, device, kernel != nullptr);
  if (Recorder* r = current_recorder())
    r->launched(name, device, reinterpret_cast<void (*)(const void*)>(reinterpret_cast<void (*)()>(kernel)), &args,
                sizeof(Args), work);
  {
    WithoutGil free(work > kWorthFreeing);
    FlushDenormals flush;
    kernel(args);
  }
  after_launch(name, device);
}

// Scratch memory for the length of one operation.
class Workspace {
 public:
  Workspace(int64_t bytes, Device device)
      : storage_(bytes > 0 ? make_ref<Storage>((size_t)bytes, device) : Ref<Storage>()) {}
  void* data() const { return storage_ ? storage_->data : nullptr; }

 private:
  Ref<Storage> storage_;
};

}  // namespace weft
