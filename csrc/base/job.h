// What a call of parallel_for has to do, for threads.cpp.
#pragma once

#include <algorithm>
#include <atomic>

#include "base/cpus.h"
#include "base/threads.h"

namespace weft {

// One call of parallel_for. Lives on its caller's stack: the caller leaves once it has been taken off the list and
// every helper has gone. The pieces are cut into shares of neighbours; a thread takes those of its own share first.
struct Job {
  static constexpr int kMostShares = 16;
  struct Share {
    alignas(64) std::atomic<int64_t> next{0};
    int64_t end = 0;
    bool any() const { return next.load(std::memory_order_relaxed) < end; }
  };

  void (*body)(void*, int64_t, int);
  void* context;
  int max_helpers, shares;
  Job* after = nullptr;         // the pool's list
  int joined = 0;               // helpers that ever came: each gets the next worker id
  Seats seats{};                // under the pool's mutex, as `joined`
  std::atomic<int> present{0};  // helpers here now
  Share share[kMostShares];

  Job(int64_t pieces, void (*body)(void*, int64_t, int), void* context, int threads, Order order)
      : body(body), context(context), max_helpers(threads - 1) {
    shares = order == Order::Ascending ? 1 : std::min(threads, kMostShares);
    for (int i = 0; i < shares; ++i) {
      share[i].next.store(pieces * i / shares, std::memory_order_relaxed);
      share[i].end = pieces * (i + 1) / shares;
    }
  }
  bool open() const {
    return joined < max_helpers && std::any_of(share, share + shares, [](const Share& s) { return s.any(); });
  }
  void close() {
    for (Share& s : share) s.next.store(s.end, std::memory_order_relaxed);
  }
  bool run_one(int worker, int place) {  // false: none is left
    for (int i = 0; i < shares; ++i) {
      Share& s = share[(place + i) % shares];
      if (!s.any()) continue;
      int64_t piece = s.next.fetch_add(1, std::memory_order_relaxed);
      if (piece >= s.end) continue;
      body(context, piece, worker);
      return true;
    }
    return false;
  }
};

}  // namespace weft
