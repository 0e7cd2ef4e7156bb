#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <new>

#include "base/cpus.h"
#include "base/error.h"
#include "base/job.h"

namespace weft {

bool (*interrupt_poll)() = nullptr;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(30);
constexpr auto kPoll = std::chrono::milliseconds(20);

thread_local bool inside_piece = false;
thread_local bool cut_short = false;  // by Ctrl-C; stays until take_interrupted(), so that all of a kernel is skipped
thread_local Clock::time_point last_poll;
thread_local int place = 0;  // the number of a worker, from 1: where it begins in every job

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <class Ready>
bool spin_until(const Ready& ready) {
  auto end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (Clock::now() < end);
  return ready();
}

// Callers put jobs on a list; a free worker joins the open one with the fewest helpers.
struct Pool {
  std::mutex mutex;
  std::condition_variable work, done;
  std::atomic<uint64_t> posted{0};  // jobs ever posted: what a spinning worker watches
  std::atomic<int> callers{0};      // threads of the application with work in hand
  Job* jobs = nullptr;
  int workers = 0, arrived = 0, spinning = 0, sleeping = 0;

  void run(Job& job);
  void serve();

 private:
  Job* pick() const;
  void start_workers(int wanted);
  void wake(int wanted);
};

std::atomic<int> chosen_threads{0};  // by set_num_threads
std::atomic<int> default_threads{0};

// NOTE: never destroyed, because workers outlive static destructors; and made anew over the same memory in a forked
// child, where the workers are gone and whoever held the locks is too.
alignas(Pool) unsigned char pool_memory[sizeof(Pool)];
Pool& pool() { return *std::launder(reinterpret_cast<Pool*>(pool_memory)); }

[[maybe_unused]] const int forks = [] {
  new (pool_memory) Pool;
  return pthread_atfork(nullptr, nullptr, [] {
    new (pool_memory) Pool;
    forget_loners();
    default_threads = 0;  // worker processes are often given an affinity of their own
  });
}();

Job* Pool::pick() const {
  Job* best = nullptr;
  for (Job* j = jobs; j; j = j->after)
    if (j->open() && (!best || j->joined < best->joined)) best = j;
  return best;
}

void Pool::start_workers(int wanted) {
  if (workers >= wanted) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // inherited: signals are for the application's threads
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  auto entry = [](void* p) -> void* {
    static_cast<Pool*>(p)->serve();
    return nullptr;
  };
  pthread_t id;
  while (workers < wanted && pthread_create(&id, &attributes, entry, this) == 0) ++workers;  // fewer will do
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Two at a time, and each that comes wakes two more: with many workers the caller does not wake them all itself.
void Pool::wake(int wanted) {
  int n = std::min({wanted - spinning, sleeping, 2});
  for (int i = 0; i < n; ++i) work.notify_one();
}

void Pool::serve() {
#if defined(__linux__)
  pthread_setname_np(pthread_self(), "weft");
#endif
  FlushDenormals flush;
  inside_piece = true;
  std::unique_lock lock(mutex);
  place = ++arrived;
  for (;;) {
    while (Job* job = pick()) {
      int worker = ++job->joined;
      job->present.fetch_add(1, std::memory_order_relaxed);
      if (job->open()) wake(job->max_helpers - job->joined);
      Seats others = job->seats;
      bool alone = job->seats.take();
      // Where all workers take part each has its own place; of some of them two might have the same.
      const int first = workers == job->max_helpers ? place : worker;
      lock.unlock();
      if (!alone) others.move_to_free();
      while (job->run_one(worker, first)) {}
      lock.lock();
      if (job->present.fetch_sub(1, std::memory_order_release) == 1) done.notify_all();
    }
    uint64_t seen = posted.load(std::memory_order_relaxed);
    ++spinning;
    lock.unlock();
    bool more = spin_until([&] { return posted.load(std::memory_order_relaxed) != seen; });
    lock.lock();
    --spinning;
    if (more) continue;
    ++sleeping;
    while (!pick()) work.wait(lock);
    --sleeping;
  }
}

bool poll_due() {
  if (!interrupt_poll) return false;
  auto now = Clock::now();
  if (now - last_poll < kPoll) return false;
  last_poll = now;
  return interrupt_poll();
}

// The caller's share.
void work_on(Job& job) {
  bool more = true;
  while (more) {
    if (poll_due()) {
      cut_short = true;
      job.close();
    }
    inside_piece = true;
    more = job.run_one(0, place);
    inside_piece = false;
  }
}

void Pool::run(Job& job) {
  const int wanted = job.max_helpers;
  job.seats.take();
  {
    std::lock_guard lock(mutex);
    start_workers(wanted);
    job.after = jobs;
    jobs = &job;
    posted.fetch_add(1, std::memory_order_relaxed);
    wake(wanted);
  }
  work_on(job);
  {
    std::lock_guard lock(mutex);
    Job** link = &jobs;
    while (*link != &job) link = &(*link)->after;
    *link = job.after;
  }
  auto alone = [&] { return job.present.load(std::memory_order_acquire) == 0; };
  if (spin_until(alone)) return;
  std::unique_lock lock(mutex);
  while (!done.wait_for(lock, kPoll, alone)) {
    lock.unlock();
    if (poll_due()) cut_short = true;
    lock.lock();
  }
}

int read_environment() {
  const char* text = getenv("WEFT_NUM_THREADS");
  if (!text || !*text) return 0;
  char* end;
  long n = strtol(text, &end, 10);
  WEFT_CHECK(*end == 0 && n >= 1 && n <= kMaxThreads, Value, "WEFT_NUM_THREADS: expected a number from 1 to ",
             kMaxThreads, ", got '", text, "'");
  return (int)n;
}

}  // namespace

int num_threads() {
  if (int n = chosen_threads.load(std::memory_order_relaxed)) return n;
  int n = default_threads.load(std::memory_order_relaxed);
  if (n == 0) {
    n = read_environment();
    if (n == 0) n = std::min(available_cpus(), kMaxThreads);
    default_threads.store(n, std::memory_order_relaxed);
  }
  return n;
}

void set_num_threads(int n) {
  WEFT_CHECK(n >= 1 && n <= kMaxThreads, Value, "[set_num_threads] expected a number from 1 to ", kMaxThreads, ", got ",
             n);
  chosen_threads.store(n, std::memory_order_relaxed);
}

bool in_parallel() { return inside_piece; }

void parallel_for(int64_t pieces, void (*body)(void*, int64_t, int), void* context, int max_workers, Order order) {
  if (inside_piece) {
    for (int64_t i = 0; i < pieces; ++i) body(context, i, 0);
    return;
  }
  if (pieces <= 0 || cut_short) return;
  if (pieces == 1) return body(context, 0, 0);
  int threads = num_threads();
  if (max_workers > 0) threads = std::min(threads, max_workers);
  threads = (int)std::min<int64_t>(threads, pieces);
  // Where as many call at once as there are threads, each does its own work: nobody is waited for.
  Pool& all = pool();
  const bool crowd = all.callers.fetch_add(1, std::memory_order_relaxed) + 1 >= num_threads();
  if (crowd) threads = 1;
  Job job(pieces, body, context, threads, order);
  if (threads > 1) {
    all.run(job);
  } else {
    Loner here;
    work_on(job);
  }
  all.callers.fetch_sub(1, std::memory_order_relaxed);
}

void wait_for(const int64_t* count, int64_t least) {
  auto there = [&] { return __atomic_load_n(count, __ATOMIC_ACQUIRE) >= least; };
  while (!there() && !spin_until(there)) sched_yield();
}

bool interrupted() { return cut_short; }

bool take_interrupted() {
  // Many small launches in a row, as in a backward pass, never reach parallel_for: now and then look here too.
  static thread_local unsigned calls = 0;
  bool was = cut_short || (++calls % 64 == 0 && poll_due());
  cut_short = false;
  return was;
}

#if defined(__x86_64__)
// Default rounding, exceptions masked, denormals flushed on the way in and out.
FlushDenormals::FlushDenormals() : saved(__builtin_ia32_stmxcsr()) { __builtin_ia32_ldmxcsr(0x9FC0); }
FlushDenormals::~FlushDenormals() { __builtin_ia32_ldmxcsr((unsigned)saved); }
#elif defined(__aarch64__)
FlushDenormals::FlushDenormals() {
  asm volatile("mrs %0, fpcr" : "=r"(saved));
  asm volatile("msr fpcr, %0" : : "r"(1ul << 24));
}
FlushDenormals::~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(saved)); }
#else
FlushDenormals::FlushDenormals() : saved(0) {}
FlushDenormals::~FlushDenormals() {}
#endif

}  // namespace weft
