// Optimizer steps over whole lists of parameters: a launch for each 64 tensors. All of them are off the tape, and bump
// the version of what they change. The Python classes hand over their parameters and the dicts of their state as they
// are: finding gradients and state costs tens of nanoseconds for each tensor here, and a microsecond there.
#include "kernels/optimizer.h"

#include "ops/copy.h"
#include "ops/sparse.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

struct Scalar {  // a number, or a float32 tensor of one element that is read when the step runs
  double value = 1;
  Tensor at;

  Scalar(const char* op, const char* what, const py::object& o, double otherwise = 1) : value(otherwise) {
    if (o.is_none()) return;
    if (is_tensor(o.ptr())) {
      at = tensor_of(o.ptr());
      WEFT_CHECK(at.dtype() == DType::Float32 && at.numel() == 1, Value, "[", op, "] expected ", what,
                 " to be a number or a float32 tensor of one element, got ", name_of(at.dtype()), " ",
                 to_string(at.shape()));
      return;
    }
    value = PyFloat_AsDouble(o.ptr());
    if (value == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      fail(ErrorKind::Type, cat("[", op, "] expected ", what, " to be a number or a tensor, got ",
                                py::str(py::type::of(o).attr("__name__")).cast<std::string>()));
    }
  }
  const float* pointer(const char* op, Device device) const {
    if (!at.defined()) return nullptr;
    WEFT_CHECK(at.device() == device, Value, "[", op, "] expected numbers on ", to_string(device), ", got one on ",
               to_string(at.device()));
    return at.ptr<float>();
  }
};

// Tensors, checked, as lists for the kernels: each of one dtype and device, of at most kOptimizerTensors. What the
// kernel changes but cannot address, because it is not contiguous, it gets as a copy, written back at the end.
class Lists {
 public:
  explicit Lists(const char* op) : op_(op) {}

  // A place for p. What the others put there is checked against it.
  // rows: of its gradient, where that is sparse.
  OptimizerTensor& add(const Tensor& p, bool changes, bool fresh = false, const SparseRows* rows = nullptr) {
    WEFT_CHECK(is_floating(p.dtype()), Type, "[", op_, "] expected floating tensors, got ", name_of(p.dtype()),
               " at position ", added_);
    size_t k = lists_.size();
    auto fits = [&](const Placed& l) { return l.list.dtype == p.dtype() && l.device == p.device() && !l.list.ids; };
    while (k > 0 && !fits(lists_[k - 1])) --k;
    if (k == 0 || rows || lists_[k - 1].list.count == kOptimizerTensors) {
      lists_.push_back({});
      k = lists_.size();
      lists_[k - 1].list.dtype = p.dtype();
      lists_[k - 1].device = p.device();
    }
    OptimizerList& list = lists_[k - 1].list;
    list.fresh |= (uint64_t)fresh << list.count;
    OptimizerTensor& slot = list.t[list.count++];
    slot.n = p.numel();
    slot.p = put("parameter", p, p, changes);
    if (rows) {
      WEFT_CHECK(p.dim() == 2 && rows->values.shape()[1] == p.shape()[1] && rows->values.dtype() == p.dtype(), Value,
                 "[", op_, "] expected a sparse gradient as wide as its parameter ", name_of(p.dtype()), " ",
                 to_string(p.shape()), ", got rows of ", name_of(rows->values.dtype()), " ",
                 to_string(rows->values.shape()));
      list.ids = rows->ids.ptr<int64_t>();
      list.cols = p.shape()[1];
      slot.g = rows->values.data();
      slot.n = rows->values.numel();
      kept_.push_back(rows->ids);
      kept_.push_back(rows->values);
    }
    ++added_;
    return slot;
  }

  void* put(const char* what, const Tensor& t, const Tensor& p, bool changes) {
    WEFT_CHECK(t.shape() == p.shape() && t.dtype() == p.dtype() && t.device() == p.device(), Value, "[", op_,
               "] expected the ", what, " of a parameter to be ", name_of(p.dtype()), " ", to_string(p.shape()), " on ",
               to_string(p.device()), ", got ", name_of(t.dtype()), " ", to_string(t.shape()), " on ",
               to_string(t.device()));
    WEFT_CHECK(!changes || t.get()->storage->writable, Runtime, "[", op_, "] the ", what, " is read-only memory");
    (changes ? changed_ : kept_).push_back(t);
    if (t.is_contiguous()) return t.data();
    GradMode off(false);
    Tensor copy = contiguous(t);
    if (changes) write_back_.emplace_back(t, copy);
    kept_.push_back(copy);
    return copy.data();
  }

