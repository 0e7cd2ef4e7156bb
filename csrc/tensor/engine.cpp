// The backward pass. Nodes are visited in descending order of creation: whatever used a node's outputs was created
// after it, so its gradient is complete when its turn comes, and the order of summation is the program's own.
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "ops/copy.h"
#include "ops/pointwise.h"
#include "ops/sparse.h"
#include "tensor/autograd.h"

namespace weft {

namespace {

bool ours_alone(const Tensor& t) { return t.ref().unique() && t.get()->storage.unique() && t.is_contiguous(); }

// sum += g, in place where nobody else can see it.
void accumulate(Tensor& sum, Tensor g) {
  if (!sum.defined())
    sum = std::move(g);
  else if (sum.is_sparse() || g.is_sparse())
    sum = add_sparse(sum, g, !grad_enabled() && ours_alone(sum));
  else if (!grad_enabled() && ours_alone(sum) && sum.dtype() == g.dtype() && sum.shape() == g.shape())
    add_into(sum, g);
  else
    sum = add(sum, g);
}

struct Pending {
  Ref<Node> node;
  TensorList grads;
};

class Engine {
 public:
  Engine(bool retain_graph, const TensorList& inputs, bool into_leaves)
      : retain_graph_(retain_graph), into_leaves_(into_leaves), results_(inputs.size()) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      Edge e = edge_of(inputs[i]);
      WEFT_CHECK(e.wanted(), Runtime, "[grad] input ", i, " does not require a gradient");
      if (e.leaf)
        leaf_targets_[e.leaf.get()].push_back(i);
      else
        node_targets_[e.node.get()].emplace_back(e.output_nr, i);
    }
    filtered_ = !inputs.empty();
    inputs_ = inputs;
  }

  TensorList run(const TensorList& roots, TensorList& grads) {
    for (size_t i = 0; i < roots.size(); ++i) {
      Edge e = edge_of(roots[i]);
      WEFT_CHECK(e.wanted(), Runtime, "[backward] tensor ", i,
                 " does not require a gradient and has no history; was it computed under no_grad()?");
      if (filtered_) mark_needed(e.node);
      send(e, std::move(grads[i]));
    }
    while (!order_.empty()) {
      Node* node = order_.top().second;
      order_.pop();
      auto found = pending_.find(node);
      Pending p = std::move(found->second);
      pending_.erase(found);
      visit(p);
    }
    return std::move(results_);
  }

 private:
  void visit(Pending& p) {
    Node& node = *p.node;
    std::vector<Node::OutputHook> hooks = node.hooks;  // a copy: one may take itself off
    for (auto& h : hooks)
      if (p.grads[h.output_nr].defined()) {
        Tensor changed = h.hook.call(p.grads[h.output_nr]);
        if (changed.defined()) p.grads[h.output_nr] = changed;
      }
    if (auto t = node_targets_.find(&node); t != node_targets_.end())
      for (auto [nr, index] : t->second) {
        results_[index] = p.grads[nr];
        if (into_leaves_ && p.grads[nr].defined()) add_to_grad(*inputs_[index].get(), p.grads[nr]);
      }
    if (filtered_ && !needed_.count(&node)) return;

    WEFT_CHECK(!node.released, Runtime, "[", node.name,
               "] backward through this part of the graph a second time: its saved tensors were freed; "
               "pass retain_graph=True to the first backward");
    Backward b(node, std::move(p.grads));
    TensorList out = node.apply(b);
    if (!retain_graph_) {
      node.released = true;
      node.release();
    }
    for (size_t i = 0; i < out.size() && i < node.next.size(); ++i)
      if (out[i].defined() && node.next[i].wanted()) send(node.next[i], std::move(out[i]));
  }

  void send(const Edge& e, Tensor grad) {
    if (e.leaf) {
      if (!filtered_ || leaf_targets_.count(e.leaf.get())) arrive(e.leaf, std::move(grad));
      return;
    }
    if (filtered_ && !needed_.count(e.node.get()) && !node_targets_.count(e.node.get())) return;
    auto [it, fresh] = pending_.try_emplace(e.node.get());
    if (fresh) {
      it->second.node = e.node;
      it->second.grads.resize((size_t)e.node->outputs);
      order_.emplace(e.node->sequence, e.node.get());
    }
    accumulate(it->second.grads[e.output_nr], std::move(grad));
  }

