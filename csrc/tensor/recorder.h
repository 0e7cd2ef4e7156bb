// Who watches while a step is being recorded (csrc/plan), or traced.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>

#include "base/arena.h"
#include "base/device.h"

namespace weft {

struct Storage;
struct TensorImpl;
class Tensor;

enum class GradUse { Cleared, Read, Added };  // of a leaf's .grad

struct Recorder {
  virtual ~Recorder() = default;
  virtual void launched(const char* name, Device device, void (*kernel)(const void*), const void* args, size_t bytes,
                        double work) = 0;
  virtual void used(Storage&) {}                            // its address may be among a launch's arguments
  virtual void cannot_replay(const std::string&) {}         // what the step does that no replay could follow
  virtual void grad_used(TensorImpl&, GradUse) {}           // before it happens
  virtual Arena* arena(Device) { return nullptr; }          // where the step's memory on a device comes from
  virtual bool replays() const { return true; }             // or does it only look on?
  virtual bool packs(Storage&) { return false; }            // may its packed copies serve every replay?
  virtual void at_replay(std::function<void()>) {}          // done again, at this place, by each replay
  virtual void renewed(std::function<void(void* args)>) {}  // makes the arguments of the next launch up to date
  // Memory of a device with the two words that `draw` writes: now, and at each replay before its first launch.
  virtual Ref<Storage> random_cell(Device, std::function<void(uint64_t* words)> draw);
  virtual void random_act(std::function<void()>) {}  // the same for what happens to a generator between two draws
};

Recorder*& current_recorder();             // thread-local, null when nobody records
extern std::atomic<int> active_recorders;  // over all threads: keeps the question cheap while there are none
inline bool anybody_records() { return active_recorders.load(std::memory_order_relaxed) != 0; }

void note_use(Storage& storage);
void note_host_read(const char* what);     // a value left for Python
void note_cannot_replay(const char* why);  // any other reason
inline void note_grad(TensorImpl& leaf, GradUse use) {
  if (!anybody_records()) return;
  if (Recorder* r = current_recorder()) r->grad_used(leaf, use);
}

// For as long as it lives nothing is recorded: memory made now outlives the step, and is filled once.
class Unrecorded {
 public:
  Unrecorded() : before_(anybody_records() ? current_recorder() : nullptr) {
    if (before_) current_recorder() = nullptr;
  }
  ~Unrecorded() {
    if (before_) current_recorder() = before_;
  }
  Unrecorded(const Unrecorded&) = delete;

 private:
  Recorder* before_;
};

// A deed of the host that belongs to the step: done now and by each replay.
template <class F>
void now_and_at_replay(F f) {
  {
    Unrecorded now;
    f();
  }
  if (!anybody_records()) return;
  if (Recorder* r = current_recorder()) r->at_replay(std::move(f));
}

}  // namespace weft
