#include "tensor/autograd.h"

#include <atomic>

#include "ops/copy.h"
#include "ops/view.h"
#include "tensor/strided.h"

namespace weft {

namespace {
thread_local bool mode = true;
std::atomic<uint64_t> next_sequence{1};
}  // namespace

bool grad_mode() { return mode; }
bool grad_enabled() { return mode && !inference_mode(); }
void set_grad_enabled(bool on) { mode = on; }

bool needs_grad(const TensorList& list) {
  if (!grad_enabled()) return false;
  for (const Tensor& t : list)
    if (t.defined() && t.requires_grad()) return true;
  return false;
}

Node::Node(const char* name) : name(name), sequence(next_sequence.fetch_add(1, std::memory_order_relaxed)) {}

// Nodes own what they were made from, so a loop of a million steps is a chain of a million: destroying it one inside
// the other would overflow the stack. The outermost call takes the chain apart.
void dispose(Ref<Node>&& node) {
  thread_local std::vector<Ref<Node>>* queue = nullptr;
  if (!node) return;
  if (queue) {
    queue->push_back(std::move(node));
    return;
  }
  if (!node.unique()) {
    node.reset();
    return;
  }
  std::vector<Ref<Node>> pending;
  queue = &pending;
  node.reset();
  while (!pending.empty()) {
    Ref<Node> last = std::move(pending.back());
    pending.pop_back();
    last.reset();
  }
  queue = nullptr;
}

Node::~Node() {
  for (Edge& e : next) dispose(std::move(e.node));
}

std::vector<Pack>& saved_tensors_hooks() {
  thread_local std::vector<Pack> hooks;
  return hooks;
}

// True where a hook took the tensor. `history`: the tensor whose gradient's way the unpacked one continues.
bool Saved::pack(const Tensor& t, const Tensor& history) {
  WEFT_CHECK(!t.get()->storage->inference || inference_mode(), Runtime,
             "a tensor made in inference mode cannot be saved for backward; use clone() outside of it, or no_grad()");
  if (saved_tensors_hooks().empty()) return false;
  Pack hook = saved_tensors_hooks().back();  // a copy: it may take itself off
  packed_ = std::make_shared<Packed>(Packed{hook(t.detach()), edge_of(history), t.shape(), t.dtype(), t.device()});
  return true;
}

Tensor Saved::unpacked(const char* name) const {
  Tensor got = packed_->unpack();
  WEFT_CHECK(
      got.defined() && got.shape() == packed_->shape && got.dtype() == packed_->dtype &&
          got.device() == packed_->device,
      Runtime, "[", name, "] a saved tensor of shape ", to_string(packed_->shape), " and dtype ",
      name_of(packed_->dtype), " on ", to_string(packed_->device), " came back from its hook as something else: ",
      got.defined()
          ? cat("shape ", to_string(got.shape()), ", dtype ", name_of(got.dtype()), " on ", to_string(got.device()))
          : "nothing");
  got = got.detach();
  const Edge& edge = packed_->edge;
  if (edge.leaf && grad_enabled()) {
    record("saved", {Tensor(edge.leaf)}, {got}, [](Backward& b) { return b.grads(b.dy()); });
  } else if (edge.node) {
    got.get()->requires_grad = true;
    got.get()->grad_fn = edge.node;
    got.get()->output_nr = edge.output_nr;
  }
  return got;
}

Saved::Saved(const Tensor& t) {
  if (!t.defined() || pack(t, t)) return;
  tensor_ = t;
  version_ = t.version();
  if (!t.get()->view_base) return;
  // A view is kept without the tensor it is a view of: that one's history may come to depend on this very node.
  Ref<Node> history = grad_fn_of(t);
  tensor_ = t.detach();
  tensor_.get()->requires_grad = t.requires_grad();
  tensor_.get()->grad_fn = std::move(history);
  tensor_.get()->output_nr = t.get()->output_nr;
}

Saved Saved::output(const Tensor& t, int nr) {
  Saved s;
  s.output_ = true;
  s.nr_ = nr;
  if (s.pack(t, {})) return s;
  s.tensor_ = t.detach();
  s.version_ = t.version();
  return s;
}

Tensor Saved::get(const char* name, Node* node) const {
  if (!defined()) return tensor_;
  WEFT_CHECK(packed_ || tensor_.version() == version_, Runtime, "[", name, "] a tensor of shape ",
             to_string(tensor_.shape()),
             " that backward needs was changed in place after the forward pass (it is at version ", tensor_.version(),
             ", expected ", version_, "); change a clone() instead");
  Tensor t = packed_ ? unpacked(name) : tensor_;
  if (!output_) return t;
  t = t.detach();
  if (!node) return t;
  t.get()->requires_grad = true;
  t.get()->grad_fn = Ref<Node>(node);
  t.get()->output_nr = nr_;
  return t;
}

namespace {

void set_history(const Tensor& t, Ref<Node> node, int output_nr) {
  TensorImpl* impl = t.get();
  dispose(std::move(impl->grad_fn));
  impl->grad_fn = std::move(node);
  impl->output_nr = output_nr;
  impl->requires_grad = true;
}

void collect_edges(Node& node, const Tensor* inputs, int n) {
  node.next.reserve((size_t)n);
  for (int i = 0; i < n; ++i) node.next.push_back(edge_of(inputs[i]));
}

bool is_stale_view(const TensorImpl& t) {
  return t.view_base && t.view_base->requires_grad && t.view_version != t.storage->version.load() &&
         (t.grad_fn || !t.requires_grad);
}

}  // namespace

Ref<Node> grad_fn_of(const Tensor& t) {
  TensorImpl* impl = t.get();
  if (is_stale_view(*impl)) {  // changed through its base or through another view: its history starts at the base
    set_history(t, strided_view_node(Tensor(impl->view_base), t), 0);
    impl->view_version = t.version();
  }
  return impl->grad_fn;
}

Edge edge_of(const Tensor& t) {
  Edge e;
  if (!t.defined()) return e;
  e.node = grad_fn_of(t);
  if (e.node)
    e.output_nr = t.get()->output_nr;
  else if (t.requires_grad())
    e.leaf = t.ref();
  return e;
}

void link(const Ref<Node>& node, const Tensor* inputs, int n_inputs, const Tensor* outputs, int n_outputs) {
  collect_edges(*node, inputs, n_inputs);
  node->outputs = n_outputs;
  for (int i = 0; i < n_outputs; ++i)
    if (outputs[i].defined() && is_floating(outputs[i].dtype())) set_history(outputs[i], node, i);
}

InPlace::InPlace(const char* name, const Tensor& x) : x_(x) {
  const TensorImpl& impl = *x.get();
  WEFT_CHECK(impl.storage->writable, Runtime, "[", name,
             "] the tensor shares read-only memory (a NumPy array that is not writeable); change a clone() instead");
  for (int i = 0; i < x.dim(); ++i)
    WEFT_CHECK(impl.strides[i] != 0 || impl.shape[i] <= 1, Runtime, "[", name,
               "] several elements of the tensor share one place in memory (expand); change a clone() instead");
  WEFT_CHECK(!impl.storage->inference || inference_mode(), Runtime, "[", name,
             "] a tensor made in inference mode cannot be changed in place outside of it; change a clone() instead");
  if (!grad_enabled()) return;
  WEFT_CHECK(!(impl.requires_grad && x.is_leaf() && !is_stale_view(impl)), Runtime, "[", name,
             "] a leaf tensor that requires grad cannot be changed in place; use weft.no_grad() or detach()");
  if (impl.view_base)
    WEFT_CHECK(!impl.view_base->requires_grad || impl.view_base->grad_fn, Runtime, "[", name,
               "] a view of a leaf tensor that requires grad cannot be changed in place; use weft.no_grad()");
}

bool is_view(const Tensor& x) { return (bool)x.get()->view_base; }

void link_inplace(const Ref<Node>& node, const Tensor& x, const Tensor* inputs, int n_inputs) {
  collect_edges(*node, inputs, n_inputs);
  TensorImpl* impl = x.get();
  if (!impl->view_base) {
    set_history(x, node, 0);
    return;
  }
  Tensor base(impl->view_base);
  set_history(base, copy_slices_node(base, x, node), 0);
  set_history(x, strided_view_node(base, x), 0);
  impl->view_version = x.version();
}

void no_second_derivative(const char* name, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> y) {
  if (!grad_enabled()) return;
  bool any = false;
  for (const Tensor& t : inputs) any = any || needs_grad(t);
  if (!any) return;
  record(name, inputs, y, [](Backward& b) -> TensorList {
    fail(ErrorKind::Runtime, cat("[", b.node.name,
                                 "] its backward is a fused kernel without a derivative of its own: "
                                 "no second derivative through this operation"));
  });
}

}  // namespace weft
