// What a plan notes while its step runs for the first time.
#include <algorithm>
#include <cstring>

#include "kernels/copy.h"
#include "ops/copy.h"
#include "ops/layout.h"
#include "plan/plan.h"
#include "plan/prune.h"
#include "plan/python_line.h"
#include "tensor/autograd.h"
#include "tensor/devices.h"

namespace weft {

Plan::~Plan() {
  if (recording_) end();
}

void Plan::begin() {
  WEFT_CHECK(!current_recorder(), Runtime, "[compile] a recording is already under way on this thread");
  current_recorder() = this;
  ++active_recorders;
  recording_ = true;
  items_.reserve(64);
  arguments_.reserve(1024);
  arenas_[0]->begin(&clock_);  // what the CPU's fuser asks for
}

void Plan::end() {
  current_recorder() = nullptr;
  --active_recorders;
  recording_ = false;
  lives_ = arenas_[0]->end();
}

bool Plan::owns(const Storage& storage) const {
  return std::find(arenas_.begin(), arenas_.end(), storage.arena) != arenas_.end();
}

Arena* Plan::arena(Device device) {
  if (!device.is_cpu()) keep_stream(device);
  if (!broken_.empty()) return nullptr;
  for (const Ref<Arena>& a : arenas_)
    if (a->device() == device) return a.get();
  arenas_.push_back(make_ref<Arena>(device));
  return arenas_.back().get();
}

void Plan::keep_stream(Device gpu) {
  void* now = use_device(gpu).stream(gpu.index);
  auto known = std::find_if(gpus_.begin(), gpus_.end(), [&](const Gpu& g) { return g.device == gpu; });
  if (known == gpus_.end())
    gpus_.push_back({gpu, now});
  else if (known->stream != now)
    break_off("it uses several streams of a GPU");
}

void Plan::add_input(const Tensor& like) {
  if (!like.device().is_cpu()) keep_stream(like.device());
  Tensor t = Tensor::empty(like.shape(), like.dtype(), like.device());
  if (is_dense(like)) t.get()->strides = like.strides();
  copy_into(t, like.detach());
  t.get()->requires_grad = like.requires_grad();
  inputs_.push_back(t);
}

void Plan::launched(const char* name, Device device, void (*kernel)(const void*), const void* args, size_t bytes,
                    double work) {
  if (!device.is_cpu()) keep_stream(device);
  items_.push_back({kernel, add_arguments(args, bytes), bytes, std::exchange(next_renewal_, -1), name, device, work});
  clock_ = items_.size();
  ++launches_;
  work_ += work;
}

size_t Plan::add_arguments(const void* args, size_t bytes) {
  size_t at = arguments_.size();
  arguments_.resize(at + (bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
  memcpy(&arguments_[at], args, bytes);
  return at;
}

void Plan::used(Storage& storage) {
  if (owns(storage) || known_.count(&storage)) return;
  known_.emplace(&storage, outside_.size());
  outside_.push_back({Ref<Storage>(&storage), storage.version.load(std::memory_order_relaxed), 0});
}

void Plan::break_off(std::string reason) {
  if (!broken_.empty()) return;
  broken_ = cat(reason, python_line());
  WEFT_CHECK(!strict_, Runtime, "[compile] fullgraph=True, but the step cannot be replayed: ", broken_);
}

void Plan::grad_used(TensorImpl& leaf, GradUse use) {
  for (const Tensor& input : inputs_)
    if (input.get() == &leaf) break_off("it accumulates a gradient into an argument");
  if (!known_leaves_.emplace(&leaf, leaves_.size()).second) return;
  leaves_.push_back({Ref<TensorImpl>(&leaf),
                     use == GradUse::Cleared,
                     leaf.grad,
                     {},
                     leaf.grad ? leaf.grad->storage : Ref<Storage>()});
}

bool Plan::packs(Storage& storage) {
  if (!packs_weights_) return false;
  packed_.push_back({Ref<Storage>(&storage), storage.version.load(std::memory_order_relaxed)});
  return true;
}

void Plan::at_replay(std::function<void()> deed) {
  items_.push_back({nullptr, deeds_.size(), 0, -1, "", {}, 0});
  clock_ = items_.size();
  deeds_.push_back(std::move(deed));
}

void Plan::renewed(std::function<void(void*)> renew) {
  next_renewal_ = (int)renewals_.size();
  renewals_.push_back(std::move(renew));
}

void Plan::finish(const TensorList& outputs) {
  for (Outside& o : outside_) {
    o.changes = o.storage->version.load(std::memory_order_relaxed) - o.before;
    if (o.changes && o.storage->table) break_off("a table of the host's is changed in place");
  }
  for (const Tensor& input : inputs_)
    if (input.version() != 0)
      break_off("an argument is changed in place");  // the caller's tensor would not see the change
  for (const Packed& p : packed_)
    if (p.of->version.load(std::memory_order_relaxed) != p.version)
      break_off("a weight is changed outside of training");
  for (Leaf& leaf : leaves_) leaf.exit = leaf.tensor->grad;
  for (const Tensor& y : outputs) {
    Output out{y.detach()};
    for (size_t i = 0; i < inputs_.size(); ++i)
      if (inputs_[i].get()->storage == y.get()->storage) {
        out.argument = (int)i;
        out.same = inputs_[i].get() == y.get();
      }
    outputs_.push_back(out);
  }
  if (!broken_.empty()) return;
  drop_unread();
  fuse();
  find_graphs();
}

namespace {

template <class Args>
bool is_launch_of(void (*kernel)(const void*), void (*of)(const Args&)) {
  return reinterpret_cast<void (*)()>(kernel) == reinterpret_cast<void (*)()>(of);
}

// A pointwise kernel of the CPU's, or null.
PointwiseKernel pointwise_kernel(void (*kernel)(const void*)) {
  const auto& table = kernels<PointwiseKernels>(Device{}).table;
  for (const auto& row : table)
    for (PointwiseKernel k : row)
      if (k && is_launch_of(kernel, k)) return k;
  return nullptr;
}

// Where a launch writes, as far as that is known.
const void* result_of(void (*kernel)(const void*), const void* args, size_t bytes) {
  const CopyKernels& copies = kernels<CopyKernels>(Device{});
  if (is_launch_of(kernel, copies.copy)) return static_cast<const Copy*>(args)->dst;
  if (is_launch_of(kernel, copies.fill)) return static_cast<const Fill*>(args)->dst;
  if (is_launch_of(kernel, kernels<ReduceKernels>(Device{}).reduce)) return static_cast<const Reduce*>(args)->y;
  if (bytes == sizeof(Pointwise) && pointwise_kernel(kernel)) return static_cast<const Pointwise*>(args)->out;
  return nullptr;
}

}  // namespace

void Plan::drop_unread() {
  std::vector<PrunableLaunch> launches;
  for (const Item& item : items_) {
    const void* args = item.kernel ? &arguments_[item.at] : nullptr;
    const bool known = item.kernel && item.renew < 0 && item.device.is_cpu();
    launches.push_back({args, item.bytes, known ? result_of(item.kernel, args, item.bytes) : nullptr});
  }
  const std::vector<bool> unread = unread_launches(launches, lives_);
  std::vector<Item> items;
  std::vector<size_t> now;  // by the place before
  for (size_t i = 0; i < items_.size(); ++i) {
    now.push_back(items.size());
    if (!unread[i]) items.push_back(items_[i]);
  }
  now.push_back(items.size());
  launches_ -= items_.size() - items.size();
  items_ = std::move(items);
  for (Arena::Life& life : lives_) {
    life.born = now[life.born];
    if (life.died != Arena::kAlive) life.died = now[life.died];
  }
}

void Plan::fuse() {
  if (work_ < 2 * kLeastFused) return;
  std::vector<FusibleLaunch> launches;
  for (size_t i = 0; i < items_.size(); ++i) {
    const Item& item = items_[i];
    const bool plain = item.kernel && item.renew < 0 && item.device.is_cpu() && item.work >= kLeastFused;
    PointwiseKernel kernel = plain ? pointwise_kernel(item.kernel) : nullptr;
    const void* args = plain ? &arguments_[item.at] : nullptr;
    FusibleLaunch launch{i, kernel, kernel ? static_cast<const Pointwise*>(args) : nullptr, nullptr, nullptr};
    auto reduce = kernels<ReduceKernels>(Device{}).reduce;
    if (plain && is_launch_of(item.kernel, reduce)) {
      launch.reduce = reduce;
      launch.reduce_args = static_cast<const Reduce*>(args);
    }
    launches.push_back(launch);
  }
  std::vector<Fusion> fusions = fuse_pointwise(launches, lives_);
  std::vector<Item> items;
  size_t next = 0;
  for (size_t i = 0; i < items_.size();) {
    if (next == fusions.size() || fusions[next].first != i) {
      items.push_back(items_[i++]);
      continue;
    }
    Fusion& f = fusions[next++];
    std::string name;
    double work = 0;
    for (size_t k = i; k < i + f.count; ++k) {
      name += (name.empty() ? "" : " + ") + std::string(items_[k].name);
      work += items_[k].work;
    }
    names_.push_back(std::make_unique<std::string>(std::move(name)));
    const FusedPointwise* fused = f.fused.get();
    fused_.push_back(std::move(f.fused));
    auto run = [](const void* args) { run_fused(**static_cast<const FusedPointwise* const*>(args)); };
    items.push_back(
        {run, add_arguments(&fused, sizeof fused), sizeof fused, -1, names_.back()->c_str(), Device{}, work});
    i += f.count;
    launches_ -= f.count - 1;
  }
  items_ = std::move(items);
  lives_ = {};
}

void Plan::find_graphs() {
  auto plain = [&](size_t i) { return items_[i].kernel && items_[i].renew < 0 && !items_[i].device.is_cpu(); };
  for (size_t i = 0, end; i < items_.size(); i = end) {
    end = i + 1;
    if (!plain(i)) continue;
    while (end < items_.size() && plain(end) && items_[end].device == items_[i].device) ++end;
    if (end - i > 1) graphs_.emplace_back(i, end - i, items_[i].device);
  }
}

bool Plan::repeatable() const {
  for (const Outside& o : outside_)
    if (o.changes) return false;
  return leaves_.empty();
}

bool Plan::escaped() const {
  std::unordered_map<Storage*, int> ours;
  for (const Output& o : outputs_) ++ours[o.tensor.get()->storage.get()];
  for (const Leaf& l : leaves_)
    if (l.exit) ++ours[l.exit->storage.get()];
  int living = 0, known = 0;
  for (auto [storage, owners] : ours) {
    if (!owns(*storage)) continue;
    ++known;
    if (storage->refs > owners) return true;
  }
  for (const Ref<Arena>& a : arenas_) living += a->refs - 1;
  return living > known;
}

}  // namespace weft
