#include "emulation/graph.h"

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "emulation/scheduler.h"

namespace weft::emulation {
namespace {

using Graph = std::vector<std::function<void()>>;

struct Capture {
  std::unique_ptr<Graph> graph;
  bool spoiled = false;
};
thread_local Capture current;
std::atomic<bool> failing{false};
std::atomic<int64_t> alive{0}, launches{0};

}  // namespace

bool capturing() { return current.graph != nullptr; }
void capture(std::function<void()> run) { current.graph->push_back(std::move(run)); }
void spoil_capture() { current.spoiled = true; }

void begin_capture() { current = {std::make_unique<Graph>(), failing}; }

void* end_capture() {
  Capture done = std::exchange(current, {});
  if (done.spoiled) return nullptr;
  ++alive;
  return done.graph.release();
}

void launch_graph(void* graph) {
  ++launches;
  for (const auto& run : *static_cast<Graph*>(graph))
    if (!failure()) run();
}

void release_graph(void* graph) {
  --alive;
  delete static_cast<Graph*>(graph);
}

void let_captures_fail(bool on) { failing = on; }
int64_t graphs_alive() { return alive; }
int64_t graph_launches() { return launches; }

}  // namespace weft::emulation
