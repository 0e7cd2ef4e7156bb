#include "plan/tape.h"

#include <unordered_set>

namespace weft {

namespace {

// The leaves in reach of the tensors' histories, in the order in which they are met.
std::vector<Ref<TensorImpl>> leaves_of(const TensorList& tensors) {
  std::vector<Ref<TensorImpl>> leaves;
  std::unordered_set<const void*> seen;
  std::vector<Edge> todo;
  for (const Tensor& t : tensors) todo.push_back(edge_of(t));
  while (!todo.empty()) {
    Edge e = std::move(todo.back());
    todo.pop_back();
    if (e.leaf) {
      if (seen.insert(e.leaf.get()).second) leaves.push_back(e.leaf);
    } else if (e.node && seen.insert(e.node.get()).second) {
      for (size_t i = e.node->next.size(); i-- > 0;) todo.push_back(e.node->next[i]);
    }
  }
  return leaves;
}

}  // namespace

CompiledTape::CompiledTape(std::shared_ptr<Plan> forward, TensorList results)
    : forward_(std::move(forward)), roots_(std::move(results)), leaves_(leaves_of(roots_)) {}

CompiledTape::Occupation::Occupation(std::shared_ptr<CompiledTape> t) : tape(std::move(t)) {
  tape->occupied_ = true;
  for (const Back& b : tape->backs_) versions.push_back(b.plan->outside_versions());
}

void CompiledTape::attach(const TensorList& results, const TensorList& arguments) {
  TensorList starts;
  for (const Ref<TensorImpl>& leaf : leaves_) {
    starts.push_back(Tensor(leaf));
    for (size_t i = 0; i < arguments.size(); ++i)
      if (forward_->inputs()[i].get() == leaf.get()) starts.back() = arguments[i];
  }
  auto since = std::make_shared<Occupation>(shared_from_this());
  record("compiled", starts, results, [since](Backward& b) { return since->tape->back(b.incoming, *since); });
}

TensorList CompiledTape::back(const TensorList& incoming, const Occupation& since) {
  WEFT_CHECK(!grad_enabled(), Runtime,
             "[compile] no second derivative through a compiled step; call the function itself for create_graph=True");
  std::vector<bool> given;
  for (const Tensor& dy : incoming) given.push_back(dy.defined());
  std::lock_guard lock(forward_->busy);
  for (size_t k = 0; k < backs_.size(); ++k) {
    Back& b = backs_[k];
    if (b.given != given) continue;
    WEFT_CHECK(k >= since.versions.size() || b.plan->outside_versions() == since.versions[k], Runtime,
               "[compile] a tensor that backward needs was changed in place after the forward pass; "
               "change a clone() instead");
    size_t input = 0;
    for (const Tensor& dy : incoming)
      if (dy.defined()) b.plan->copy_in(input++, dy);
    b.plan->run();
    TensorList grads;
    for (int i : b.output_of_leaf) grads.push_back(i < 0 ? Tensor() : b.plan->output((size_t)i, {}));
    return grads;
  }
  return record_back(incoming, std::move(given));
}

TensorList CompiledTape::record_back(const TensorList& incoming, std::vector<bool> given) {
  Back b{std::move(given), std::make_shared<Plan>(*forward_), {}};
  TensorList roots, dys, targets;
  for (size_t i = 0; i < incoming.size(); ++i) {
    if (!incoming[i].defined()) continue;
    b.plan->add_input(incoming[i]);
    roots.push_back(roots_[i]);
    dys.push_back(b.plan->inputs().back());
  }
  for (const Ref<TensorImpl>& leaf : leaves_) targets.push_back(Tensor(leaf));
  b.plan->begin();
  TensorList grads;
  try {
    grads = run_backward(roots, dys, true, false, targets, false);
  } catch (...) {
    b.plan->end();
    throw;
  }
  b.plan->end();
  TensorList outputs;
  for (const Tensor& g : grads) {
    b.output_of_leaf.push_back(g.defined() ? (int)outputs.size() : -1);
    if (g.defined()) outputs.push_back(g);
  }
  b.plan->finish(outputs);
  TensorList own;
  for (int i : b.output_of_leaf) own.push_back(i < 0 ? Tensor() : b.plan->output((size_t)i, {}));
  backs_.push_back(std::move(b));
  return own;
}

std::string CompiledTape::broken() const {
  for (const Back& b : backs_)
    if (!b.plan->broken().empty()) return b.plan->broken();
  return {};
}

}  // namespace weft
