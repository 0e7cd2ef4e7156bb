#include "tensor/hooks.h"

#include <set>

#include "tensor/launch.h"

namespace weft {

namespace {

struct NodeObject {
  Ref<Node> node;
};

// A Python callable that C++ may keep and drop without the GIL.
std::shared_ptr<py::object> shared_callable(py::object f) {
  return std::shared_ptr<py::object>(new py::object(std::move(f)), [](py::object* o) {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    delete o;
  });
}

TensorHook make_hook(int64_t id, py::object f) {
  return {id, [f = shared_callable(std::move(f))](const Tensor& grad) {
            py::gil_scoped_acquire gil;
            py::object result = (*f)(grad);
            return result.is_none() ? Tensor() : result.cast<Tensor>();
          }};
}

// What register_hook returns: remove() takes the hook off.
struct HookHandle {
  std::function<void()> off;
};

HookHandle register_hook(const Tensor& t, py::object f) {
  static int64_t next_id = 0;
  int64_t id = ++next_id;
  WEFT_CHECK(t.requires_grad(), Runtime, "[register_hook] the tensor does not require a gradient");
  if (Ref<Node> node = grad_fn_of(t)) {
    node->hooks.push_back({t.get()->output_nr, make_hook(id, std::move(f))});
    return {[node, id] { std::erase_if(node->hooks, [id](auto& h) { return h.hook.id == id; }); }};
  }
  auto& hooks = t.get()->hooks;
  if (!hooks) hooks = std::make_shared<std::vector<TensorHook>>();
  hooks->push_back(make_hook(id, std::move(f)));
  return {[weak = std::weak_ptr(hooks), id] {
    if (auto all = weak.lock()) std::erase_if(*all, [id](auto& h) { return h.id == id; });
  }};
}

void retain_grad(const Tensor& t) {
  WEFT_CHECK(t.requires_grad(), Runtime, "[retain_grad] the tensor does not require a gradient");
  Ref<Node> node = grad_fn_of(t);
  if (!node || t.get()->retains_grad) return;
  t.get()->retains_grad = true;
  // The hook must not own the tensor: the tensor owns the node.
  py::object weak = py::module_::import("weakref").attr("ref")(t);
  node->hooks.push_back({t.get()->output_nr, make_hook(0, py::cpp_function([weak](const Tensor& grad) {
                                                         py::object alive = weak();
                                                         if (!alive.is_none())
                                                           tensor_of(alive.ptr()).get()->grad = grad.ref();
                                                       }))});
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

// An operation written in Python: `call` gets the outputs' gradients (None where none came) and returns one gradient
// or None per input.
void record_python(const std::string& name, const TensorList& inputs, const TensorList& outputs, py::object call) {
  if (!needs_grad(inputs)) return;
  static std::set<std::string> names;  // nodes keep a pointer
  const char* kept_name = names.insert(name).first->c_str();
  record(kept_name, inputs, outputs, [f = shared_callable(std::move(call)), n = inputs.size()](Backward& b) {
    py::gil_scoped_acquire gil;
    py::tuple incoming(b.incoming.size());
    for (size_t i = 0; i < b.incoming.size(); ++i) incoming[i] = py::cast(b.incoming[i]);
    TensorList grads = list_or_single((*f)(*incoming), b.node.name);
    WEFT_CHECK(grads.size() == n, Runtime, "[", b.node.name, "] backward returned ", grads.size(),
               " gradients, expected ", n);
    return grads;
  });
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

  m.def("is_grad_enabled", &grad_enabled, "Whether operations of this thread are recorded.");
  m.def("_set_grad_enabled", &set_grad_enabled);
  m.def("_backward", &backward, py::arg("tensors"), py::arg("grad_tensors") = py::none(),
        py::arg("retain_graph") = py::none(), py::arg("create_graph") = false, py::arg("inputs") = py::none());
  m.def("_grad", &grad, py::arg("outputs"), py::arg("inputs"), py::arg("grad_outputs") = py::none(),
        py::arg("retain_graph") = py::none(), py::arg("create_graph") = false, py::arg("allow_unused") = false);
  m.def("_record_python", &record_python);

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
  def_method("retain_grad", &retain_grad, "Keeps .grad of a tensor that is not a leaf.");
}

}  // namespace weft
