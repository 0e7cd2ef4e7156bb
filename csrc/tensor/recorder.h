// Who watches while a step is being recorded (csrc/plan).
#pragma once

#include <atomic>
#include <cstddef>

#include "base/device.h"

namespace weft {

struct Storage;

struct Recorder {
  virtual ~Recorder() = default;
  virtual void launched(const char* name, Device device, void (*kernel)(const void*), const void* args,
                        size_t bytes) = 0;
  virtual void used(Storage& storage) = 0;          // its address may be among a launch's arguments
  virtual void read_by_host(const char* what) = 0;  // a value left for Python: no replay can follow it
};

Recorder*& current_recorder();             // thread-local, null when nobody records
extern std::atomic<int> active_recorders;  // over all threads: keeps the question cheap while there are none

void note_use(Storage& storage);
void note_host_read(const char* what);

inline bool anybody_records() { return active_recorders.load(std::memory_order_relaxed) != 0; }

}  // namespace weft
