// Optimizer steps over whole lists of parameters: a launch for each 64 tensors. All of them are off the tape, and bump
// the version of what they change. In Python:
//
//   _core.sgd_step(params, grads, momentum_buffers, lr, momentum=0, dampening=0, weight_decay=0, nesterov=False,
//                  maximize=False, first=False, grad_scale=None)
//       momentum_buffers: empty if momentum == 0. first: they hold nothing yet (with dampening == 0, zeros do as well).
//   _core.adam_step(params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, beta1=0.9, beta2=0.999, eps=1e-8,
//                   weight_decay=0, amsgrad=False, maximize=False, grad_scale=None)
//   _core.adamw_step(the same; weight_decay=1e-2)
//       max_exp_avg_sqs: empty unless amsgrad. steps: float32, one element each, one tensor per parameter; incremented
//       here.
//   _core.grad_norm(tensors) -> 0-dimensional float32 tensor: the L2 norm of all of them together
//   _core.scale_(tensors, scale)
//
// lr, scale and grad_scale are numbers or float32 tensors of one element, read when the step runs; grad_scale
// multiplies the gradients on the way in (clipping, loss scaling). Parameter, gradient and state agree in shape, dtype
// and device: all parameters of one call have one dtype and device. Gradients that are None are the caller's to leave
// out.
#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace weft {

struct OptimizerScalar {  // a number, or a tensor that is read when the step runs
  double value = 1;
  Tensor at;
};

void sgd_step(const TensorList& params, const TensorList& grads, const TensorList& buffers, const OptimizerScalar& lr,
              double momentum, double dampening, double weight_decay, bool nesterov, bool maximize, bool first,
              const OptimizerScalar& grad_scale);

struct AdamOptions {
  double beta1, beta2, eps, weight_decay;
  bool decoupled, amsgrad, maximize;
};
void adam_step(const TensorList& params, const TensorList& grads, const TensorList& exp_avgs,
               const TensorList& exp_avg_sqs, const TensorList& max_exp_avg_sqs, const TensorList& steps,
               const OptimizerScalar& lr, const AdamOptions& options, const OptimizerScalar& grad_scale);

Tensor grad_norm(const TensorList& tensors);
void scale_(const TensorList& tensors, const OptimizerScalar& scale);

}  // namespace weft
