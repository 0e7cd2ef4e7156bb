#include "ops/optimizer.h"

#include "kernels/optimizer.h"
#include "ops/copy.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

// Collects the tensors of a step, checked, as lists of at most kOptimizerTensors for the kernels. What the kernel
// changes but cannot address, because it is not contiguous, it gets as a copy, written back at the end.
class Lists {
 public:
  Lists(const char* op, const TensorList& params) : op_(op), params_(params) {
    for (size_t i = 0; i < params.size(); ++i) {
      const Tensor& p = params[i];
      WEFT_CHECK(is_floating(p.dtype()), Type, "[", op, "] expected floating tensors, got ", name_of(p.dtype()),
                 " at position ", i);
      WEFT_CHECK(p.dtype() == params[0].dtype() && p.device() == params[0].device(), Value, "[", op,
                 "] expected all tensors to be ", name_of(params[0].dtype()), " on ", to_string(params[0].device()),
                 ", got ", name_of(p.dtype()), " on ", to_string(p.device()), " at position ", i);
    }
    list_.resize((params.size() + kOptimizerTensors - 1) / kOptimizerTensors);
    for (OptimizerList& l : list_) l = {};
  }

  // One tensor for each parameter, into `field`. Those that the step changes are remembered.
  template <class Field>
  void put(const char* what, const TensorList& tensors, Field OptimizerTensor::* field, bool changes) {
    WEFT_CHECK(tensors.size() == params_.size(), Value, "[", op_, "] expected ", params_.size(), " ", what, ", got ",
               tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Tensor &t = tensors[i], &p = params_[i];
      WEFT_CHECK(t.shape() == p.shape(), Value, "[", op_, "] expected ", what, " of shape ", to_string(p.shape()),
                 " at position ", i, ", got ", to_string(t.shape()));
      WEFT_CHECK(t.dtype() == p.dtype() && t.device() == p.device(), Value, "[", op_, "] expected ", what, " in ",
                 name_of(p.dtype()), " on ", to_string(p.device()), " at position ", i, ", got ", name_of(t.dtype()),
                 " on ", to_string(t.device()));
      WEFT_CHECK(!changes || t.get()->storage->writable, Runtime, "[", op_, "] ", what, " at position ", i,
                 " is read-only memory");
      OptimizerTensor& slot = list_[i / kOptimizerTensors].t[i % kOptimizerTensors];
      slot.*field = dense(t, changes);
      slot.n = p.numel();
    }
  }

  void put_steps(const TensorList& steps) {
    WEFT_CHECK(steps.size() == params_.size(), Value, "[", op_, "] expected ", params_.size(), " steps, got ",
               steps.size());
    for (size_t i = 0; i < steps.size(); ++i) {
      const Tensor& s = steps[i];
      WEFT_CHECK(s.dtype() == DType::Float32 && s.numel() == 1 && s.device() == params_[i].device(), Value, "[", op_,
                 "] expected steps of one float32 element beside their parameters, got ", name_of(s.dtype()), " ",
                 to_string(s.shape()), " on ", to_string(s.device()), " at position ", i);
      list_[i / kOptimizerTensors].t[i % kOptimizerTensors].step = s.ptr<float>();
      changed_.push_back(s);
    }
  }

  const float* scalar(const char* what, const OptimizerScalar& s) const {
    if (!s.at.defined()) return nullptr;
    WEFT_CHECK(s.at.dtype() == DType::Float32 && s.at.numel() == 1, Value, "[", op_, "] expected ", what,
               " to be a number or a float32 tensor of one element, got ", name_of(s.at.dtype()), " ",
               to_string(s.at.shape()));
    WEFT_CHECK(params_.empty() || s.at.device() == params_[0].device(), Value, "[", op_, "] expected ", what, " on ",
               to_string(params_[0].device()), ", got ", to_string(s.at.device()));
    return s.at.ptr<float>();
  }

  // step(list, elements) launches one list.
  template <class F>
  void run(const F& step) {
    for (size_t k = 0; k < list_.size(); ++k) {
      list_[k].count = (int)std::min<size_t>(kOptimizerTensors, params_.size() - k * kOptimizerTensors);
      list_[k].dtype = params_[0].dtype();
      double elements = 0;
      for (int i = 0; i < list_[k].count; ++i) elements += (double)list_[k].t[i].n;
      step(list_[k], elements, k + 1 == list_.size());
    }
    for (auto& [tensor, copy] : write_back_) copy_into(tensor, copy);
    for (const Tensor& t : changed_) t.bump_version();
  }

