#include "plan/launch_graph.h"

#include <utility>

#include "base/error.h"

namespace weft {

LaunchGraph::LaunchGraph(LaunchGraph&& other) noexcept
    : first_(other.first_),
      count_(other.count_),
      device_(other.device_),
      graph_(std::exchange(other.graph_, nullptr)),
      works_(other.works_) {}

LaunchGraph::~LaunchGraph() {
  if (graph_) device_runtime(device_.kind).release_graph(graph_, device_.index);
}

void LaunchGraph::capture(const std::function<void(size_t)>& launch) {
  const DeviceRuntime& runtime = device_runtime(device_.kind);
  const int index = device_.index;
  works_ = runtime.begin_capture && runtime.begin_capture(index);
  if (!works_) return;
  for (size_t i = first_; works_ && i < first_ + count_; ++i) {
    works_ = runtime.before_launch(index);
    if (!works_) break;
    launch(i);
    works_ = runtime.after_launch(index);
  }
  graph_ = runtime.end_capture(index);
  works_ = works_ && graph_;
}

bool LaunchGraph::send(const std::function<void(size_t)>& launch) {
  if (works_ && !graph_) capture(launch);
  if (!works_) return false;
  const DeviceRuntime& runtime = device_runtime(device_.kind);
  WEFT_CHECK(runtime.launch_graph(graph_, device_.index), Runtime, "[compile] ", count_, " launches failed on ",
             to_string(device_), ": ", runtime.error());
  return true;
}

}  // namespace weft
