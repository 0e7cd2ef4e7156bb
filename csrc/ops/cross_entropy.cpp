#include "ops/cross_entropy.h"

#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/softmax.h"
#include "ops/view.h"
#include "ops/wide.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

constexpr double kCrossEntropyWork = 16;  // operations per logit, roughly

int class_axis(const Tensor& x) { return x.dim() == 1 ? 0 : 1; }

Dims without_classes(const Tensor& x) {
  Dims shape = x.shape();
  shape.erase(class_axis(x));
  return shape;
}

// [N, C, ...] to rows of classes.
Tensor class_rows(const Tensor& x) {
  int axis = class_axis(x);
  Dims axes;
  for (int d = 0; d < x.dim(); ++d)
    if (d != axis) axes.push_back(d);
  axes.push_back(axis);
  return reshape(x.dim() > 2 ? permute(x, axes) : x, {numel_of(without_classes(x)), x.shape()[axis]});
}

void check_input(const char* op, const Tensor& x, const Tensor& weight) {
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected an input of floating dtype, got ",
             name_of(x.dtype()));
  WEFT_CHECK(x.dim() >= 1 && x.shape()[class_axis(x)] > 0, Value, "[", op,
             "] expected an input of shape [C], [N, C] or [N, C, ...] with C > 0, got ", to_string(x.shape()));
  check_class_weight(op, x.shape()[class_axis(x)], x.device(), weight);
}

void refuse_labels(const char* op, const Tensor& labels, int64_t classes, int64_t ignore_index) {
  const Tensor host = to(labels, Device{});
  const int64_t* t = host.ptr<int64_t>();
  for (int64_t i = 0; i < host.numel(); ++i)
    WEFT_CHECK(t[i] == ignore_index || (uint64_t)t[i] < (uint64_t)classes, Index, "[", op, "] expected labels in [0, ",
               classes, ") or ignore_index ", ignore_index, ", got ", t[i], " at position ", i);
}

Tensor reduced(const Tensor& loss, LossReduction reduction) {
  if (reduction == LossReduction::None) return loss;
  return reduction == LossReduction::Sum ? sum(loss) : mean(loss);
}

// What forward leaves for backward.
struct RowState {
  Tensor max, log_sum, totals, labels, weight;
  CrossEntropyOptions options;
};

Tensor backward_rows(const RowState& s, const Tensor& x, const Tensor& dy, Tensor* row_scale) {
  Tensor rows = contiguous(x.detach()), dx = Tensor::empty_like(rows), d = wide(dy, x.dtype());
  if (row_scale) *row_scale = Tensor::zeros(s.max.shape(), s.max.dtype(), x.device());
  CrossEntropyBackward a{};
  a.dx = dx.data();
  a.row_scale = row_scale ? row_scale->data() : nullptr;
  a.dy = d.data();
  a.x = rows.data();
  a.max = s.max.data();
  a.log_sum = s.log_sum.data();
  a.totals = s.totals.ptr<double>();
  a.target = s.labels.ptr<int64_t>();
  a.weight = data_or_null(s.weight);
  a.rows = x.shape()[0];
  a.classes = x.shape()[1];
  a.ignore_index = s.options.ignore_index;
  a.smoothing = s.options.label_smoothing;
  a.dtype = x.dtype();
  a.reduction = s.options.reduction;
  launch("cross_entropy_backward", x.device(), kernels<CrossEntropyKernels>(x.device()).backward, a,
         kCrossEntropyWork * (double)x.numel());
  return dx;
}

// On the tape, for second derivatives: dx = dy * (r * softmax(x) - b), where r and b do not depend on x.
Tensor composed_backward(const RowState& s, const Tensor& x, const Tensor& dy) {
  Tensor ones = Tensor::full(dy.shape(), 1, dy.dtype(), dy.device()), r, b;
  {
    GradMode off(false);
    Tensor unit = backward_rows(s, x, ones, &r);
    r = reshape(to(r, x.dtype()), {x.shape()[0], 1});
    b = sub(mul(softmax(x, 1), r), unit);
  }
  Tensor d = dy.dim() ? reshape(dy, {x.shape()[0], 1}) : dy;
  return mul(sub(mul(softmax(x, 1), r), b), d);
}