  void arrive(const Ref<TensorImpl>& leaf, Tensor grad) {
    std::vector<TensorHook> hooks;  // a copy: one may take itself off
    if (leaf->hooks) hooks = *leaf->hooks;
    for (auto& h : hooks) {
      if (h.after_accumulation) continue;
      Tensor changed = h.call(grad);
      if (changed.defined()) grad = changed;
    }
    if (!into_leaves_) {
      for (size_t i : leaf_targets_.at(leaf.get())) accumulate(results_[i], grad);
      return;
    }
    add_to_grad(*leaf, std::move(grad));
    for (auto& h : hooks)
      if (h.after_accumulation) h.call(Tensor(leaf));
  }

  static void add_to_grad(TensorImpl& x, Tensor grad) {
    note_grad(x, GradUse::Added);
    if (!x.grad) {
      x.grad = grad_enabled() || ours_alone(grad) ? grad.ref() : clone(grad).ref();
    } else if (x.grad->storage->sparse || grad.is_sparse()) {
      x.grad = add_sparse(Tensor(x.grad), grad, !grad_enabled()).ref();
    } else if (grad_enabled()) {
      x.grad = add(Tensor(x.grad), grad).ref();
    } else {
      Tensor sum(x.grad);
      add_into(sum, grad);
      sum.bump_version();
    }
  }

  // With targets given, only nodes from which one can be reached are run.
  void mark_needed(const Ref<Node>& root) {
    if (!root) return;
    enum { Open, Closed };
    std::vector<std::pair<Node*, int>> stack{{root.get(), Open}};
    while (!stack.empty()) {
      auto [node, state] = stack.back();
      stack.pop_back();
      if (state == Open) {
        if (!seen_.insert(node).second) continue;
        stack.emplace_back(node, Closed);
        for (const Edge& e : node->next)
          if (e.node) stack.emplace_back(e.node.get(), Open);
      } else {
        for (const Edge& e : node->next)
          if ((e.leaf && leaf_targets_.count(e.leaf.get())) ||
              (e.node && (needed_.count(e.node.get()) || node_targets_.count(e.node.get()))))
            needed_.insert(node);
      }
    }
  }

  bool retain_graph_, into_leaves_, filtered_ = false;
  TensorList results_, inputs_;
  std::unordered_map<Node*, Pending> pending_;
  std::priority_queue<std::pair<uint64_t, Node*>> order_;
  std::unordered_map<TensorImpl*, std::vector<size_t>> leaf_targets_;
  std::unordered_map<Node*, std::vector<std::pair<int, size_t>>> node_targets_;
  std::unordered_set<Node*> needed_, seen_;
};

}  // namespace

TensorList run_backward(const TensorList& roots, TensorList grads, bool retain_graph, bool create_graph,
                        const TensorList& inputs, bool accumulate) {
  grads.resize(roots.size());
  for (size_t i = 0; i < roots.size(); ++i) {
    const Tensor& r = roots[i];
    if (!grads[i].defined()) {
      WEFT_CHECK(r.numel() == 1, Runtime,
                 "[backward] a gradient can be made up only for a tensor of one element, got shape ",
                 to_string(r.shape()), "; pass gradient=");
      grads[i] = Tensor::full(r.shape(), 1, r.dtype(), r.device());
    }
    WEFT_CHECK(grads[i].shape() == r.shape(), Runtime, "[backward] gradient has shape ", to_string(grads[i].shape()),
               ", the tensor has ", to_string(r.shape()));
    WEFT_CHECK(grads[i].dtype() == r.dtype() && grads[i].device() == r.device(), Runtime,
               "[backward] gradient has dtype ", name_of(grads[i].dtype()), " on ", to_string(grads[i].device()),
               ", the tensor has ", name_of(r.dtype()), " on ", to_string(r.device()));
  }
  GradMode mode(create_graph);
  Engine engine(retain_graph, inputs, accumulate);
  return engine.run(roots, grads);
}

}  // namespace weft