  float* put_number(const char* what, const Tensor& t, const Tensor& p) {
    WEFT_CHECK(t.dtype() == DType::Float32 && t.numel() == 1 && t.device() == p.device(), Value, "[", op_,
               "] expected the ", what, " of a parameter to be one float32 element on ", to_string(p.device()),
               ", got ", name_of(t.dtype()), " ", to_string(t.shape()), " on ", to_string(t.device()));
    changed_.push_back(t);
    return t.ptr<float>();
  }

  // step(list, device, elements, last) launches one list.
  template <class F>
  void run(const F& step) {
    for (const Placed& l : lists_) {
      double elements = 0;
      for (int i = 0; i < l.list.count; ++i) elements += (double)l.list.t[i].n;
      step(l.list, l.device, elements, &l == &lists_.back());
    }
    for (auto& [tensor, copy] : write_back_) copy_into(tensor, copy);
    for (const Tensor& t : changed_) t.bump_version();
  }

 private:
  struct Placed {
    OptimizerList list;
    Device device;
  };
  const char* op_;
  size_t added_ = 0;
  std::vector<Placed> lists_;
  TensorList changed_, kept_;
  std::vector<std::pair<Tensor, Tensor>> write_back_;
};

struct Rule {
  const char* name;
  int states;
  bool counted;
  const char* numbers;
};
constexpr Rule kRules[] = {
#define RULE(name, text, states, counted, numbers) {text, states, counted, numbers},
    WEFT_OPTIMIZERS(RULE)
#undef RULE
};

int rule_from(const std::string& name) {
  for (int i = 0; i < (int)std::size(kRules); ++i)
    if (name == kRules[i].name) return i;
  fail(ErrorKind::Value, cat("[optimizer_step] knows no rule '", name, "'"));
}

// The rule's numbers, by the names in its list.
void read_numbers(const Rule& rule, const py::dict& given, double* out) {
  size_t found = 0;
  const char* at = rule.numbers;
  for (int i = 0; *at; ++i) {
    const char* end = at;
    while (*end && *end != ' ') ++end;
    std::string name(at, end);
    WEFT_CHECK(given.contains(name), Type, "[optimizer_step] ", rule.name, " misses the number '", name, "'");
    out[i] = py::cast<double>(given[name.c_str()]);
    ++found;
    at = *end ? end + 1 : end;
  }
  WEFT_CHECK(found == given.size(), Type, "[optimizer_step] ", rule.name, " takes the numbers ", rule.numbers, ", got ",
             py::str(py::list(given)).cast<std::string>());
}

// state[p][name], or null.
PyObject* state_tensor(PyObject* state, PyObject* name) {
  PyObject* t = PyDict_GetItemWithError(state, name);
  if (!t && PyErr_Occurred()) throw py::error_already_set();
  return t && is_tensor(t) ? t : nullptr;
}

// For the replays of a step being recorded: brings lr, weight_decay and the rule's numbers up to those of the group,
// and knows that the state is not fresh any more. Looking whether something changed takes some tens of nanoseconds.
std::function<void(void*)> renewal(const Rule& rule, const py::dict& group, const py::object& numbers) {
  struct Group {
    py::dict options;
    py::object numbers;
    py::list values;  // those of `options` that the arguments were made of
  };
  auto known = std::shared_ptr<Group>(new Group{group, numbers, py::list(group.attr("values")())}, [](Group* g) {
    if (!Py_IsInitialized()) return;
    py::gil_scoped_acquire gil;
    delete g;
  });
  return [known, &rule](void* at) {
    py::gil_scoped_acquire gil;
    auto& args = *static_cast<OptimizerStep*>(at);
    args.list.fresh = 0;
    PyObject *key, *value;
    Py_ssize_t next = 0, same = 0, size = PyList_GET_SIZE(known->values.ptr());
    while (PyDict_Next(known->options.ptr(), &next, &key, &value) && same < size &&
           PyList_GET_ITEM(known->values.ptr(), same) == value)
      ++same;
    if (same == size) return;
    known->values = py::list(known->options.attr("values")());
    if (!args.lr_at) args.lr = py::cast<double>(known->options["lr"]);
    args.weight_decay = known->options.contains("weight_decay") ? py::cast<double>(known->options["weight_decay"]) : 0;
    read_numbers(rule, py::dict(known->numbers(known->options)), args.numbers);
  };
}

