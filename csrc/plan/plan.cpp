#include "plan/plan.h"

#include <chrono>
#include <cstring>
#include <optional>

#include "ops/copy.h"
#include "ops/layout.h"
#include "tensor/autograd.h"

namespace weft {

namespace {

// Memory like t's, and its elements.
Tensor copy_of(const Tensor& t) {
  Tensor y = Tensor::empty(t.shape(), t.dtype(), t.device());
  if (!t.is_contiguous() && is_dense(t)) y.get()->strides = t.strides();
  if (y.strides() == t.strides() && t.device().is_cpu())
    memcpy(y.data(), t.data(), (size_t)(t.numel() * t.itemsize()));
  else
    copy_into(y, t);
  return y;
}

}  // namespace

bool Plan::fits() const {
  for (const Leaf& l : leaves_)
    if (!l.cleared && !(l.tensor->grad == l.entry && (!l.entry || l.entry->storage == l.memory))) return false;
  for (const Packed& p : packed_)
    if (p.of->version.load(std::memory_order_relaxed) != p.version || p.of->exposed) return false;
  return true;
}

// The stream keeps the step's work in order. Where the caller has another one than last time, that is waited for.
void Plan::follow_streams() {
  for (Gpu& g : gpus_) {
    const DeviceRuntime& runtime = device_runtime(g.device.kind);
    void* now = runtime.stream(g.device.index);
    if (now == std::exchange(g.stream, now)) continue;
    WEFT_CHECK(runtime.synchronize(g.device.index), Runtime, "[compile] ", runtime.error());
  }
}

void Plan::copy_in(size_t i, const Tensor& from) {
  follow_streams();
  const Tensor& to = inputs_[i];
  if (from.strides() == to.strides() && from.device().is_cpu() && to.numel() * to.itemsize() <= 4096)
    memcpy(to.data(), from.data(), (size_t)(to.numel() * to.itemsize()));
  else
    copy_into(to, from.detach());
}

// Somebody kept a gradient of the last replay, or a view of it: it becomes memory of its own, and a new tensor takes
// its place in the arena.
void Plan::give_away(Leaf& leaf) {
  const Ref<Storage> held = leaf.exit->storage;
  Ref<TensorImpl> fresh = Tensor(leaf.exit).detach().ref();
  fresh->storage = make_ref<Storage>(held->data, held->bytes, held->device, nullptr, nullptr);
  Ref<Storage> own = copy_of(Tensor(fresh)).get()->storage;
  held->data = std::exchange(own->data, nullptr);
  fresh->storage->arena = std::exchange(held->arena, {});
  leaf.exit = fresh;
}

void Plan::launch(const Item& item, std::vector<double>* seconds) {
  using Clock = std::chrono::steady_clock;
  const bool gpu = !item.device.is_cpu();
  auto finished = [&] {
    if (gpu && seconds) device_runtime(item.device.kind).synchronize(item.device.index);
    return Clock::now();
  };
  Clock::time_point start;
  if (seconds) start = finished();
  if (gpu) before_launch(item.name, item.device, true);
  item.kernel(&arguments_[item.at]);
  if (gpu) after_launch(item.name, item.device);
  if (seconds) seconds->push_back(std::chrono::duration<double>(finished() - start).count());
}

void Plan::run(std::vector<double>* seconds) {
  follow_streams();
  random_.renew();
  for (Leaf& l : leaves_) {
    const bool there = l.tensor->grad == l.exit;
    if (l.exit && owns(*l.exit->storage) && (l.exit->refs > 1 + there || l.exit->storage->refs > 1)) give_away(l);
    if (l.tensor->grad != l.exit) l.tensor->grad = l.exit;
  }
  {
    std::optional<WithoutGil> free;
    if (work_ > kWorthFreeing) free.emplace(true);
    std::optional<FlushDenormals> flush;
    auto graph = graphs_.begin();
    for (size_t i = 0; i < items_.size(); ++i) {
      const Item& item = items_[i];
      const bool first_of_graph = graph != graphs_.end() && graph->first() == i;
      if (!item.kernel || item.renew >= 0) {
        flush.reset();
        if (free) free.reset();
        if (item.kernel)
          renewals_[(size_t)item.renew](&arguments_[item.at]);
        else
          deeds_[item.at]();
        if (work_ > kWorthFreeing) free.emplace(true);
        if (!item.kernel) continue;
      }
      if (!flush) flush.emplace();
      auto kernel = [&](size_t k) { items_[k].kernel(&arguments_[items_[k].at]); };
      if (first_of_graph && !seconds && graph->send(kernel))
        i += graph->count() - 1;
      else
        launch(item, seconds);
      if (first_of_graph) ++graph;
      if (take_interrupted() && raise_interrupted) {
        flush.reset();
        if (free) free.reset();
        raise_interrupted();
      }
    }
  }
  for (const Outside& o : outside_)
    if (o.changes) o.storage->version.fetch_add(o.changes, std::memory_order_relaxed);
}

Tensor Plan::output(size_t i, const TensorList& arguments) const {
  const Output& o = outputs_[i];
  if (o.argument >= 0) {
    const Tensor& given = arguments[(size_t)o.argument];
    if (o.same) return given;
    if (given.strides() == inputs_[(size_t)o.argument].strides())
      return given.as_view(o.tensor.shape(), o.tensor.strides(), given.get()->offset + o.tensor.get()->offset);
  }
  const Storage& storage = *o.tensor.get()->storage;
  if (owns(storage) || storage.table || o.argument >= 0) return copy_of(o.tensor);
  return o.tensor.detach();
}

std::vector<uint32_t> Plan::outside_versions() const {
  std::vector<uint32_t> versions;
  for (const Outside& o : outside_) versions.push_back(o.storage->version.load(std::memory_order_relaxed));
  return versions;
}

std::vector<Plan::Line> Plan::lines() const {
  std::vector<Line> all;
  int graphs = 0;
  auto graph = graphs_.begin();
  for (size_t i = 0; i < items_.size(); ++i) {
    while (graph != graphs_.end() && (!graph->works() || graph->first() + graph->count() <= i))
      graphs += (graph++)->works();
    const Item& item = items_[i];
    const bool part = graph != graphs_.end() && graph->first() <= i;
    if (item.kernel) all.push_back({item.name, item.device, item.work, part ? graphs : -1});
  }
  return all;
}

int64_t Plan::bytes() const {
  int64_t sum = 0;
  for (const Ref<Arena>& a : arenas_) sum += (int64_t)a->bytes();
  for (const Tensor& t : inputs_) sum += (int64_t)t.get()->storage->bytes;
  return sum;
}

int64_t Plan::peak() const {
  int64_t sum = 0;
  for (const Ref<Arena>& a : arenas_) sum += (int64_t)a->peak();
  return sum;
}

int64_t Plan::weights() const {
  int64_t sum = 0;
  for (const Outside& o : outside_) sum += (int64_t)o.storage->bytes;
  for (const Tensor& t : inputs_) sum -= known_.count(t.get()->storage.get()) ? (int64_t)t.get()->storage->bytes : 0;
  return sum;
}

}  // namespace weft