 private:
  void* dense(const Tensor& t, bool changes) {
    if (changes) changed_.push_back(t);
    if (t.is_contiguous()) return t.data();
    GradMode off(false);
    Tensor copy = contiguous(t);
    if (changes) write_back_.emplace_back(t, copy);
    copies_.push_back(copy);
    return copy.data();
  }

  const char* op_;
  const TensorList& params_;
  std::vector<OptimizerList> list_;
  TensorList changed_, copies_;
  std::vector<std::pair<Tensor, Tensor>> write_back_;
};

}  // namespace

void sgd_step(const TensorList& params, const TensorList& grads, const TensorList& buffers, const OptimizerScalar& lr,
              double momentum, double dampening, double weight_decay, bool nesterov, bool maximize, bool first,
              const OptimizerScalar& grad_scale) {
  if (params.empty()) return;
  Lists lists("sgd_step", params);
  lists.put("parameters", params, &OptimizerTensor::p, true);
  lists.put("gradients", grads, &OptimizerTensor::g, false);
  if (momentum != 0) lists.put("momentum buffers", buffers, &OptimizerTensor::m, true);
  SgdStep args{{},
               lr.value,
               momentum,
               dampening,
               weight_decay,
               grad_scale.value,
               lists.scalar("lr", lr),
               lists.scalar("grad_scale", grad_scale),
               nesterov,
               maximize,
               first};
  Device device = params[0].device();
  lists.run([&](const OptimizerList& list, double elements, bool) {
    args.list = list;
    launch("sgd_step", device, kernels<OptimizerKernels>(device).sgd, args, elements * 4);
  });
}

void adam_step(const TensorList& params, const TensorList& grads, const TensorList& exp_avgs,
               const TensorList& exp_avg_sqs, const TensorList& max_exp_avg_sqs, const TensorList& steps,
               const OptimizerScalar& lr, const AdamOptions& options, const OptimizerScalar& grad_scale) {
  if (params.empty()) return;
  Lists lists(options.decoupled ? "adamw_step" : "adam_step", params);
  lists.put("parameters", params, &OptimizerTensor::p, true);
  lists.put("gradients", grads, &OptimizerTensor::g, false);
  lists.put("first moments", exp_avgs, &OptimizerTensor::m, true);
  lists.put("second moments", exp_avg_sqs, &OptimizerTensor::v, true);
  if (options.amsgrad) lists.put("largest second moments", max_exp_avg_sqs, &OptimizerTensor::x, true);
  lists.put_steps(steps);
  AdamStep args{{},
                lr.value,
                options.beta1,
                options.beta2,
                options.eps,
                options.weight_decay,
                grad_scale.value,
                lists.scalar("lr", lr),
                lists.scalar("grad_scale", grad_scale),
                options.decoupled,
                options.amsgrad,
                options.maximize};
  Device device = params[0].device();
  lists.run([&](const OptimizerList& list, double elements, bool) {
    args.list = list;
    launch(options.decoupled ? "adamw_step" : "adam_step", device, kernels<OptimizerKernels>(device).adam, args,
           elements * 8);
  });
}

Tensor grad_norm(const TensorList& tensors) {
  if (tensors.empty()) return Tensor::zeros({}, DType::Float32);
  Device device = tensors[0].device();
  Lists lists("grad_norm", tensors);
  lists.put("tensors", tensors, &OptimizerTensor::p, false);
  Tensor norm = Tensor::empty({}, DType::Float32, device);
  int64_t pieces = 1;
  for (const Tensor& t : tensors) pieces += t.numel() / kOptimizerGrain + 1;
  Workspace partial(pieces * (int64_t)sizeof(double), device), sum(sizeof(double), device);
  bool first = true;
  lists.run([&](const OptimizerList& list, double elements, bool last) {
    NormOfList args{
        list, static_cast<double*>(partial.data()), norm.ptr<float>(), static_cast<double*>(sum.data()), first, last};
    launch("grad_norm", device, kernels<OptimizerKernels>(device).norm, args, elements);
    first = false;
  });
  return norm;
}