void optimizer_step(const std::string& name, const py::dict& group, const py::dict& state, const py::tuple& names,
                    const py::function& new_state, const py::function& numbers, const py::object& grad_scale,
                    const std::string& not_sparse, const std::string& not_dense, const py::object& norm) {
  const py::list params = group["params"];
  const py::object lr = group["lr"];
  auto option = [&](const char* key) { return group.contains(key) ? py::object(group[key]) : py::int_(0); };
  static PyObject* const kStep = PyUnicode_InternFromString("step");
  const int index = rule_from(name);
  const Rule& rule = kRules[index];
  const std::string op = name + "_step";
  Scalar rate(op.c_str(), "lr", lr), scale(op.c_str(), "grad_scale", grad_scale), finite(op.c_str(), "norm", norm);
  OptimizerStep args{{},
                     (OptimizerRule)index,
                     rate.value,
                     option("weight_decay").cast<double>(),
                     scale.value,
                     nullptr,
                     nullptr,
                     nullptr,
                     {},
                     py::bool_(option("decoupled_weight_decay")),
                     py::bool_(option("maximize"))};
  read_numbers(rule, numbers(group), args.numbers);
  WEFT_CHECK(names.size() <= kOptimizerStates, Value, "[", op, "] expected at most ", kOptimizerStates,
             " names of state, got ", names.size());
  const int n = (int)names.size();

  Lists lists(op.c_str());
  for (py::handle item : params) {
    const Tensor& p = tensor_of(item.ptr());
    note_grad(*p.get(), GradUse::Read);
    const Tensor grad = p.grad();
    if (!grad.defined()) continue;
    const std::string& wrong = grad.is_sparse() ? not_sparse : not_dense;
    WEFT_CHECK(wrong.empty(), Runtime, wrong);
    PyObject *found[kOptimizerStates] = {}, *step = nullptr;
    py::object own;
    auto look = [&] {
      for (int i = 0; i < n; ++i) {
        PyObject* key = PyTuple_GET_ITEM(names.ptr(), i);
        if (key != Py_None && !(found[i] = state_tensor(own.ptr(), key))) return false;
      }
      return !rule.counted || (step = state_tensor(own.ptr(), kStep));
    };
    PyObject* before = PyDict_GetItemWithError(state.ptr(), item.ptr());
    if (before) own = py::reinterpret_borrow<py::object>(before);
    const bool fresh = (n > 0 || rule.counted) && !(before && PyDict_Check(before) && look());
    if (fresh) {
      Unrecorded outlives_the_step;
      own = new_state(item);
      WEFT_CHECK(PyDict_Check(own.ptr()) && look(), Value, "[", op, "] expected new state to be a dict with ",
                 py::str(names).cast<std::string>());
    }
    OptimizerTensor& slot = lists.add(p, true, fresh, grad.is_sparse() ? &rows_of_sparse(grad) : nullptr);
    if (!grad.is_sparse()) slot.g = lists.put("gradient", grad, p, false);
    for (int i = 0; i < n; ++i) {
      if (!found[i]) continue;
      const char* what = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names.ptr(), i));
      slot.s[i] = i < rule.states ? lists.put(what, tensor_of(found[i]), p, true)
                                  : (void*)lists.put_number(what, tensor_of(found[i]), p);
    }
    if (step) slot.step = lists.put_number("step", tensor_of(step), p);
  }
  lists.run([&](const OptimizerList& list, Device device, double elements, bool) {
    args.list = list;
    args.lr_at = rate.pointer(op.c_str(), device);
    args.scale_at = scale.pointer(op.c_str(), device);
    args.norm_at = finite.pointer(op.c_str(), device);
    if (Recorder* r = current_recorder()) r->renewed(renewal(kRules[index], group, numbers));
    launch(kRules[index].name, device, kernels<OptimizerKernels>(device).step, args, elements * 8);
  });
}

