// cross_entropy(linear(x, weight, bias), labels) a chunk of rows at a time: the logits of all rows never exist
// together. Where the loss is one number, forward leaves the gradients for a loss gradient of 1, made while a chunk's
// logits are there; with a loss for each row, backward makes the logits again.
#include "ops/copy.h"
#include "ops/cross_entropy.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/slice.h"
#include "ops/view.h"
#include "ops/wide.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {

namespace {

constexpr double kLogitWork = 16;  // operations per logit, roughly

// Rows of a chunk: some 8 million logits, and enough rows for a matrix product at full speed.
int64_t chunk_rows(int64_t classes) { return std::max<int64_t>(256, (int64_t{1} << 23) / classes / 64 * 64); }

Tensor rows_from(const Tensor& t, int64_t first, int64_t count) { return narrow(t, 0, first, count); }

struct Problem {
  Tensor x, weight, bias;  // [rows, in], [classes, in], [classes] or undefined; contiguous
  Tensor labels;           // [rows], int64
  CrossEntropyOptions options;
};

struct Gradients {
  Tensor x, weight, bias;  // undefined: not wanted
};

struct Losses {
  Tensor rows;  // [rows]
  Tensor sums;  // [3], float64: of the losses, of the labels' class weights, and of wrong labels
};

// The losses of the chunk's rows, and its share of `g` for the losses' gradients `dy`: [rows], or one for all.
void run_chunk(const Problem& p, int64_t first, int64_t count, Losses& losses, const Tensor& dy, Gradients* g) {
  const int64_t classes = p.weight.shape()[0];
  const Device device = p.x.device();
  const DType dtype = p.x.dtype();
  Tensor x = rows_from(p.x, first, count), labels = rows_from(p.labels, first, count);
  Epilogue e;
  e.bias = p.bias;
  Tensor logits = product("linear_cross_entropy", x, false, p.weight, true, e);
  Tensor max = Tensor::empty({count}, wide_of(dtype), device), log_sum = Tensor::empty_like(max);
  Tensor totals = Tensor::empty({3}, DType::Float64, device), y = rows_from(losses.rows, first, count);
  Workspace room(cross_entropy_pieces(count, classes) * 24, device);
  Tensor scale = p.options.weight.defined() ? contiguous(to(p.options.weight, wide_of(dtype))) : Tensor();

  CrossEntropyForward a{};
  a.y = y.data();
  a.max = max.data();
  a.log_sum = log_sum.data();
  a.totals = totals.ptr<double>();
  a.x = logits.data();
  a.target = labels.ptr<int64_t>();
  a.weight = data_or_null(scale);
  a.rows = count;
  a.classes = classes;
  a.ignore_index = p.options.ignore_index;
  a.smoothing = p.options.label_smoothing;
  a.workspace = (double*)room.data();
  a.dtype = dtype;
  a.reduction = LossReduction::None;
  const CrossEntropyKernels& k = kernels<CrossEntropyKernels>(device);
  launch("linear_cross_entropy", device, k.forward, a, kLogitWork * (double)logits.numel());
  losses.sums = add(losses.sums, totals);
  if (!g) return;

  Tensor d = dy.dim() ? rows_from(dy, first, count) : dy;
  CrossEntropyBackward b{};
  b.dx = logits.data();  // over the logits themselves
  b.dy = d.data();
  b.x = logits.data();
  b.max = max.data();
  b.log_sum = log_sum.data();
  b.totals = totals.ptr<double>();
  b.target = a.target;
  b.weight = a.weight;
  b.rows = count;
  b.classes = classes;
  b.ignore_index = a.ignore_index;
  b.smoothing = a.smoothing;
  b.dtype = dtype;
  b.reduction = dy.dim() ? LossReduction::None : LossReduction::Sum;
  launch("linear_cross_entropy_backward", device, k.backward, b, kLogitWork * (double)logits.numel());

  if (g->x.defined())
    product_into("linear_cross_entropy_backward", rows_from(g->x, first, count), logits, false, p.weight, false);
  if (g->weight.defined()) {
    if (is_half(dtype)) {  // chunks are added in float32
      g->weight = add(g->weight, to(product("linear_cross_entropy_backward", logits, true, x, false), DType::Float32));
    } else {
      Epilogue add_to;
      add_to.beta = first == 0 ? 0 : 1;
      product_into("linear_cross_entropy_backward", g->weight, logits, true, x, false, add_to);
    }
  }
  if (g->bias.defined()) g->bias = add(g->bias, sum(to(logits, wide_of(dtype)), {0}));
}

Losses run(const Problem& p, const Tensor& dy, Gradients* g) {
  GradMode off(false);
  const int64_t rows = p.x.shape()[0], step = chunk_rows(p.weight.shape()[0]);
  Losses losses{Tensor::empty({rows}, p.x.dtype(), p.x.device()), Tensor::zeros({3}, DType::Float64, p.x.device())};
  for (int64_t first = 0; first < rows; first += step) run_chunk(p, first, std::min(step, rows - first), losses, dy, g);
  return losses;
}

Gradients make_room(const Problem& p, bool x, bool weight, bool bias) {
  Gradients g;
  const DType wide = wide_of(p.x.dtype());
  if (x) g.x = Tensor::zeros(p.x.shape(), p.x.dtype(), p.x.device());
  if (weight) g.weight = Tensor::zeros(p.weight.shape(), wide, p.x.device());
  if (bias) g.bias = Tensor::zeros(p.bias.shape(), wide, p.x.device());
  return g;
}

// 1 / (the labels' class weights), 0 where nothing counts; 1 unless the loss is a mean.
Tensor share_of_loss(const Losses& losses, LossReduction reduction) {
  Tensor one = Tensor::full({}, 1, DType::Float64, losses.sums.device());
  if (reduction != LossReduction::Mean) return one;
  Tensor total = select(losses.sums, 0, 1), zero = Tensor::zeros({}, DType::Float64, losses.sums.device());
  return where(eq(total, zero), zero, div(one, total));
}

Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& target, const Tensor& bias,
                            const CrossEntropyOptions& options) {
  const char* op = "linear_cross_entropy";
  WEFT_CHECK(x.dim() == 2 && weight.dim() == 2 && x.shape()[1] == weight.shape()[1], Runtime, "[", op,
             "] expected an input [N, in] and a weight [C, in], got ", to_string(x.shape()), " and ",
             to_string(weight.shape()));
  WEFT_CHECK(is_floating(x.dtype()), NotImplemented, "[", op, "] expected a floating dtype, got ", name_of(x.dtype()));
  check_operands(op, x, weight);
  const int64_t rows = x.shape()[0], classes = weight.shape()[0];
  WEFT_CHECK(classes > 0, Value, "[", op, "] expected at least one class, got a weight of shape ",
             to_string(weight.shape()));
  if (bias.defined()) {
    WEFT_CHECK(bias.shape() == Dims{classes}, Runtime, "[", op, "] expected a bias of shape [", classes, "], got ",
               to_string(bias.shape()));
    check_operands(op, bias, weight);
  }
  check_class_weight(op, classes, x.device(), options.weight);
  WEFT_CHECK(options.label_smoothing >= 0 && options.label_smoothing <= 1, Runtime, "[", op,
             "] expected label_smoothing in [0, 1], got ", options.label_smoothing);
  Problem p{contiguous(x.detach()), contiguous(weight.detach()), bias.defined() ? contiguous(bias.detach()) : bias,
            class_labels(op, {rows}, x.device(), target), options};
  if (options.weight.defined()) p.options.weight = options.weight.detach();

  const bool none = options.reduction == LossReduction::None, recorded = needs_grad(x, weight, bias);
  const DType wide = wide_of(x.dtype());
  Gradients g;
  Tensor y, share;
  {
    GradMode off(false);
    const bool made_now = recorded && !none;
    if (made_now) g = make_room(p, x.requires_grad(), weight.requires_grad(), bias.defined() && bias.requires_grad());
    Losses losses = run(p, Tensor::full({}, 1, wide, x.device()), made_now ? &g : nullptr);
    check_labels(op, losses.sums, p.labels, classes, options.ignore_index);
    share = share_of_loss(losses, options.reduction);
    y = none ? losses.rows : to(mul(select(losses.sums, 0, 0), share), x.dtype());
  }
  if (!recorded) return y;

  record(op, {x, weight, bias}, {y},
         [p, g, share, none, wide, options, x = Saved(x), weight = Saved(weight),
          bias = Saved(bias)](Backward& b) -> TensorList {
           Tensor v = x.get(b), w = weight.get(b), shift = bias.get(b);
           if (grad_enabled()) {  // a second derivative is wanted: through the logits
             TensorList inputs{v, w};
             if (shift.defined()) inputs.push_back(shift);
             Tensor loss = cross_entropy(linear(v, w, shift), p.labels, options);
             TensorList d = run_backward({loss}, {b.dy()}, true, true, inputs, false);
             d.resize(3);
             return d;
           }
           if (none) {
             Gradients now = make_room(p, b.needs(0), b.needs(1), b.needs(2));
             run(p, contiguous(to(b.dy(), wide)), &now);
             auto back = [&](const Tensor& t) { return t.defined() ? to(t, v.dtype()) : t; };
             return {now.x, back(now.weight), back(now.bias)};
           }
           Tensor factor = mul(to(b.dy(), DType::Float64), share);
           auto back = [&](const Tensor& t) { return t.defined() ? to(mul(t, to(factor, t.dtype())), v.dtype()) : t; };
           return {back(g.x), back(g.weight), back(g.bias)};
         });
  return y;
}

}  // namespace

void bind_linear_cross_entropy(py::module_& m) {
  using Maybe = std::optional<Tensor>;
  m.def(
      "_linear_cross_entropy",
      [](const Tensor& input, const Tensor& linear_weight, const Tensor& target, const Maybe& linear_bias,
         const Maybe& weight, const std::string& reduction, int64_t ignore_index, double label_smoothing) {
        LossReduction r = parse_reduction("linear_cross_entropy", reduction);
        return linear_cross_entropy(input, linear_weight, target, linear_bias.value_or(Tensor()),
                                    {weight.value_or(Tensor()), ignore_index, r, label_smoothing});
      },
      py::arg("input"), py::arg("linear_weight"), py::arg("target"), py::arg("linear_bias"), py::arg("weight"),
      py::arg("reduction"), py::arg("ignore_index"), py::arg("label_smoothing"),
      "cross_entropy(linear(input [N, in], linear_weight [C, in], linear_bias [C]), labels [N]) in chunks of rows.");
}

}  // namespace weft
