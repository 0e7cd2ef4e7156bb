// The tape. An operation computes its result, then records how to go back:
//
//   Tensor tanh(const Tensor& x) {
//     Tensor y = ...;                                     // launch the forward kernel
//     if (needs_grad(x))
//       record("tanh", {x}, {y}, [y = Saved::output(y)](Backward& b) {
//         Tensor v = y.get(b);
//         return b.grads(mul(b.dy(), sub(1, mul(v, v))));  // operations: second derivatives for free
//       });
//     return y;
//   }
//
// The engine visits nodes in descending order of creation, on the calling thread, without the GIL: gradients are
// summed in an order that depends on the program alone.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "tensor/tensor.h"

namespace weft {

bool grad_mode();     // thread-local; weft.no_grad() and enable_grad() set it
bool grad_enabled();  // operations are recorded: grad mode outside of inference mode
void set_grad_enabled(bool on);
struct GradMode {  // RAII
  explicit GradMode(bool on) : before(grad_mode()) { set_grad_enabled(on); }
  ~GradMode() { set_grad_enabled(before); }
  bool before;
};

inline bool needs_grad(const Tensor& a) { return a.defined() && a.requires_grad() && grad_enabled(); }
template <class... T>
bool needs_grad(const Tensor& a, const T&... more) {
  return needs_grad(a) || needs_grad(more...);
}
bool needs_grad(const TensorList& list);

// Where a gradient goes: an output of a node, or the `.grad` of a leaf. Empty: nobody wants it.
struct Edge {
  Ref<Node> node;
  int output_nr = 0;
  Ref<TensorImpl> leaf;
  bool wanted() const { return node || leaf; }
};

struct TensorHook {
  int64_t id;
  std::function<Tensor(const Tensor&)> call;  // returns undefined to leave the gradient as it is
  bool after_accumulation = false;            // of a leaf: called with the leaf once .grad is up to date
};

class Backward;
void dispose(Ref<Node>&& node);  // drops a node without recursion into its ancestors

struct Node : RefCounted {
  const char* name;
  uint64_t sequence;  // order of creation
  int outputs = 1;
  std::vector<Edge> next;  // one per input
  bool released = false;   // saved tensors dropped after a backward without retain_graph
  struct OutputHook {
    int output_nr;
    TensorHook hook;
  };
  std::vector<OutputHook> hooks;

  explicit Node(const char* name);
  ~Node() override;                           // iterative: a long chain must not overflow the stack
  virtual TensorList apply(Backward& b) = 0;  // gradients for `next`, undefined where none
  virtual void release() = 0;
};

// What a backward function is given.
class Backward {
 public:
  Backward(Node& node, TensorList incoming) : node(node), incoming(std::move(incoming)) {}
  Node& node;
  TensorList incoming;  // one per output; undefined where no gradient came
  const Tensor& dy(int i = 0) const { return incoming[i]; }
  bool needs(int input) const { return node.next[input].wanted(); }
  template <class... T>
  TensorList grads(T&&... t) const {
    TensorList list;
    list.reserve(sizeof...(t));
    (list.push_back(std::forward<T>(t)), ...);
    return list;
  }
};

// What a hook made of a tensor to be saved, and how to get it back: another form, another place, or a recomputation.
using Unpack = std::function<Tensor()>;
using Pack = std::function<Unpack(const Tensor&)>;
std::vector<Pack>& saved_tensors_hooks();  // of this thread; the last one is asked

// A tensor kept for backward. get() raises, naming the operation, if it was changed in place since.
class Saved {
 public:
  Saved() = default;
  Saved(const Tensor& t);                                   // an input
  static Saved output(const Tensor& t, int output_nr = 0);  // an output of the node being recorded
  Tensor get(Backward& b) const { return get(b.node.name, &b.node); }
  Tensor get(const char* name, Node* node) const;  // node: the one whose output it may be, or null
  bool defined() const { return tensor_.defined() || packed_; }

 private:
  struct Packed {
    Unpack unpack;
    Edge edge;  // of an input: where its gradient goes
    Dims shape;
    DType dtype;
    Device device;
  };
  bool pack(const Tensor& t, const Tensor& history);
  Tensor unpacked(const char* name) const;

  Tensor tensor_;
  std::shared_ptr<Packed> packed_;
  uint32_t version_ = 0;
  bool output_ = false;
  int nr_ = 0;
};

template <class F>
struct FunctionNode final : Node {
  F* fn;
  alignas(F) unsigned char room[sizeof(F)];
  FunctionNode(const char* name, F&& f) : Node(name), fn(new (room) F(std::move(f))) {}
  ~FunctionNode() override { release(); }
  TensorList apply(Backward& b) override { return (*fn)(b); }
  void release() override {
    if (fn) {
      fn->~F();
      fn = nullptr;
    }
  }
};

// Links: inputs' edges into the node, outputs onto it. Outputs must be fresh tensors.
void link(const Ref<Node>& node, const Tensor* inputs, int n_inputs, const Tensor* outputs, int n_outputs);

template <class F>
void record(const char* name, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> outputs, F f) {
  link(Ref<Node>(new FunctionNode<F>(name, std::move(f))), inputs.begin(), (int)inputs.size(), outputs.begin(),
       (int)outputs.size());
}
template <class F>
void record(const char* name, const TensorList& inputs, const TensorList& outputs, F f) {
  link(Ref<Node>(new FunctionNode<F>(name, std::move(f))), inputs.data(), (int)inputs.size(), outputs.data(),
       (int)outputs.size());
}

// In place. `InPlace change("add_", x)` checks first (leaf that requires grad, read-only memory, memory that overlaps
// itself); run the kernel into x; then change.done(), which bumps the version; then record_inplace with x among the
// inputs. History of x, and of the tensor that x is a view of, is rewritten.
class InPlace {
 public:
  InPlace(const char* name, const Tensor& x);
  void done() { x_.bump_version(); }

 private:
  Tensor x_;
};
void link_inplace(const Ref<Node>& node, const Tensor& x, const Tensor* inputs, int n_inputs);
bool is_view(const Tensor& x);
template <class F>
void record_inplace(const char* name, const Tensor& x, std::initializer_list<Tensor> inputs, F f) {
  link_inplace(Ref<Node>(new FunctionNode<F>(name, std::move(f))), x, inputs.begin(), (int)inputs.size());
}

// Marks `y` (made by a fused backward kernel) as having no further derivative: asking for one is an error that names
// the operation. `inputs` are what y depends on.
void no_second_derivative(const char* name, std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> y);

// The edge a gradient for t goes to. Brings the history of a view up to date.
Edge edge_of(const Tensor& t);
Ref<Node> grad_fn_of(const Tensor& t);

// roots and their incoming gradients (undefined: ones, for a one-element root). With `inputs` empty, gradients are
// accumulated into leaves; else they are returned, in order (undefined where unreachable).
TensorList run_backward(const TensorList& roots, TensorList grads, bool retain_graph, bool create_graph,
                        const TensorList& inputs, bool accumulate);

}  // namespace weft
