// The one thread pool. Work is cut into pieces whose number depends on the problem alone; whoever is free
// takes the next piece, so results must not depend on which thread ran it (combine partial sums in piece order).
// Callable from kernel files: plain functions, no standard library.
#pragma once

#include <cstdint>

#include "base/macros.h"

namespace weft {

constexpr int kMaxThreads = 1024;
int num_threads();            // default: WEFT_NUM_THREADS, else min(affinity, cgroup quota)
void set_num_threads(int n);  // ValueError unless 1 <= n <= kMaxThreads
bool in_parallel();           // true inside a piece: nested calls then run on this thread

// Who takes which piece. Ascending: the lowest that is left. Apart: each thread begins with neighbours of its own, the
// same from call to call, so that what it has in its cache from the last operation is of use in the next one.
enum class Order { Ascending, Apart };

// Runs body(context, piece, worker) once for each piece in [0, pieces). `worker` is in [0, max_workers) and unique
// among the threads running at the same moment: it indexes per-worker scratch in a workspace. At most max_workers
// threads (0: num_threads()) take part; the caller is one of them. Returns when all pieces are done. The body must not
// throw. While big work runs on Python's main thread, a pending Ctrl-C makes the remaining pieces be skipped, and those
// of any later call until launch() has raised it.
void parallel_for(int64_t pieces, void (*body)(void* context, int64_t piece, int worker), void* context,
                  int max_workers = 0, Order order = Order::Ascending);

// True from the moment that Ctrl-C cut this thread's work short. NOTE: a kernel that uses what pieces have written as
// addresses (counts, offsets, sorted positions) must ask before it does.
bool interrupted();

// The same, and forgets it: launch() turns it into the exception.
bool take_interrupted();

// For pieces that meet: returns once others of the same job have raised *count to `least`. Soon it gives the processor
// to whoever wants it. NOTE: pieces may run one after the other, so wait for nothing but what has been begun.
void wait_for(const int64_t* count, int64_t least);

template <class F>
WEFT_INLINE void parallel(int64_t pieces, const F& body, int max_workers = 0, Order order = Order::Ascending) {
  if (pieces <= 0) return;
  if (pieces == 1 && max_workers == 0) {
    body((int64_t)0, 0);
    return;
  }
  parallel_for(
      pieces, [](void* f, int64_t piece, int worker) { (*static_cast<const F*>(f))(piece, worker); },
      const_cast<void*>(static_cast<const void*>(&body)), max_workers, order);
}

// Pieces of about `grain` items each, independent of the number of threads; piece i is [begin, end). In no order.
struct Pieces {
  int64_t total, size, count;
};
WEFT_INLINE Pieces cut(int64_t total, int64_t grain) {
  int64_t size = grain < 1 ? 1 : grain;
  return {total, size, (total + size - 1) / size};
}
template <class F>
WEFT_INLINE void parallel_ranges(int64_t total, int64_t grain, const F& body) {
  Pieces p = cut(total, grain);
  auto run = [&](int64_t piece, int) {
    int64_t begin = piece * p.size, end = begin + p.size < p.total ? begin + p.size : p.total;
    body(begin, end);
  };
  parallel(p.count, run, 0, Order::Apart);
}

// Denormals are flushed while kernels run (on the caller too, so that the bits do not depend on who ran a piece)
// and never outside: the caller's floating-point mode comes back.
struct FlushDenormals {
  FlushDenormals();
  ~FlushDenormals();
  unsigned long saved;
};

// Set by the binding: called every few milliseconds by the calling thread during big work; true means "stop".
extern bool (*interrupt_poll)();

}  // namespace weft
