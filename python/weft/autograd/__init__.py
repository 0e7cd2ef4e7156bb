"""Gradients on request, and operations written in Python."""

from collections.abc import Sequence

from weft import _core
from weft._core import Tensor
from weft._grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from weft.autograd import function, functional, graph
from weft.autograd.function import Function
from weft.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

__all__ = [
    "Function",
    "GradcheckError",
    "backward",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "graph",
    "inference_mode",
    "no_grad",
    "set_grad_enabled",
]


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Accumulates the gradients of `tensors` (a tensor or a sequence) into the leaves' `.grad`.

    Args:
        grad_tensors: weights for each tensor's elements; may be None for tensors of one element.
        retain_graph: keep what backward needs for another pass; default: the value of create_graph.
        create_graph: record the backward pass itself, for second derivatives.
        inputs: accumulate into these tensors only.
    """
    if inputs is not None and not isinstance(inputs, Tensor) and len(inputs) == 0:
        raise RuntimeError("[backward] expected at least one tensor in inputs")
    _core._backward(tensors, grad_tensors, retain_graph, create_graph, inputs)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs=None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`, as a tuple; nothing is accumulated.

    Args:
        grad_outputs: weights for each output's elements; may be None for outputs of one element.
        allow_unused: an input that was not used gets None instead of being an error.
        materialize_grads: it gets zeros instead.

    Raises:
        RuntimeError: an input does not require a gradient, or was not used and that is not allowed.
    """
    if not only_inputs:
        raise ValueError("[grad] only_inputs=False is not supported; use backward() to accumulate gradients")
    if is_grads_batched:
        raise NotImplementedError("[grad] is_grads_batched is not supported; call grad() for each row of grad_outputs")
    if materialize_grads and allow_unused is False:
        raise ValueError("[grad] expected allow_unused to be True or left out when materialize_grads is True")
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    unused = materialize_grads or bool(allow_unused)
    grads = _core._grad(outputs, inputs, grad_outputs, retain_graph, create_graph, unused)
    if materialize_grads:
        grads = tuple(_core.zeros_like(x) if g is None else g for g, x in zip(grads, inputs, strict=True))
    return grads
