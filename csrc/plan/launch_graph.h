// Neighbouring launches on a GPU that are sent to it as one graph (CUDA's): for the host one call instead of many.
#pragma once

#include <functional>

#include "base/device.h"

namespace weft {

class LaunchGraph {
 public:
  LaunchGraph(size_t first, size_t count, Device device) : first_(first), count_(count), device_(device) {}
  LaunchGraph(LaunchGraph&& other) noexcept;
  LaunchGraph& operator=(LaunchGraph&&) = delete;
  ~LaunchGraph();

  // Sends it. launch(i), for each of its places in the list, runs that kernel: the first call captures what it
  // launches. False where that cannot be captured, for good; nothing is sent then.
  bool send(const std::function<void(size_t)>& launch);

  size_t first() const { return first_; }
  size_t count() const { return count_; }
  bool works() const { return works_; }

 private:
  void capture(const std::function<void(size_t)>& launch);

  size_t first_, count_;
  Device device_;
  void* graph_ = nullptr;
  bool works_ = true;
};

}  // namespace weft
