"""Gradients on request, and operations written in Python."""

from weft import _core
from weft._core import Tensor
from weft._grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

__all__ = ["Function", "backward", "enable_grad", "grad", "inference_mode", "no_grad", "set_grad_enabled"]


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """Accumulates the gradients of `tensors` (a tensor or a sequence) into the leaves' `.grad`.

    Args:
        grad_tensors: weights for each tensor's elements; may be None for tensors of one element.
        retain_graph: keep what backward needs for another pass; default: the value of create_graph.
        create_graph: record the backward pass itself, for second derivatives.
        inputs: accumulate into these tensors only.
    """
    _core._backward(tensors, grad_tensors, retain_graph, create_graph, inputs)


def grad(outputs, inputs, grad_outputs=None, retain_graph=None, create_graph=False, allow_unused=False):
    """The gradients of `outputs` with respect to `inputs`, as a tuple; nothing is accumulated.

    Raises:
        RuntimeError: an input does not require a gradient, or was not used and allow_unused is False.
    """
    return _core._grad(outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused)


class _Context:
    """What forward leaves for backward."""

    def __init__(self, needs_input_grad):
        self.needs_input_grad = needs_input_grad
        self._saved = ()
        self._outputs_saved = ()

    def save_for_backward(self, *tensors):
        """Keeps tensors. Backward raises if one was changed in place in the meantime."""
        self._saved = tensors

    def mark_non_differentiable(self, *tensors):
        """Outputs that have no gradient (integers have none anyway)."""
        self._non_differentiable = {id(t) for t in tensors}

    @property
    def saved_tensors(self):
        for t, version in self._kept:
            if t is not None and t._version != version:
                raise RuntimeError(
                    f"[{self._name}] a saved tensor of shape {tuple(t.shape)} was changed in place after the forward "
                    "pass; change a clone() instead"
                )
        return tuple(t for t, _ in self._kept)

    def _freeze(self, name, outputs):
        self._name = name
        made_here = {id(t) for t in outputs}
        # An output is kept without its history: the node must not own itself.
        self._kept = [
            (t.detach() if id(t) in made_here else t, t._version) if t is not None else (None, 0) for t in self._saved
        ]
        self._saved = ()


class Function:
    """An operation written in Python, over tensors or over NumPy and CuPy views of them.

    Subclass it with static methods `forward(ctx, *args)` and `backward(ctx, *grads)`; backward returns one gradient (or
    None) for each argument of forward. Call it by `apply`.
    """

    @staticmethod
    def forward(ctx, *args):
        raise NotImplementedError("a Function needs a static forward(ctx, *args)")

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError("a Function needs a static backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args):
        """Runs forward off the tape and records backward."""
        ctx = _Context(tuple(isinstance(a, Tensor) and a.requires_grad for a in args))
        with no_grad():
            result = cls.forward(ctx, *args)
        outputs = result if isinstance(result, tuple) else (result,)
        given = {id(a) for a in args}
        outputs = tuple(o.detach() if isinstance(o, Tensor) and id(o) in given else o for o in outputs)
        ctx._freeze(cls.__name__, outputs)
        fixed = getattr(ctx, "_non_differentiable", ())
        on_tape = [isinstance(o, Tensor) and id(o) not in fixed for o in outputs]
        from_tensor = [isinstance(a, Tensor) for a in args]

        def back(*grads):  # holds no output: the tape would own itself
            grads = iter(grads)
            found = cls.backward(ctx, *(next(grads) if recorded else None for recorded in on_tape))
            found = found if isinstance(found, tuple) else (found,)
            if len(found) != len(from_tensor):
                raise RuntimeError(
                    f"[{cls.__name__}] backward returned {len(found)} gradients, expected {len(from_tensor)}, one for "
                    "each argument of forward"
                )
            return tuple(g for g, wanted in zip(found, from_tensor, strict=True) if wanted)

        recorded = [o for o, keep in zip(outputs, on_tape, strict=True) if keep]
        _core._record_python(cls.__name__, [a for a in args if isinstance(a, Tensor)], recorded, back)
        return outputs if isinstance(result, tuple) else outputs[0]
