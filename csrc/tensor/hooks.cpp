#include "tensor/hooks.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "ops/copy.h"
#include "ops/reduce.h"
#include "tensor/launch.h"

namespace weft {

std::shared_ptr<py::object> shared_callable(py::object f) {
  return std::shared_ptr<py::object>(new py::object(std::move(f)), [](py::object* o) {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    delete o;
  });
}

namespace {

struct NodeObject {
  Ref<Node> node;
};

TensorHook make_hook(int64_t id, py::object f) {
  return {id, [f = shared_callable(std::move(f))](const Tensor& grad) {
            if (anybody_records()) note_cannot_replay("a hook is called");
            py::gil_scoped_acquire gil;
            py::object result = (*f)(grad);
            if (result.is_none()) return Tensor();
            Tensor changed = result.cast<Tensor>();
            WEFT_CHECK(
                changed.shape() == grad.shape() && changed.dtype() == grad.dtype() && changed.device() == grad.device(),
                Runtime, "[register_hook] the hook returned a gradient of ", name_of(changed.dtype()), " ",
                to_string(changed.shape()), ", expected ", name_of(grad.dtype()), " ", to_string(grad.shape()));
            return changed;
          }};
}

// What register_hook returns: remove() takes the hook off.
struct HookHandle {
  std::function<void()> off;
};

int64_t fresh_id() {
  static std::atomic<int64_t> last{0};
  return ++last;
}

HookHandle hook_leaf(const Tensor& t, TensorHook hook) {
  auto& hooks = t.get()->hooks;
  if (!hooks) hooks = std::make_shared<std::vector<TensorHook>>();
  hooks->push_back(std::move(hook));
  return {[weak = std::weak_ptr(hooks), id = hooks->back().id] {
    if (auto all = weak.lock()) std::erase_if(*all, [id](auto& h) { return h.id == id; });
  }};
}

constexpr int64_t kRetain = 0;  // the id of the hook of retain_grad, which stays the last

HookHandle register_hook(const Tensor& t, py::object f) {
  WEFT_CHECK(t.requires_grad(), Runtime, "[register_hook] the tensor does not require a gradient");
  TensorHook hook = make_hook(fresh_id(), std::move(f));
  Ref<Node> node = grad_fn_of(t);
  if (!node) return hook_leaf(t, std::move(hook));
  int64_t id = hook.id;
  auto at = std::find_if(node->hooks.begin(), node->hooks.end(), [](auto& h) { return h.hook.id == kRetain; });
  node->hooks.insert(at, {t.get()->output_nr, std::move(hook)});
  return {[node, id] { std::erase_if(node->hooks, [id](auto& h) { return h.hook.id == id; }); }};
}

HookHandle register_post_accumulate_grad_hook(const Tensor& t, py::object f) {
  WEFT_CHECK(t.requires_grad() && !grad_fn_of(t), Runtime,
             "[register_post_accumulate_grad_hook] expected a leaf tensor that requires a gradient");
  auto call = [f = shared_callable(std::move(f))](const Tensor& leaf) {
    if (anybody_records()) note_cannot_replay("a hook is called");
    py::gil_scoped_acquire gil;
    (*f)(leaf);
    return Tensor();
  };
  return hook_leaf(t, {fresh_id(), call, true});
}

void retain_grad(const Tensor& t) {
  WEFT_CHECK(t.requires_grad(), Runtime, "[retain_grad] the tensor does not require a gradient");
  Ref<Node> node = grad_fn_of(t);
  if (!node || t.get()->retains_grad) return;
  t.get()->retains_grad = true;
  // The hook must not own the tensor: the tensor owns the node.
  py::object weak = py::module_::import("weakref").attr("ref")(t);
  auto keep = py::cpp_function([weak](const Tensor& grad) {
    py::object alive = weak();
    if (!alive.is_none()) tensor_of(alive.ptr()).get()->grad = grad.ref();
  });
  node->hooks.push_back({t.get()->output_nr, make_hook(kRetain, keep)});
}

TensorList list_or_single(py::object o, const char* what) {
  if (o.is_none()) return {};
  if (is_tensor(o.ptr())) return {tensor_of(o.ptr())};
  TensorList list;
  for (py::handle h : o) {
    WEFT_CHECK(h.is_none() || is_tensor(h.ptr()), Type, "[", what, "] expected tensors, got ",
               Py_TYPE(h.ptr())->tp_name);
    list.push_back(h.is_none() ? Tensor() : tensor_of(h.ptr()));
  }
  return list;
}

void backward(py::object tensors, py::object gradients, std::optional<bool> retain_graph, bool create_graph,
              py::object inputs) {
  TensorList roots = list_or_single(tensors, "backward"), grads = list_or_single(gradients, "backward"),
             targets = list_or_single(inputs, "backward");
  WithoutGil free(true);
  run_backward(roots, std::move(grads), retain_graph.value_or(create_graph), create_graph, targets, true);
}

py::tuple grad(py::object outputs, py::object inputs, py::object grad_outputs, std::optional<bool> retain_graph,
               bool create_graph, bool allow_unused) {
  TensorList roots = list_or_single(outputs, "grad"), targets = list_or_single(inputs, "grad"),
             grads = list_or_single(grad_outputs, "grad"), result;
  WEFT_CHECK(!targets.empty(), Value, "[grad] expected at least one input");
  {
    WithoutGil free(true);
    result = run_backward(roots, std::move(grads), retain_graph.value_or(create_graph), create_graph, targets, false);
  }
  py::tuple out(result.size());
  for (size_t i = 0; i < result.size(); ++i) {
    WEFT_CHECK(result[i].defined() || allow_unused, Runtime, "[grad] input ", i,
               " was not used to compute the outputs; pass allow_unused=True to get None for it");
    out[i] = py::cast(result[i]);
  }
  return out;
}

// A gradient from Python as the engine needs it: of the input's shape (a broadcast is undone) and dtype.
struct Fitting {
  Dims shape;
  DType dtype;
  Device device;

