#include "plan/plan.h"

#include <chrono>
#include <cstring>
#include <optional>

#include "ops/copy.h"
#include "ops/layout.h"
#include "tensor/autograd.h"

namespace weft {

namespace {

constexpr double kWorthFreeing = 50000;  // of work, as launch() counts it

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

void Plan::copy_in(size_t i, const Tensor& from) {
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
  fresh->storage->arena = arena_;
  Ref<Storage> own = copy_of(Tensor(fresh)).get()->storage;
  std::swap(held->data, own->data);
  std::swap(held->arena, own->arena);
  leaf.exit = fresh;
}

void Plan::run(std::vector<double>* seconds) {
  using Clock = std::chrono::steady_clock;
  for (Leaf& l : leaves_) {
    const bool there = l.tensor->grad == l.exit;
    if (l.exit && l.exit->storage->arena == arena_ && (l.exit->refs > 1 + there || l.exit->storage->refs > 1))
      give_away(l);
    if (l.tensor->grad != l.exit) l.tensor->grad = l.exit;
  }
  {
    std::optional<WithoutGil> free;
    if (work_ > kWorthFreeing) free.emplace(true);
    std::optional<FlushDenormals> flush;
    for (const Item& item : items_) {
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
      Clock::time_point start;
      if (seconds) start = Clock::now();
      if (!item.device.is_cpu()) before_launch(item.name, item.device, true);
      item.kernel(&arguments_[item.at]);
      if (!item.device.is_cpu()) after_launch(item.name, item.device);
      if (take_interrupted() && raise_interrupted) {
        flush.reset();
        if (free) free.reset();
        raise_interrupted();
      }
      if (seconds) seconds->push_back(std::chrono::duration<double>(Clock::now() - start).count());
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
  if (o.tensor.get()->storage->arena == arena_ || o.argument >= 0) return copy_of(o.tensor);
  return o.tensor.detach();
}

std::vector<uint32_t> Plan::outside_versions() const {
  std::vector<uint32_t> versions;
  for (const Outside& o : outside_) versions.push_back(o.storage->version.load(std::memory_order_relaxed));
  return versions;
}

std::vector<Plan::Line> Plan::lines() const {
  std::vector<Line> all;
  for (const Item& item : items_)
    if (item.kernel) all.push_back({item.name, item.device, item.work});
  return all;
}

int64_t Plan::bytes() const {
  int64_t sum = (int64_t)arena_->bytes();
  for (const Tensor& t : inputs_) sum += (int64_t)t.get()->storage->bytes;
  return sum;
}

int64_t Plan::peak() const { return (int64_t)arena_->peak(); }

int64_t Plan::weights() const {
  int64_t sum = 0;
  for (const Outside& o : outside_) sum += (int64_t)o.storage->bytes;
  for (const Tensor& t : inputs_) sum -= known_.count(t.get()->storage.get()) ? (int64_t)t.get()->storage->bytes : 0;
  return sum;
}

}  // namespace weft
