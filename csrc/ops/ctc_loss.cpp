#include "kernels/ctc_loss.h"

#include <algorithm>

#include "ops/autocast.h"
#include "ops/copy.h"
#include "tensor/autograd.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

struct Labels {
  Tensor targets, offsets, steps, counts;  // int64
  int64_t states, blank;
};

Tensor integers(const char* what, const Tensor& t, int64_t n) {
  WEFT_CHECK(is_integral(t.dtype()), Runtime, "[ctc_loss] expected ", what, " of integers, got ", name_of(t.dtype()));
  WEFT_CHECK(n < 0 || t.shape() == Dims{n}, Runtime, "[ctc_loss] expected ", what, " of shape [", n, "], got ",
             to_string(t.shape()));
  return contiguous(to(to(t.detach(), Device{}), DType::Int64));
}

// Checked on the host; then where the kernel runs.
Labels labels_of(const Tensor& x, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                 int64_t blank) {
  int64_t time = x.shape()[0], batch = x.shape()[1], classes = x.shape()[2];
  WEFT_CHECK(blank >= 0 && blank < classes, Runtime, "[ctc_loss] expected blank in [0, ", classes, "), got ", blank);
  WEFT_CHECK(targets.dim() == 1 || (targets.dim() == 2 && targets.shape()[0] == batch), Runtime,
             "[ctc_loss] expected targets of shape [", batch, ", length] or [sum of lengths], got ",
             to_string(targets.shape()));
  Labels r{integers("targets", targets, -1),
           Tensor::empty({batch}, DType::Int64),
           integers("input_lengths", input_lengths, batch),
           integers("target_lengths", target_lengths, batch),
           1,
           blank};
  int64_t end = 0, total = r.targets.numel(), most = targets.dim() == 2 ? targets.shape()[1] : total;
  for (int64_t n = 0; n < batch; ++n) {
    int64_t steps = r.steps.ptr<int64_t>()[n], count = r.counts.ptr<int64_t>()[n];
    WEFT_CHECK(steps >= 0 && steps <= time, Runtime, "[ctc_loss] expected input_lengths from 0 to ", time, ", got ",
               steps, " for item ", n);
    WEFT_CHECK(count >= 0 && count <= most, Runtime, "[ctc_loss] expected target_lengths from 0 to ", most, ", got ",
               count, " for item ", n);
    int64_t begin = r.offsets.ptr<int64_t>()[n] = targets.dim() == 2 ? n * most : end;
    end = begin + count;
    WEFT_CHECK(end <= total, Runtime, "[ctc_loss] expected targets for all target_lengths, got ", total);
    for (int64_t i = begin; i < end; ++i) {
      int64_t label = r.targets.ptr<int64_t>()[i];
      WEFT_CHECK(label >= 0 && label < classes, Index, "[ctc_loss] expected targets in [0, ", classes, "), got ", label,
                 " for item ", n);
    }
    r.states = std::max(r.states, 2 * count + 1);
  }
  for (Tensor* t : {&r.targets, &r.offsets, &r.steps, &r.counts}) *t = to(*t, x.device());
  return r;
}

CtcProblem problem_of(const Tensor& x, const Labels& l, const Workspace& room) {
  return {x.data(),
          l.targets.ptr<int64_t>(),
          l.offsets.ptr<int64_t>(),
          l.steps.ptr<int64_t>(),
          l.counts.ptr<int64_t>(),
          x.shape()[0],
          x.shape()[1],
          x.shape()[2],
          l.states,
          l.blank,
          room.data(),
          x.dtype()};
}

Tensor ctc_loss(const Tensor& x, const Tensor& targets, const Tensor& input_lengths, const Tensor& target_lengths,
                int64_t blank, bool zero_infinity) {
  WEFT_CHECK(x.dim() == 3 && (x.dtype() == DType::Float32 || x.dtype() == DType::Float64), Runtime,
             "[ctc_loss] expected log_probs [time, batch, classes] of float32 or float64, got ", name_of(x.dtype()),
             " ", to_string(x.shape()));
  if (anybody_records()) note_host_read("ctc_loss");
  Labels l = labels_of(x, targets, input_lengths, target_lengths, blank);
  int64_t batch = x.shape()[1], time = x.shape()[0];
  Device device = x.device();
  Tensor loss = Tensor::empty({batch}, x.dtype(), device), in = contiguous(x.detach());
  if (batch == 0) return loss;
  Tensor alpha = Tensor::empty({batch, time, ctc_row(l.states)}, x.dtype(), device);
  Workspace room(batch * ctc_workspace(l.states), device);
  double work = 100 * (double)alpha.numel();
  launch("ctc_loss", device, kernels<CtcLossKernels>(device).forward,
         CtcForward{problem_of(in, l, room), loss.data(), alpha.data()}, work);
  if (needs_grad(x))
    record("ctc_loss", {x}, {loss}, [=, x = Saved(x), loss = loss.detach()](Backward& b) {
      Tensor from = x.get(b), in = contiguous(from.detach()), d = contiguous(b.dy().detach());
      Tensor dx = Tensor::empty_like(in);
      Workspace room(batch * ctc_workspace(l.states), device);
      launch("ctc_loss_backward", device, kernels<CtcLossKernels>(device).backward,
             CtcBackward{problem_of(in, l, room), dx.data(), d.data(), loss.data(), alpha.data(), zero_infinity},
             work + 10 * (double)dx.numel());
      no_second_derivative("ctc_loss", {from, b.dy()}, {dx});
      return b.grads(dx);
    });
  return loss;
}

}  // namespace

void bind_ctc_loss(py::module_& m) {
  m.def("_ctc_loss", autocasting<Autocast::Float32>(ctc_loss), py::arg("log_probs"), py::arg("targets"),
        py::arg("input_lengths"), py::arg("target_lengths"), py::arg("blank"), py::arg("zero_infinity"),
        "The loss of each item, inf where no alignment fits; zero_infinity: those have no gradient.");
}

}  // namespace weft
