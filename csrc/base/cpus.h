// How many processors this process may use, and on which of them its threads run.
#pragma once

#include <cstdint>
#include <string>

namespace weft {

int available_cpus();  // min(affinity, cgroup quota rounded up), at least 1

// The tightest CPU quota on the way from this process's cgroup to the root, in processors; 0 when there is none.
// `self` is /proc/self/cgroup and `root` is /sys/fs/cgroup, except in tests. Reads versions 1 and 2.
double cgroup_quota(const std::string& self, const std::string& root);

// The processors on which the threads of one job run. A kernel may wake a thread on the processor of the one that woke
// it and leave both there for tens of milliseconds while another is idle (kernels of virtual machines that pack threads
// onto few processors do), so a thread that finds its processor taken moves away.
class Seats {
 public:
  bool take();          // false: another thread of the job is on this processor
  void move_to_free();  // off these processors, for good, if this thread is allowed on any other
 private:
  static constexpr int kMost = 1024;  // processors with higher numbers are not looked after
  uint64_t taken[kMost / 64] = {};
};

// A thread of the application that works by itself, while it does. Where several of them are on one processor and
// another that they may use has none, one moves there; which processors it may use afterwards is as before.
class Loner {
 public:
  Loner();
  ~Loner();
  Loner(const Loner&) = delete;

 private:
  int cpu;
};
void forget_loners();  // in a forked child

}  // namespace weft