Tensor cross_entropy_rows(const Tensor& x, const Tensor& labels, const CrossEntropyOptions& options) {
  int64_t rows = x.shape()[0], classes = x.shape()[1];
  bool none = options.reduction == LossReduction::None;
  Tensor in = contiguous(x.detach()), y = Tensor::empty(none ? Dims{rows} : Dims(), x.dtype(), x.device());
  RowState s{Tensor::empty({rows}, wide_of(x.dtype()), x.device()),
             Tensor::empty({rows}, wide_of(x.dtype()), x.device()),
             Tensor::empty({3}, DType::Float64, x.device()),
             labels,
             wide(options.weight, x.dtype()),
             options};
  Workspace room(cross_entropy_pieces(rows, classes) * 24, x.device());
  CrossEntropyForward a{};
  a.y = y.data();
  a.max = s.max.data();
  a.log_sum = s.log_sum.data();
  a.totals = s.totals.ptr<double>();
  a.x = in.data();
  a.target = labels.ptr<int64_t>();
  a.weight = data_or_null(s.weight);
  a.rows = rows;
  a.classes = classes;
  a.ignore_index = options.ignore_index;
  a.smoothing = options.label_smoothing;
  a.workspace = (double*)room.data();
  a.dtype = x.dtype();
  a.reduction = options.reduction;
  launch("cross_entropy", x.device(), kernels<CrossEntropyKernels>(x.device()).forward, a,
         kCrossEntropyWork * (double)x.numel());
  check_labels("cross_entropy", s.totals, labels, classes, options.ignore_index);
  if (needs_grad(x))
    record("cross_entropy", {x}, {y}, [s, x = Saved(x)](Backward& b) {
      Tensor v = x.get(b);
      return b.grads(grad_enabled() ? composed_backward(s, v, b.dy()) : backward_rows(s, v, b.dy(), nullptr));
    });
  return y;
}

Tensor cross_entropy_probabilities(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  WEFT_CHECK(target.device() == x.device(), Runtime, "[cross_entropy] expected probabilities on ",
             to_string(x.device()), ", got ", to_string(target.device()));
  int axis = class_axis(x);
  double s = options.label_smoothing, classes = (double)x.shape()[axis];
  Tensor p = s > 0 ? add(mul(target, 1 - s), Tensor::full({}, s / classes, target.dtype(), x.device())) : target;
  Tensor losses = mul(p, log_softmax(x, axis));
  if (options.weight.defined()) {
    Dims column = Dims::filled(x.dim(), 1);
    column[axis] = x.shape()[axis];
    losses = mul(losses, reshape(options.weight, column));
  }
  Tensor loss = neg(sum(losses, {axis}));
  if (options.reduction != LossReduction::Mean) return reduced(loss, options.reduction);
  return div(sum(loss), (double)std::max<int64_t>(loss.numel(), 1));
}

}  // namespace

void check_class_weight(const char* op, int64_t classes, Device device, const Tensor& weight) {
  if (!weight.defined()) return;
  WEFT_CHECK(weight.shape() == Dims{classes} && is_floating(weight.dtype()) && weight.device() == device, Runtime, "[",
             op, "] expected a floating weight of shape [", classes, "] on ", to_string(device), ", got ",
             name_of(weight.dtype()), " ", to_string(weight.shape()), " on ", to_string(weight.device()));
}

Tensor class_labels(const char* op, const Dims& shape, Device device, const Tensor& target) {
  WEFT_CHECK(target.shape() == shape, Value, "[", op, "] expected labels of shape ", to_string(shape), ", got ",
             to_string(target.shape()));
  WEFT_CHECK(is_integral(target.dtype()), Runtime, "[", op, "] expected integer labels, got ", name_of(target.dtype()));
  WEFT_CHECK(target.device() == device, Runtime, "[", op, "] expected labels on ", to_string(device), ", got ",
             to_string(target.device()));
  return contiguous(to(target, DType::Int64));
}

void check_labels(const char* op, const Tensor& totals, const Tensor& labels, int64_t classes, int64_t ignore_index) {
  at_each_run({totals, labels}, [=](const TensorList& t) {
    if (to(t[0], Device{}).ptr<double>()[2] != 0) refuse_labels(op, t[1], classes, ignore_index);
  });
}

LossReduction parse_reduction(const char* op, const std::string& name) {
  if (name == "mean") return LossReduction::Mean;
  if (name == "sum") return LossReduction::Sum;
  WEFT_CHECK(name == "none", Value, "[", op, "] expected reduction 'none', 'mean' or 'sum', got '", name, "'");
  return LossReduction::None;
}

void warn(const std::string& message) {
  if (PyErr_WarnEx(PyExc_UserWarning, message.c_str(), 1) < 0) throw py::error_already_set();
}