  Tensor fit(const char* name, size_t i, Tensor g) const {
    if (!g.defined()) return g;
    WEFT_CHECK(g.device() == device && is_floating(g.dtype()), Runtime, "[", name, "] backward returned for input ", i,
               " a gradient of ", name_of(g.dtype()), " on ", to_string(g.device()), ", expected ", name_of(dtype),
               " on ", to_string(device));
    if (g.shape() != shape) {
      WEFT_CHECK(broadcasts_to(g.shape()), Runtime, "[", name, "] backward returned for input ", i,
                 " a gradient of shape ", to_string(g.shape()), ", expected ", to_string(shape));
      g = sum_to(g, shape);
    }
    return to(g, dtype);
  }

  bool broadcasts_to(const Dims& wide) const {
    int more = wide.n - shape.n;
    for (int d = 0; d < shape.n; ++d)
      if (more < 0 || (shape[d] != wide[more + d] && shape[d] != 1)) return false;
    return more >= 0;
  }
};

// An operation written in Python: `call` gets the node and the outputs' gradients (None where none came) and returns
// one gradient or None per input. `changed`: outputs that are inputs changed in place.
bool record_python(const std::string& name, const TensorList& inputs, const TensorList& outputs, py::object call,
                   const std::vector<size_t>& changed) {
  if (!needs_grad(inputs)) return false;
  static std::set<std::string> names;  // nodes keep a pointer
  const char* kept_name = names.insert(name).first->c_str();
  for (size_t i : changed) {
    InPlace(kept_name, outputs.at(i));
    WEFT_CHECK(outputs.size() == 1 || !is_view(outputs[i]), Runtime, "[", kept_name,
               "] changes a view in place and must return that alone");
  }
  std::vector<Fitting> kinds;
  for (const Tensor& t : inputs) kinds.push_back({t.shape(), t.dtype(), t.device()});
  auto back = [f = shared_callable(std::move(call)), kinds](Backward& b) {
    py::gil_scoped_acquire gil;
    py::tuple arguments(b.incoming.size() + 1);
    arguments[0] = node_object(Ref<Node>(&b.node));
    for (size_t i = 0; i < b.incoming.size(); ++i) arguments[i + 1] = py::cast(b.incoming[i]);
    TensorList grads = list_or_single((*f)(*arguments), b.node.name);
    WEFT_CHECK(grads.size() == kinds.size(), Runtime, "[", b.node.name, "] backward returned ", grads.size(),
               " gradients, expected ", kinds.size());
    for (size_t i = 0; i < grads.size(); ++i) grads[i] = kinds[i].fit(b.node.name, i, grads[i]);
    return grads;
  };
  Ref<Node> node(new FunctionNode<decltype(back)>(kept_name, std::move(back)));
  if (!changed.empty() && is_view(outputs[0]))
    link_inplace(node, outputs[0], inputs.data(), (int)inputs.size());
  else
    link(node, inputs.data(), (int)inputs.size(), outputs.data(), (int)outputs.size());
  return true;
}

// What a hook of Python's made of a tensor: unpack is called with it when backward asks.
Pack make_pack(py::object pack, py::object unpack) {
  return [pack = shared_callable(std::move(pack)), unpack = shared_callable(std::move(unpack))](const Tensor& t) {
    py::gil_scoped_acquire gil;
    return Unpack([unpack, packed = shared_callable((*pack)(t))] {
      py::gil_scoped_acquire gil;
      py::object t = (*unpack)(*packed);
      WEFT_CHECK(is_tensor(t.ptr()), Type, "[saved_tensors_hooks] expected a tensor from the unpack hook, got ",
                 Py_TYPE(t.ptr())->tp_name);
      return tensor_of(t.ptr());
    });
  };
}

}  // namespace

py::object node_object(const Ref<Node>& node) { return py::cast(NodeObject{node}); }

void bind_autograd(py::module_& m) {
  py::class_<NodeObject>(m, "Node", "An operation on the tape.")
      .def("name", [](const NodeObject& n) { return n.node->name; })
      .def_property_readonly(
          "next_functions",
          [](const NodeObject& n) {
            py::list next;
            for (const Edge& e : n.node->next)
              next.append(py::make_tuple(e.node ? node_object(e.node) : py::object(py::none()), e.output_nr));
            return py::tuple(next);
          },
          "The nodes whose outputs went in, None for leaves.")
      .def(
          "__eq__", [](const NodeObject& a, const NodeObject& b) { return a.node == b.node; }, py::is_operator())
      .def("__hash__", [](const NodeObject& n) { return reinterpret_cast<uintptr_t>(n.node.get()); })
      .def("__repr__", [](const NodeObject& n) { return cat("<", n.node->name, ">"); });

  py::class_<HookHandle>(m, "RemovableHandle", "Takes a hook off again.")
      .def("remove",
           [](HookHandle& h) {
             if (h.off) h.off();
             h.off = nullptr;
           })
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](HookHandle& h, py::args) {
        if (h.off) h.off();
        h.off = nullptr;
      });

  py::class_<Saved>(m, "_Saved", "A tensor kept for a backward written in Python.")
      .def(py::init(
               [](const Tensor& t, int output_nr) { return output_nr < 0 ? Saved(t) : Saved::output(t, output_nr); }),
           py::arg("tensor"), py::arg("output_nr") = -1)
      .def(
          "get",
          [](const Saved& s, const char* name, const NodeObject* node) {
            return s.get(name, node ? node->node.get() : nullptr);
          },
          py::arg("name"), py::arg("node") = nullptr);
  m.def(
      "_zero_grads",
      [](const py::iterable& tensors, bool set_to_none) {
        for (py::handle t : tensors) {
          TensorImpl* impl = tensor_of(t.ptr()).get();
          note_grad(*impl, set_to_none ? GradUse::Cleared : GradUse::Read);
          Tensor grad(impl->grad);
          impl->grad.reset();
          if (set_to_none || !grad.defined() || grad.is_sparse()) continue;
          grad = grad.detach();
          fill_raw(grad, 0);
          grad.bump_version();
          impl->grad = grad.ref();
        }
      },
      py::arg("tensors"), py::arg("set_to_none"), "Sets the .grad of each to None, or to zeros where there is one.");
  m.def("_push_saved_tensors_hooks", [](py::object pack, py::object unpack) {
    saved_tensors_hooks().push_back(make_pack(std::move(pack), std::move(unpack)));
  });
  m.def("_pop_saved_tensors_hooks", [] {
    WEFT_CHECK(!saved_tensors_hooks().empty(), Runtime, "[saved_tensors_hooks] left in another thread than entered");
    saved_tensors_hooks().pop_back();
  });

  m.def("is_inference_mode_enabled", &inference_mode, "Whether this thread is in inference_mode().");
  m.def("_set_inference_mode", &set_inference_mode);
  def_both(
      m, "is_inference", [](const Tensor& t) { return t.get()->storage->inference; },
      "True for a tensor made in inference mode.");
  m.def("is_grad_enabled", &grad_mode, "Whether operations of this thread are recorded.");
  m.def("_set_grad_enabled", [](bool enabled) {
    const bool before = grad_mode();
    set_grad_enabled(enabled);
    return before;
  });
  m.def("_backward", &backward, py::arg("tensors"), py::arg("grad_tensors") = py::none(),
        py::arg("retain_graph") = py::none(), py::arg("create_graph") = false, py::arg("inputs") = py::none());
  m.def("_grad", &grad, py::arg("outputs"), py::arg("inputs"), py::arg("grad_outputs") = py::none(),
        py::arg("retain_graph") = py::none(), py::arg("create_graph") = false, py::arg("allow_unused") = false);
  m.def("_record_python", &record_python, py::arg("name"), py::arg("inputs"), py::arg("outputs"), py::arg("call"),
        py::arg("changed") = std::vector<size_t>());

  def_method(
      "backward",
      [](py::object self, py::object gradient, std::optional<bool> retain_graph, bool create_graph, py::object inputs) {
        backward(self, gradient, retain_graph, create_graph, inputs);
      },
      py::arg("gradient") = py::none(), py::arg("retain_graph") = py::none(), py::arg("create_graph") = false,
      py::arg("inputs") = py::none(),
      "Accumulates d(self)/d(leaf) into the .grad of every leaf that self was computed from. `gradient` weights "
      "self's elements and may be left out for one element. RuntimeError on a graph that was already used.");
  def_method("register_hook", &register_hook, py::arg("hook"),
             "Calls hook(grad) during backward; what it returns, if not None, replaces the gradient.");
  def_method("register_post_accumulate_grad_hook", &register_post_accumulate_grad_hook, py::arg("hook"),
             "Calls hook(tensor) each time that backward has added to a leaf's .grad.");
  def_method("retain_grad", &retain_grad, "Keeps .grad of a tensor that is not a leaf.");
}

}  // namespace weft
