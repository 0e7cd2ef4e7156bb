// A step as a flat list of kernel launches over memory that is kept: recorded once while it runs, replayed without
// walking through the operations again.
//
// A replay repeats the launches with the arguments of the recording. What a function computes from its inputs and from
// tensors it reads (weights may change in place) follows; Python numbers are fixed. What no replay could follow is an
// error while recording: a value read by the host, random numbers.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "tensor/launch.h"
#include "tensor/tensor.h"

namespace weft {

class Plan final : public Recorder {
 public:
  using Step = std::function<TensorList(const TensorList&)>;

  // Runs `step` on copies of `inputs`, recording.
  Plan(const TensorList& inputs, const Step& step);

  // Copies the inputs in (shapes, dtypes and devices as recorded), replays, returns copies of the outputs.
  TensorList replay(const TensorList& inputs);

  std::string describe() const;  // one line per launch, then the memory
  size_t launches() const { return launches_.size(); }
  int64_t bytes() const;  // of all memory that the plan keeps

  void launched(const char* name, Device device, void (*kernel)(const void*), const void* args, size_t bytes) override;
  void used(Storage& storage) override;
  void read_by_host(const char* what) override;

 private:
  struct Launch {
    const char* name;
    Device device;
    void (*kernel)(const void*);
    size_t args;  // index into arguments_
  };
  std::vector<Launch> launches_;
  std::vector<std::max_align_t> arguments_;
  std::vector<Ref<Storage>> memory_;
  std::unordered_set<Storage*> known_;
  TensorList inputs_, outputs_;
  std::mutex mutex_;
};

}  // namespace weft
