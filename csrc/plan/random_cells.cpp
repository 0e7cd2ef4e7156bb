#include "plan/random_cells.h"

namespace weft {

namespace {

constexpr size_t kWords = 2, kBlockWords = 64 * kWords;

}  // namespace

void RandomCells::Block::renew(size_t from) const {
  const Device device = memory->device;
  const DeviceRuntime& runtime = device_runtime(device.kind);
  WEFT_CHECK(runtime.copy_from_host(static_cast<uint64_t*>(memory->data) + from, &host[from],
                                    (host.size() - from) * sizeof(uint64_t), device.index),
             Runtime, "[compile] cannot copy to ", to_string(device), ": ", runtime.error());
}

RandomCells::Block& RandomCells::block_for(Device device) {
  for (Block& b : blocks_)
    if (b.memory->device == device && b.host.size() < kBlockWords) return b;
  Unrecorded outlives_the_step;
  blocks_.push_back({make_ref<Storage>(kBlockWords * sizeof(uint64_t), device), {}});
  blocks_.back().host.reserve(kBlockWords);
  return blocks_.back();
}

Ref<Storage> RandomCells::add(Device device, std::function<void(uint64_t*)> draw) {
  Block& block = block_for(device);
  const size_t at = block.host.size();
  block.host.resize(at + kWords);
  uint64_t* words = &block.host[at];  // stays there: the room is reserved
  draw(words);
  block.renew(at);
  acts_.push_back([draw = std::move(draw), words] { draw(words); });
  return make_ref<Storage>(
      static_cast<uint64_t*>(block.memory->data) + at, kWords * sizeof(uint64_t), device,
      [](void* memory) { delete static_cast<Ref<Storage>*>(memory); }, new Ref<Storage>(block.memory));
}

void RandomCells::renew() {
  for (const auto& act : acts_) act();
  for (const Block& b : blocks_) b.renew(0);
}

}  // namespace weft