void scale_(const TensorList& tensors, const OptimizerScalar& scale) {
  if (tensors.empty()) return;
  Device device = tensors[0].device();
  Lists lists("scale_", tensors);
  lists.put("tensors", tensors, &OptimizerTensor::p, true);
  ScaleList args{{}, scale.value, lists.scalar("scale", scale)};
  lists.run([&](const OptimizerList& list, double elements, bool) {
    args.list = list;
    launch("scale_", device, kernels<OptimizerKernels>(device).scale, args, elements);
  });
}

namespace {

OptimizerScalar scalar_from(const char* op, const char* what, const py::object& o, double otherwise = 1) {
  if (o.is_none()) return {otherwise, {}};
  if (is_tensor(o.ptr())) return {0, tensor_of(o.ptr())};
  double value = PyFloat_AsDouble(o.ptr());
  if (value == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    fail(ErrorKind::Type, cat("[", op, "] expected ", what, " to be a number or a tensor, got ",
                              py::str(py::type::of(o).attr("__name__")).cast<std::string>()));
  }
  return {value, {}};
}

void bind_adam(py::module_& m, const char* name, bool decoupled) {
  m.def(
      name,
      [name, decoupled](const TensorList& params, const TensorList& grads, const TensorList& exp_avgs,
                        const TensorList& exp_avg_sqs, const TensorList& max_exp_avg_sqs, const TensorList& steps,
                        const py::object& lr, double beta1, double beta2, double eps, double weight_decay, bool amsgrad,
                        bool maximize, const py::object& grad_scale) {
        adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, scalar_from(name, "lr", lr),
                  {beta1, beta2, eps, weight_decay, decoupled, amsgrad, maximize},
                  scalar_from(name, "grad_scale", grad_scale));
      },
      py::arg("params"), py::arg("grads"), py::arg("exp_avgs"), py::arg("exp_avg_sqs"), py::arg("max_exp_avg_sqs"),
      py::arg("steps"), py::arg("lr"), py::arg("beta1") = 0.9, py::arg("beta2") = 0.999, py::arg("eps") = 1e-8,
      py::arg("weight_decay") = decoupled ? 1e-2 : 0.0, py::arg("amsgrad") = false, py::arg("maximize") = false,
      py::arg("grad_scale") = py::none(),
      "One step of Adam over lists of tensors of equal shapes, in place; steps (float32, one element each) are counted "
      "up here. max_exp_avg_sqs is empty unless amsgrad. Kingma and Ba 2015; Loshchilov and Hutter 2019.");
}

}  // namespace

void bind_optimizer(py::module_& m) {
  m.def(
      "sgd_step",
      [](const TensorList& params, const TensorList& grads, const TensorList& buffers, const py::object& lr,
         double momentum, double dampening, double weight_decay, bool nesterov, bool maximize, bool first,
         const py::object& grad_scale) {
        sgd_step(params, grads, buffers, scalar_from("sgd_step", "lr", lr), momentum, dampening, weight_decay, nesterov,
                 maximize, first, scalar_from("sgd_step", "grad_scale", grad_scale));
      },
      py::arg("params"), py::arg("grads"), py::arg("momentum_buffers"), py::arg("lr"), py::arg("momentum") = 0.0,
      py::arg("dampening") = 0.0, py::arg("weight_decay") = 0.0, py::arg("nesterov") = false,
      py::arg("maximize") = false, py::arg("first") = false, py::arg("grad_scale") = py::none(),
      "One step of SGD over lists of tensors of equal shapes, in place. momentum_buffers is empty if momentum == 0; "
      "first: the buffers hold nothing yet (with dampening == 0, zeros do as well).");
  bind_adam(m, "adam_step", false);
  bind_adam(m, "adamw_step", true);
  m.def("grad_norm", grad_norm, py::arg("tensors"),
        "The L2 norm of all the tensors together, summed in float64: a float32 tensor of no dimensions.");
  m.def(
      "scale_",
      [](const TensorList& tensors, const py::object& scale) {
        scale_(tensors, scalar_from("scale_", "scale", scale));
      },
      py::arg("tensors"), py::arg("scale"),
      "Multiplies each tensor by a number, or by a float32 tensor of one element.");
}

}  // namespace weft
