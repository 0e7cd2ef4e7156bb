"""Operations written in Python."""

from collections.abc import Callable
from functools import wraps

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What forward leaves for backward. Any attribute may be set on it."""

    def __init__(self, name: str, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.materialize_grads = True
        self._name = name
        self._to_save: tuple[Tensor | None, ...] = ()
        self._kept: list | None = None
        self._node = None
        self._fixed: set[int] = set()
        self._changed: set[int] = set()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps inputs and outputs. Backward raises if one was changed in place in the meantime."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(f"[save_for_backward] expected tensors or None, got {type(t).__name__}")
        self._to_save = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Inputs that forward changed in place; each must be returned."""
        self._changed = {id(t) for t in tensors}

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Outputs that have no gradient (integers have none anyway)."""
        self._fixed = {id(t) for t in tensors}

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros for an output whose gradient nobody wants (the default), or None."""
        self.materialize_grads = value

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        if self._kept is None:
            return self._to_save
        return tuple(k and k.get(self._name, self._node) for k in self._kept)

    def _freeze(self, recorded: list[Tensor]) -> None:
        """Outputs are kept without their history: the node must not own itself."""
        place = {id(t): i for i, t in enumerate(recorded)}
        self._kept = [None if t is None else _core._Saved(t, place.get(id(t), -1)) for t in self._to_save]
        self._to_save = ()


class Function:
    """An operation written in Python, over tensors or over NumPy and CuPy views of them.

    Subclass it with static methods `forward(ctx, *args)` and `backward(ctx, *grads)`; backward returns one gradient (or
    None) for each argument of forward. Or write `forward(*args)` and `setup_context(ctx, inputs, output)`. Call it by
    `apply`.
    """

    @staticmethod
    def forward(*args, **kwargs):
        raise NotImplementedError("a Function needs a static forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx, inputs, output):
        raise NotImplementedError("a Function with forward(*args) needs a static setup_context(ctx, inputs, output)")

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError("a Function needs a static backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args):
        """Runs forward off the tape and records backward."""
        ctx = FunctionCtx(cls.__name__, tuple(isinstance(a, Tensor) and a.requires_grad for a in args))
        with no_grad():
            if cls.setup_context is Function.setup_context:
                result = cls.forward(ctx, *args)
            else:
                result = cls.forward(*args)
                cls.setup_context(ctx, args, result)
        outputs = result if isinstance(result, tuple) else (result,)
        inputs = {id(a) for a in args if isinstance(a, Tensor)}
        if not ctx._changed <= {id(o) for o in outputs}:
            raise RuntimeError(f"[{cls.__name__}] an input marked dirty was not returned by forward")
        outputs = tuple(o.detach() if id(o) in inputs and id(o) not in ctx._changed else o for o in outputs)

        differentiable = [isinstance(o, Tensor) and id(o) not in ctx._fixed for o in outputs]
        recorded = [o for o, on_tape in zip(outputs, differentiable, strict=True) if on_tape]
        changed = [i for i, o in enumerate(recorded) if id(o) in ctx._changed]
        back = _backward_of(cls, ctx, args, outputs, differentiable)
        tensors = [a for a in args if isinstance(a, Tensor)]
        if recorded and _core._record_python(cls.__name__, tensors, recorded, back, changed):
            ctx._freeze(recorded)
        return outputs if isinstance(result, tuple) else outputs[0]


def _backward_of(cls, ctx: FunctionCtx, args: tuple, outputs: tuple, differentiable: list[bool]) -> Callable:
    """What the tape calls. It holds no output: the tape would own itself."""
    from_tensor = [isinstance(a, Tensor) for a in args]
    kinds = [(tuple(o.shape), o.dtype, o.device) if isinstance(o, Tensor) else None for o in outputs]

    def gradient(given, kind):
        if given is None and kind and ctx.materialize_grads:
            shape, dtype, device = kind
            return _core.zeros(shape, dtype=dtype, device=device)
        return given

    def back(node, *grads):
        incoming = iter(grads)
        incoming = [next(incoming) if on_tape else None for on_tape in differentiable]
        ctx._node = node
        try:
            found = cls.backward(ctx, *map(gradient, incoming, kinds))
        finally:
            ctx._node = None
        found = found if isinstance(found, tuple | list) else (found,)
        wanted = len(from_tensor)
        if len(found) < wanted or any(g is not None for g in found[wanted:]):
            raise RuntimeError(
                f"[{cls.__name__}] backward returned {len(found)} gradients, expected {wanted}, one for "
                "each argument of forward"
            )
        return tuple(g for g, is_tensor in zip(found, from_tensor, strict=False) if is_tensor)

    return back


def once_differentiable(backward: Callable) -> Callable:
    """For a Function's backward that is no formula of tensors: it runs off the tape, and differentiating its result is
    an error instead of a wrong number."""

    @wraps(backward)
    def off_tape(ctx, *grads):
        with no_grad():
            result = backward(ctx, *grads)
        sources = [t for t in (*grads, *ctx.saved_tensors) if isinstance(t, Tensor) and t.requires_grad]
        if not sources or not _core.is_grad_enabled():
            return result
        found = result if isinstance(result, tuple | list) else (result,)
        found = tuple(g.detach() if isinstance(g, Tensor) else g for g in found)
        tensors = [g for g in found if isinstance(g, Tensor)]
        _core._record_python(f"{ctx._name} (once differentiable)", sources, tensors, _refuse)
        return found

    return off_tape


def _refuse(*_):
    raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")
