"""Gradients beside central differences."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from weft import _core
from weft._core import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient differs from the differences."""


def gradcheck(
    func: Callable,
    inputs: Tensor | Sequence,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compares the gradients of func(*inputs) with central differences, for the floating inputs that require gradients;
    they should be float64. func returns a tensor or a sequence of them.

    Args:
        eps: the step, relative to max(1, |x|).
        atol, rtol: allowed is |gradient - difference| <= atol + rtol * |difference|.
        raise_exception: raise GradcheckError (a RuntimeError); else return False.
        nondet_tol: how much a second backward pass may differ from the first.
        check_undefined_grad: each output is differentiated on its own in any case, the others without a gradient.
        check_grad_dtypes: also compare dtypes.
        fast_mode: one random combination of the outputs instead of each of their elements.

    Batched and forward gradients do not exist and cannot be checked.
    """
    if check_batched_grad or check_batched_forward_grad or check_forward_ad:
        raise NotImplementedError("[gradcheck] there are neither batched gradients nor a forward mode to check")
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    wanted = _wanted(inputs)
    if not check_backward_ad:
        return True
    try:
        _check(func, inputs, wanted, eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable,
    inputs: Tensor | Sequence,
    grad_outputs: Tensor | Sequence | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """gradcheck of func's gradients, by its inputs and by `grad_outputs`, which default to random numbers."""
    if check_fwd_over_rev:
        raise NotImplementedError("[gradgradcheck] there is no forward mode to check")
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    wanted = _wanted(inputs)
    if grad_outputs is None:
        shapes = [(y.shape, y.dtype, y.device) for y in _differentiable(func(*inputs))]
        random = np.random.default_rng(0)
        grad_outputs = [_random(random, *s, gen_non_contig_grad_outputs) for s in shapes]
    grad_outputs = (grad_outputs,) if isinstance(grad_outputs, Tensor) else tuple(grad_outputs)
    if not check_rev_over_rev or not grad_outputs:
        return True

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        x, dy = args[: len(inputs)], args[len(inputs) :]
        found = _core._grad(_differentiable(func(*x)), [x[i] for i in wanted], dy, None, True, True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        inputs + grad_outputs,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
        masked=masked,
    )


def numeric_jacobian(func: Callable, inputs: Sequence, which: int, eps: float, positions: Iterable | None = None):
    """Central differences of func's floating outputs by elements of inputs[which]: for each output an array [positions,
    elements]. The input is changed in place and restored; default: all its elements."""
    x = inputs[which].detach()
    positions = list(np.ndindex(*x.shape) if positions is None else positions)
    rows = []
    for at in positions:
        middle = x[at].item()
        h = eps * max(1.0, abs(middle))
        x[at] = middle + h
        upper, above = x[at].item(), _values(func(*inputs))
        x[at] = middle - h
        lower, below = x[at].item(), _values(func(*inputs))
        x[at] = middle
        rows.append([(a - b) / (upper - lower) for a, b in zip(above, below, strict=True)])
    if rows:
        return [np.stack(column) for column in zip(*rows, strict=True)]
    return [np.zeros((0, y.size)) for y in _values(func(*inputs))]


def as_tuple(x: Any) -> tuple:
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def floating_outputs(y: Any) -> list[Tensor]:
    return [t for t in as_tuple(y) if isinstance(t, Tensor) and t.is_floating_point()]


def _values(y: Any) -> list[np.ndarray]:
    return [t.detach().double().cpu().numpy().flatten() for t in floating_outputs(y)]


def _differentiable(y: Any) -> list[Tensor]:
    return [t for t in floating_outputs(y) if t.requires_grad]


def _wanted(inputs: tuple) -> list[int]:
    wanted = [i for i, x in enumerate(inputs) if isinstance(x, Tensor) and x.requires_grad]
    if not wanted:
        raise ValueError("[gradcheck] expected at least one input tensor that requires a gradient")
    for i in wanted:
        x = inputs[i]
        if x.dtype != _core.float64:
            warnings.warn(
                f"[gradcheck] input {i} is not float64: differences of less precise numbers will likely not agree",
                stacklevel=3,
            )
        if any(step == 0 and size > 1 for step, size in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(f"[gradcheck] several elements of input {i} share one place in memory; use contiguous()")
    return wanted


def _random(random: np.random.Generator, shape, dtype, device, non_contiguous: bool) -> Tensor:
    wide = (*shape, 2) if non_contiguous else tuple(shape)
    t = _core.tensor(random.standard_normal(wide)).to(dtype).to(device)
    return (t[..., 0] if non_contiguous else t).requires_grad_()


def _check(func, inputs, wanted, eps, atol, rtol, nondet_tol, check_dtypes, fast) -> None:
    y = floating_outputs(func(*inputs))
    random = np.random.default_rng(0)
    projection = [random.standard_normal(t.numel()) for t in y]
    analytic = {i: [np.zeros((inputs[i].numel(), t.numel())) for t in y] for i in wanted}
    for k, t in enumerate(y):
        if not t.requires_grad:
            continue
        weights = projection[k][None] if fast else np.eye(t.numel())
        columns = [_backward(t, w, inputs, wanted, check_dtypes) for w in weights]
        if columns:
            again = _backward(t, weights[0], inputs, wanted, check_dtypes)
            if any(np.abs(a - b).max(initial=0.0) > nondet_tol for a, b in zip(again, columns[0], strict=True)):
                raise GradcheckError(f"[gradcheck] two backward passes of output {k} differ by more than {nondet_tol}")
        for place, i in enumerate(wanted):
            analytic[i][k] = np.stack([c[place] for c in columns], 1) if columns else analytic[i][k]
    for i in wanted:
        for k, numeric in enumerate(numeric_jacobian(func, inputs, i, eps)):
            if fast and y[k].requires_grad:
                numeric = (numeric @ projection[k])[:, None]
            if not np.allclose(analytic[i][k], numeric, rtol=rtol, atol=atol):
                raise GradcheckError(
                    f"Jacobian mismatch for output {k} with respect to input {i},\n"
                    f"numerical:{numeric}\nanalytical:{analytic[i][k]}\n"
                )


def _backward(y: Tensor, weight: np.ndarray, inputs, wanted, check_dtypes) -> list[np.ndarray]:
    weight = _core.tensor(weight).to(y.dtype).to(y.device).reshape(y.shape)
    found = []
    for i, g in zip(wanted, _core._grad(y, [inputs[i] for i in wanted], weight, True, False, True), strict=True):
        if g is None:
            found.append(np.zeros(inputs[i].numel()))
            continue
        if g.shape != inputs[i].shape or (check_dtypes and g.dtype != inputs[i].dtype):
            raise GradcheckError(f"[gradcheck] the gradient of input {i} has shape {tuple(g.shape)} and {g.dtype}")
        found.append(_values(g)[0])
    return found
