"""Jacobians, Hessians and their products with vectors, of functions of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from weft import _core
from weft._core import Tensor
from weft._grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = Tensor | tuple[Tensor, ...]


def vjp(func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False):
    """(func(*inputs), v^T J): the vector v, shaped as the outputs, times the Jacobian.

    Args:
        v: may be left out for an output of one element.
        create_graph: make the result differentiable.
        strict: an input that an output does not depend on is an error instead of zeros.
    """
    with enable_grad():
        x, single_input = _leaves("vjp", inputs, create_graph)
        y, single_output = _call("vjp", func, x, strict)
        v = _vector("vjp", v, y, "outputs")
        product = _gradients("vjp", y, x, v, create_graph, strict)
    return _undo(y, single_output, create_graph), _undo(product, single_input, create_graph)


def jvp(func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False):
    """(func(*inputs), J v): the Jacobian times the vector v, shaped as the inputs. By two backward passes: w^T J is
    linear in w, and its gradient by w, weighted by v, is J v. See vjp."""
    with enable_grad():
        x, _ = _leaves("jvp", inputs, create_graph)
        v = _vector("jvp", v, x, "inputs")
        y, single_output = _call("jvp", func, x, strict)
        dummy = tuple(_core.zeros_like(t).requires_grad_() for t in y)
        rows = _gradients("jvp", y, x, dummy, True, strict)
        product = _gradients("jvp", rows, dummy, v, create_graph, strict)
    return _undo(y, single_output, create_graph), _undo(product, single_output, create_graph)


def jacobian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
):
    """d func(*inputs)[i] / d inputs[j], of shape output.shape + input.shape: a tensor, or a tuple for several outputs
    or inputs, of tuples for both. `vectorize` and `strategy` are accepted: it is one backward pass for each element of
    the outputs either way."""
    if strategy not in ("reverse-mode", "forward-mode"):
        raise ValueError(f"[jacobian] expected strategy 'reverse-mode' or 'forward-mode', got {strategy!r}")
    with enable_grad():
        x, single_input = _leaves("jacobian", inputs, create_graph)
        y, single_output = _call("jacobian", func, x, strict)
        rows = tuple(_jacobian_of(t, x, create_graph, strict) for t in y)
    rows = tuple(_undo(r, single_input, create_graph) for r in rows)
    return rows[0] if single_output else rows


def _jacobian_of(y: Tensor, x: tuple[Tensor, ...], create_graph: bool, strict: bool) -> tuple[Tensor, ...]:
    rows = []
    for k in range(y.numel()):
        one = _core.zeros(y.numel(), dtype=y.dtype, device=y.device)
        one[k] = 1
        rows.append(_gradients("jacobian", (y,), x, (one.reshape(y.shape),), create_graph, strict, True))
    if not rows:
        return tuple(_core.zeros((*y.shape, *t.shape), dtype=t.dtype, device=t.device) for t in x)
    return tuple(
        _core.stack(column).reshape((*y.shape, *t.shape)) for column, t in zip(zip(*rows, strict=True), x, strict=True)
    )


def hessian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
):
    """The second derivatives of func, which returns one element: [i][j] has the shape of input i followed by that of
    input j; a tensor for a single input. See jacobian."""
    x, single_input = _as_tensors("hessian", inputs)

    def gradient(*x: Tensor):
        y, _ = _one_element("hessian", func, x)
        return _gradients("hessian", y, x, None, True, strict)

    blocks = jacobian(gradient, x, create_graph, strict, vectorize, outer_jacobian_strategy)
    return blocks[0][0] if single_input else blocks


def vhp(func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False):
    """(func(*inputs), v^T H) for func that returns one element and v shaped as the inputs. See vjp."""
    with enable_grad():
        x, single_input = _leaves("vhp", inputs, create_graph)
        v = _vector("vhp", v, x, "inputs")
        y, _ = _one_element("vhp", func, x, strict)
        slopes = _gradients("vhp", y, x, None, True, strict)
        product = _gradients("vhp", slopes, x, v, create_graph, strict)
    return _undo(y, True, create_graph), _undo(product, single_input, create_graph)


def hvp(func: Callable, inputs: Tensors, v: Tensors | None = None, create_graph: bool = False, strict: bool = False):
    """(func(*inputs), H v); the same numbers as vhp, by a third backward pass as jvp."""
    with enable_grad():
        x, single_input = _leaves("hvp", inputs, create_graph)
        v = _vector("hvp", v, x, "inputs")
        y, _ = _one_element("hvp", func, x, strict)
        slopes = _gradients("hvp", y, x, None, True, strict)
        dummy = tuple(_core.zeros_like(t).requires_grad_() for t in x)
        rows = _gradients("hvp", slopes, x, dummy, True, strict)
        product = _gradients("hvp", rows, dummy, v, create_graph, strict)
    return _undo(y, True, create_graph), _undo(product, single_input, create_graph)


def _as_tensors(op: str, x: Any, what: str = "inputs") -> tuple[tuple[Tensor, ...], bool]:
    single = not isinstance(x, tuple)
    tensors = (x,) if single else x
    for t in tensors:
        if not isinstance(t, Tensor):
            raise TypeError(f"[{op}] expected {what} to be a tensor or a tuple of tensors, got {type(t).__name__}")
    return tensors, single


def _leaves(op: str, inputs: Any, create_graph: bool) -> tuple[tuple[Tensor, ...], bool]:
    """The inputs apart from the rest of the tape or, with create_graph, on it where they already are."""
    tensors, single = _as_tensors(op, inputs)
    return tuple(
        t.view(t.shape) if create_graph and t.requires_grad else t.detach().requires_grad_() for t in tensors
    ), single


def _call(op: str, func: Callable, x: Sequence[Tensor], strict: bool) -> tuple[tuple[Tensor, ...], bool]:
    y, single = _as_tensors(op, func(*x), "the results of func")
    for k, t in enumerate(y):
        if strict and not t.requires_grad:
            raise RuntimeError(f"[{op}] output {k} of func does not depend on any input, which strict=True forbids")
    return y, single


def _one_element(op: str, func: Callable, x: Sequence[Tensor], strict: bool = False):
    y, single = _call(op, func, x, strict)
    if not single or y[0].numel() != 1:
        raise RuntimeError(f"[{op}] expected func to return a tensor of one element, got {[tuple(t.shape) for t in y]}")
    return y, single


def _vector(op: str, v: Any, like: Sequence[Tensor], what: str) -> tuple[Tensor, ...]:
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(f"[{op}] v can be left out only where {what} are a single tensor of one element")
        return (_core.ones_like(like[0]),)
    v, _ = _as_tensors(op, v, "v")
    if [tuple(t.shape) for t in v] != [tuple(t.shape) for t in like]:
        shapes = [tuple(t.shape) for t in v], [tuple(t.shape) for t in like]
        raise RuntimeError(f"[{op}] expected v of the {what}' shapes {shapes[1]}, got {shapes[0]}")
    return v


def _gradients(op, y, x, weights, create_graph, strict, retain_graph=None) -> tuple[Tensor, ...]:
    """Zeros where y does not depend on x, unless strict."""
    weights = [None] * len(y) if weights is None else weights
    used = [(t, w) for t, w in zip(y, weights, strict=True) if t.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(x)
    if used:
        outputs, grads = zip(*used, strict=True)
        found = _core._grad(list(outputs), list(x), list(grads), retain_graph, create_graph, True)
    for k, g in enumerate(found):
        if strict and g is None:
            raise RuntimeError(f"[{op}] the result does not depend on input {k}, which strict=True forbids")
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(f"[{op}] the derivative by input {k} does not depend on it, which strict=True forbids")
    return tuple(_core.zeros_like(t) if g is None else g for g, t in zip(found, x, strict=True))


def _undo(tensors: tuple[Tensor, ...], single: bool, create_graph: bool):
    """As the caller gave them: alone or as a tuple, on the tape or off it."""
    tensors = tensors if create_graph else tuple(t.detach() for t in tensors)
    return tensors[0] if single else tensors