// The elements that can be other than zero.
const Tensor& touched(const Tensor& t) { return t.is_sparse() ? rows_of_sparse(t).values : t; }

// The norm, and what to multiply gradients by so that it is at most max_norm.
std::pair<Tensor, Tensor> clip_scale(const TensorList& tensors, double max_norm, const py::object& grad_scale) {
  Device device = tensors.empty() ? Device{} : tensors[0].device();
  Tensor norm = Tensor::zeros({}, DType::Float32, device), clip = Tensor::full({}, 1, DType::Float32, device);
  if (tensors.empty()) return {norm, clip};
  Scalar scale("grad_norm", "grad_scale", grad_scale);
  Lists lists("grad_norm");
  int64_t pieces = 1;
  for (const Tensor& t : tensors) {
    WEFT_CHECK(t.device() == device, Value, "[grad_norm] expected all tensors on ", to_string(device), ", got one on ",
               to_string(t.device()));
    lists.add(touched(t), false);
    pieces += touched(t).numel() / kOptimizerGrain + 1;
  }
  Workspace partial(pieces * (int64_t)sizeof(double), device), sum(sizeof(double), device);
  bool first = true;
  lists.run([&](const OptimizerList& list, Device, double elements, bool last) {
    NormOfList args{list,
                    static_cast<double*>(partial.data()),
                    norm.ptr<float>(),
                    clip.ptr<float>(),
                    max_norm,
                    scale.value,
                    scale.pointer("grad_norm", device),
                    static_cast<double*>(sum.data()),
                    first,
                    last};
    launch("grad_norm", device, kernels<OptimizerKernels>(device).norm, args, elements);
    first = false;
  });
  return {norm, clip};
}

void scale_tensors(const TensorList& tensors, const py::object& by) {
  Scalar scale("scale_", "scale", by);
  Lists lists("scale_");
  for (const Tensor& t : tensors) lists.add(touched(t), true);
  lists.run([&](const OptimizerList& list, Device device, double elements, bool) {
    ScaleList args{list, scale.value, scale.pointer("scale_", device)};
    launch("scale_", device, kernels<OptimizerKernels>(device).scale, args, elements);
  });
}

}  // namespace

void bind_optimizer(py::module_& m) {
  m.def("_optimizer_step", optimizer_step, py::arg("rule"), py::arg("group"), py::arg("state"), py::arg("names"),
        py::arg("new_state"), py::arg("numbers"), py::arg("grad_scale") = py::none(), py::arg("not_sparse") = "",
        py::arg("not_dense") = "", py::arg("norm") = py::none(),
        "One step of the rule (csrc/kernels/optimizer_rules.h) for each tensor of the list group['params'] that has a "
        "gradient, in place, with group's lr, weight_decay, decoupled_weight_decay and maximize. state[p] is a dict: "
        "names says under which keys the rule's state is, None where it keeps none; 'step', float32, is counted up "
        "where the rule counts. new_state(p) makes and returns what is missing. numbers(group) is a dict of what the "
        "rule needs besides. lr and grad_scale, by which gradients are multiplied on their way in, are numbers or "
        "float32 tensors of one element, read when the step runs. not_sparse, not_dense: why such gradients are not "
        "taken; "
        "'' where they are. Where norm, a float32 tensor of one element, is not finite, nothing is done.");
  m.def("_clip_scale", clip_scale, py::arg("tensors"), py::arg("max_norm") = HUGE_VAL,
        py::arg("grad_scale") = py::none(),
        "(norm, scale), float32: the L2 norm of all the tensors together, summed in float64; and grad_scale times what "
        "brings the norm of grad_scale * tensors down to max_norm, if it is above: min(1, max_norm / (norm + 1e-6)).");
  m.def("_scale_", scale_tensors, py::arg("tensors"), py::arg("scale"),
        "Multiplies each tensor by a number, or by a float32 tensor of one element.");
}

}  // namespace weft
