#include "ops/packed.h"

#include <array>
#include <atomic>

namespace weft {

namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;
std::atomic<int64_t> held{0};

struct PackedCopy {
  PackedKey key{};
  Ref<Storage> memory;  // null: asked for once
};

// What hangs on a storage. Views with different offsets or shapes share it; the oldest copy makes room for a new one.
struct Copies : RefCounted {
  uint32_t version = 0;
  std::array<PackedCopy, 4> copies;
  size_t next = 0;

  ~Copies() override { clear(); }
  PackedCopy* find(const PackedKey& key) {
    for (PackedCopy& c : copies)
      if (c.key == key) return &c;
    return nullptr;
  }
  void put(const PackedKey& key, Ref<Storage> memory) {
    PackedCopy* c = find(key);
    if (!c) c = &copies[next++ % copies.size()];
    release(*c);
    if (memory) held += (int64_t)memory->bytes;
    *c = {key, std::move(memory)};
  }
  void clear() {
    for (PackedCopy& c : copies) release(c);
  }

 private:
  static void release(PackedCopy& c) {
    if (c.memory) held -= (int64_t)c.memory->bytes;
    c = {};
  }
};

Ref<Storage> note_packed(Recorder* recorder, const Ref<Storage>& memory) {
  if (recorder) recorder->used(*memory);
  return memory;
}

Copies& copies_of(Storage& s) {
  if (!s.attached) s.attached = Ref<RefCounted>(new Copies);
  Copies& all = static_cast<Copies&>(*s.attached);
  if (const uint32_t now = s.version.load(std::memory_order_relaxed); all.version != now) {
    all.clear();
    all.version = now;
  }
  return all;
}

}  // namespace

Ref<Storage> packed_copy(const Tensor& t, const PackedKey& key, int64_t bytes, const std::function<void(void*)>& pack) {
  Storage& s = *t.get()->storage;
  Recorder* recorder = anybody_records() ? current_recorder() : nullptr;
  if (recorder && !recorder->replays()) recorder = nullptr;
  if (s.deleter || s.arena) return {};
  if (recorder && (s.exposed || !recorder->packs(s))) return {};
  Unrecorded outlives_the_step;
  if (s.exposed) {
    s.attached.reset();
    return {};
  }
  const PackedCopy* found = copies_of(s).find(key);
  if (!found && !recorder) {
    copies_of(s).put(key, {});
    return {};
  }
  if (found && found->memory) return note_packed(recorder, found->memory);
  if (held + bytes > kMostBytes) return {};
  const uint32_t version = t.version();
  Ref<Storage> memory = make_ref<Storage>((size_t)bytes, t.device());
  pack(memory->data);  // frees the GIL
  if (t.version() == version && !s.exposed) copies_of(s).put(key, memory);
  return note_packed(recorder, memory);
}

int64_t packed_bytes_held() { return held; }

}  // namespace weft
