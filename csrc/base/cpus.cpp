#include "base/cpus.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <fstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace weft {
namespace {

// Version 2 has "quota period" or "max period" in one file, version 1 a file each and -1 for "no limit".
double quota_v2(const std::string& folder) {
  std::ifstream in(folder + "/cpu.max");
  double quota = 0, period = 0;
  return in >> quota >> period && quota > 0 && period > 0 ? quota / period : 0;
}

double quota_v1(const std::string& folder) {
  std::ifstream in_quota(folder + "/cpu.cfs_quota_us"), in_period(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  return in_quota >> quota && in_period >> period && quota > 0 && period > 0 ? quota / period : 0;
}

// A limit anywhere above counts. Levels that this container cannot see are skipped.
double tightest(const std::string& mount, std::string path, double (*quota)(const std::string&)) {
  double least = 0;
  for (;;) {
    while (!path.empty() && path.back() == '/') path.pop_back();
    double here = quota(mount + path);
    if (here > 0 && (least == 0 || here < least)) least = here;
    if (path.empty()) return least;
    path.erase(path.find_last_of('/'));
  }
}

int affinity() {
#if defined(__linux__)
  for (int capacity = 1024; capacity <= 1 << 18; capacity *= 4) {
    cpu_set_t* set = CPU_ALLOC(capacity);
    if (!set) break;
    size_t bytes = CPU_ALLOC_SIZE(capacity);
    int count = sched_getaffinity(0, bytes, set) == 0 ? CPU_COUNT_S(bytes, set) : 0;
    CPU_FREE(set);
    if (count > 0) return count;
  }
#endif
  return std::max(1, (int)std::thread::hardware_concurrency());
}

}  // namespace

double cgroup_quota(const std::string& self, const std::string& root) {
  std::ifstream in(self);
  double least = 0;
  for (std::string line; std::getline(in, line);) {  // "hierarchy:controllers:path"
    size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (path.empty() || path[0] != '/') continue;
    double here = 0;
    if (controllers.empty()) {
      here = tightest(root, path, quota_v2);
    } else if (("," + controllers + ",").find(",cpu,") != std::string::npos) {
      here = tightest(root + "/" + controllers, path, quota_v1);
      if (here == 0) here = tightest(root + "/cpu", path, quota_v1);
    }
    if (here > 0 && (least == 0 || here < least)) least = here;
  }
  return least;
}

#if defined(__linux__)
bool Seats::take() {
  int cpu = sched_getcpu();
  if (cpu < 0 || cpu >= kMost) return true;
  uint64_t bit = uint64_t(1) << cpu % 64, &word = taken[cpu / 64];
  bool free = !(word & bit);
  word |= bit;
  return free;
}

void Seats::move_to_free() {
  static_assert(sizeof(cpu_set_t) * 8 == kMost);
  static thread_local cpu_set_t given, chosen;  // by whoever started or confined this thread; by the last move
  cpu_set_t now;
  if (sched_getaffinity(0, sizeof now, &now) != 0) return;
  if (!CPU_EQUAL(&now, &chosen)) given = now;
  CPU_ZERO(&chosen);
  for (int cpu = 0; cpu < kMost; ++cpu)
    if (CPU_ISSET(cpu, &given) && !(taken[cpu / 64] >> cpu % 64 & 1)) CPU_SET(cpu, &chosen);
  if (CPU_COUNT(&chosen) == 0) chosen = given;  // more threads than processors
  sched_setaffinity(0, sizeof chosen, &chosen);
}

namespace {

constexpr int kMostCpus = CPU_SETSIZE;
constexpr auto kBetweenMoves = std::chrono::milliseconds(10);

struct alignas(64) Loners {
  std::atomic<int> here{0};
};
Loners loners[kMostCpus];
std::atomic<int64_t> next_move{0};

// One processor that this thread may use and no loner is on, or -1; `allowed` is all that it may use.
int deserted(cpu_set_t& allowed) {
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return -1;
  for (int cpu = 0; cpu < kMostCpus; ++cpu)
    if (CPU_ISSET(cpu, &allowed) && loners[cpu].here.load(std::memory_order_relaxed) == 0) return cpu;
  return -1;
}

bool move_is_due() {
  const int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  int64_t due = next_move.load(std::memory_order_relaxed);
  const auto wait = std::chrono::duration_cast<std::chrono::steady_clock::duration>(kBetweenMoves).count();
  return now >= due && next_move.compare_exchange_strong(due, now + wait, std::memory_order_relaxed);
}

}  // namespace

Loner::Loner() : cpu(sched_getcpu()) {
  if (cpu < 0 || cpu >= kMostCpus) {
    cpu = -1;
    return;
  }
  if (loners[cpu].here.fetch_add(1, std::memory_order_relaxed) == 0 || !move_is_due()) return;
  cpu_set_t allowed, one;
  const int to = deserted(allowed);
  if (to < 0) return;
  CPU_ZERO(&one);
  CPU_SET(to, &one);
  if (sched_setaffinity(0, sizeof one, &one) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
  loners[cpu].here.fetch_sub(1, std::memory_order_relaxed);
  loners[cpu = to].here.fetch_add(1, std::memory_order_relaxed);
}

Loner::~Loner() {
  if (cpu >= 0) loners[cpu].here.fetch_sub(1, std::memory_order_relaxed);
}

void forget_loners() {
  for (Loners& l : loners) l.here.store(0, std::memory_order_relaxed);
}
#else
bool Seats::take() { return true; }
void Seats::move_to_free() {}
Loner::Loner() : cpu(-1) {}
Loner::~Loner() {}
void forget_loners() {}
#endif

int available_cpus() {
  int cpus = affinity();
  double quota = cgroup_quota("/proc/self/cgroup", "/sys/fs/cgroup");
  return quota > 0 ? std::clamp((int)std::ceil(quota), 1, cpus) : cpus;
}

}  // namespace weft