std::string named_reduction(const std::string& reduction, std::optional<bool> size_average,
                            std::optional<bool> reduce) {
  if (!size_average && !reduce) return reduction;
  const char* name = !reduce.value_or(true) ? "none" : size_average.value_or(true) ? "mean" : "sum";
  warn(cat("size_average and reduce args will be deprecated, please use reduction='", name, "' instead."));
  return name;
}

Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  check_input("cross_entropy", x, options.weight);
  WEFT_CHECK(options.label_smoothing >= 0 && options.label_smoothing <= 1, Runtime,
             "[cross_entropy] expected label_smoothing in [0, 1], got ", options.label_smoothing);
  if (is_floating(target.dtype()) && target.shape() == x.shape())
    return cross_entropy_probabilities(x, target, options);
  Tensor labels = class_labels("cross_entropy", without_classes(x), x.device(), target);
  Tensor y = cross_entropy_rows(class_rows(x), labels, options);
  return options.reduction == LossReduction::None ? reshape(y, target.shape()) : y;
}

Tensor nll_loss(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  check_input("nll_loss", x, options.weight);
  Tensor labels = reshape(class_labels("nll_loss", without_classes(x), x.device(), target), {-1}), rows = class_rows(x);
  at_each_run({labels}, [classes = rows.shape()[1], ignore = options.ignore_index](const TensorList& t) {
    refuse_labels("nll_loss", t[0], classes, ignore);
  });
  Tensor ignored = eq(labels, Tensor::full({}, (double)options.ignore_index, DType::Int64, x.device()));
  Tensor safe = where(ignored, Tensor::zeros({}, DType::Int64, x.device()), labels);
  Tensor row = Tensor::table({rows.shape()[0]}, DType::Int64);
  for (int64_t i = 0; i < row.numel(); ++i) row.ptr<int64_t>()[i] = i;
  if (!x.device().is_cpu()) row = to(row, x.device());

  Tensor zero = Tensor::zeros({}, x.dtype(), x.device()), one = Tensor::full({}, 1, x.dtype(), x.device());
  Tensor weight = options.weight.defined() ? to(index_dims(options.weight, 0, {safe}), x.dtype()) : one;
  weight = where(ignored, zero, weight);
  Tensor loss = neg(where(ignored, zero, mul(index_dims(rows, 0, {row, safe}), weight)));
  if (options.reduction == LossReduction::None) return reshape(loss, target.shape());
  if (options.reduction == LossReduction::Sum) return sum(loss);
  Tensor total = sum(weight);
  return div(sum(loss), where(eq(total, zero), one, total));
}

void bind_cross_entropy(py::module_& m) {
  using Maybe = std::optional<Tensor>;
  using MaybeBool = std::optional<bool>;
  m.def("cross_entropy",
        autocasting<Autocast::Float32>([](const Tensor& input, const Tensor& target, const Maybe& weight,
                                          MaybeBool size_average, int64_t ignore_index, MaybeBool reduce,
                                          const std::string& reduction, double label_smoothing) {
          LossReduction r = parse_reduction("cross_entropy", named_reduction(reduction, size_average, reduce));
          return cross_entropy(input, target, {weight.value_or(Tensor()), ignore_index, r, label_smoothing});
        }),
        py::arg("input"), py::arg("target"), py::arg("weight") = py::none(), py::arg("size_average") = py::none(),
        py::arg("ignore_index") = -100, py::arg("reduce") = py::none(), py::arg("reduction") = "mean",
        py::arg("label_smoothing") = 0.0,
        "Cross-entropy between logits [C], [N, C] or [N, C, ...] and class labels (the same shape without C) or class\n"
        "probabilities (the same shape). The mean is weighted by `weight` [C] of the labels; targets equal to "
        "ignore_index\n"
        "do not count, and if none counts the mean is 0. IndexError for other labels outside [0, C).");
  m.def(
      "nll_loss",
      autocasting<Autocast::Float32>([](const Tensor& input, const Tensor& target, const Maybe& weight,
                                        MaybeBool size_average, int64_t ignore_index, MaybeBool reduce,
                                        const std::string& reduction) {
        LossReduction r = parse_reduction("nll_loss", named_reduction(reduction, size_average, reduce));
        return nll_loss(input, target, {weight.value_or(Tensor()), ignore_index, r, 0});
      }),
      py::arg("input"), py::arg("target"), py::arg("weight") = py::none(), py::arg("size_average") = py::none(),
      py::arg("ignore_index") = -100, py::arg("reduce") = py::none(), py::arg("reduction") = "mean",
      "Negative log-likelihood of class labels under log-probabilities [C], [N, C] or [N, C, ...]. See cross_entropy.");
}

}  // namespace weft
