#include "kernels/dropout.h"

#include "ops/copy.h"
#include "ops/random.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

struct DropoutRule {
  DrawnStream drawn;
  uint32_t drop_below;
  double scale;
};

void run(const Tensor& y, const Tensor& x, const DropoutRule& rule) {
  Dropout args{y.data(), x.data(), x.numel(), rule.drawn.stream, rule.drop_below, rule.scale, x.dtype()};
  launch("dropout", x.device(), kernels<DropoutKernels>(x.device()).apply, args, (double)args.n * 2);
}

// Linear in x, so that its gradient is itself.
Tensor masked(const Tensor& x, const DropoutRule& rule) {
  Tensor y = Tensor::empty_like(x);
  run(y, contiguous(x.detach()), rule);
  if (needs_grad(x)) record("dropout", {x}, {y}, [rule](Backward& b) { return b.grads(masked(b.dy(), rule)); });
  return y;
}

Tensor masked_inplace(const Tensor& x, const DropoutRule& rule) {
  InPlace change("dropout_", x);
  if (x.is_contiguous()) {
    run(x, x, rule);
  } else {
    GradMode off(false);
    copy_into(x, masked(x, rule));
  }
  change.done();
  if (needs_grad(x)) record_inplace("dropout_", x, {x}, [rule](Backward& b) { return b.grads(masked(b.dy(), rule)); });
  return x;
}

Tensor dropout(const Tensor& x, double p, bool training, bool inplace) {
  WEFT_CHECK(p >= 0 && p <= 1, Value, "[dropout] expected a probability between 0 and 1, got ", p);
  if (!training || p == 0 || x.numel() == 0) return x;
  WEFT_CHECK(is_floating(x.dtype()), Runtime, "[dropout] expected a floating tensor, got ", name_of(x.dtype()));
  // p = 1 keeps everything, times 0: 2^32 does not fit drop_below.
  DropoutRule rule{draw_stream(nullptr, x.numel(), x.device()), p < 1 ? (uint32_t)(p * 4294967296.0) : 0,
                   p < 1 ? 1 / (1 - p) : 0};
  return inplace ? masked_inplace(x, rule) : masked(x, rule);
}

}  // namespace

void bind_dropout(py::module_& m) {
  m.def("dropout", dropout, py::arg("input"), py::arg("p") = 0.5, py::arg("training") = true,
        py::arg("inplace") = false,
        "Zeroes each element with probability p and multiplies the others by 1 / (1 - p); the input itself unless "
        "training. Srivastava et al. 2014.");
}

}  // namespace weft
