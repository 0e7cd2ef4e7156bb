"""Comparing numbers: one comparator for all of Weft's tests, and gradients by central differences.

`assert_close` derives its tolerance from the precision of the numbers and the length of the sums behind them, so a
test states `terms`, not a number that somebody tuned until it passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["assert_close", "gradcheck", "numeric_gradient", "tolerance"]

# Distance from 1 to the next number, and the smallest normal number.
_PRECISION = {
    "float16": (2.0**-10, 2.0**-14),
    "bfloat16": (2.0**-7, 2.0**-126),
    "float32": (2.0**-23, 2.0**-126),
    "float64": (2.0**-52, 2.0**-1022),
}
_LARGEST = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float32": 3.4028234663852886e38}


def dtype_name(x: Any) -> str:
    """'float32' for a weft, NumPy or torch array, or for such a dtype."""
    return str(getattr(x, "dtype", x)).rpartition(".")[2]


def to_numpy(x: Any) -> np.ndarray:
    """The values of a weft, NumPy or torch array, or of a nest of numbers; bfloat16 becomes float32."""
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x)
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        if dtype_name(x) == "bfloat16":
            x = x.float()
        return np.asarray(x.numpy())
    return np.asarray(x)


def tolerance(dtype: Any, terms: int = 1) -> float:
    """Relative error allowed for a sum of `terms` products in `dtype`: a few roundings of the result, and the random
    walk of the roundings on the way, which half precision takes in float32."""
    name = dtype_name(dtype)
    if name not in _PRECISION:
        return 0.0
    eps = _PRECISION[name][0]
    inner = _PRECISION["float32"][0] if name in ("float16", "bfloat16") else eps
    return 4 * eps + 4 * inner * (math.sqrt(max(terms, 1)) - 1)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    rtol: float | None = None,
    atol: float | None = None,
    terms: int = 1,
    check_dtype: bool = True,
    name: str = "result",
) -> None:
    """Raises AssertionError unless `actual` equals `expected` within the precision of the coarser of the two.

    Integers and booleans must be equal. For floats |actual - expected| <= atol + rtol * |expected|, where by default
    rtol is `tolerance(dtype, terms)`; with terms > 1, where cancellation makes small results of large terms, atol is
    rtol times the root mean square of `expected`, else it is the smallest normal number. NaN equals NaN alone;
    infinities are equal when their signs are. A finite reference beyond the range of actual's dtype counts as infinite.

    Args:
        actual, expected: weft or torch tensors, NumPy arrays, or numbers.
        terms: how many products are summed into one element.
        check_dtype: also demand equal dtypes; False is for a reference in float64.
        name: what the message calls `actual`.
    """
    actual_dtype, expected_dtype = _dtype_of(actual), _dtype_of(expected)
    a, e = to_numpy(actual), to_numpy(expected)
    if a.shape != e.shape:
        raise AssertionError(f"{name}: shape {a.shape}, expected {e.shape}")
    if check_dtype and actual_dtype != expected_dtype:
        raise AssertionError(f"{name}: dtype {actual_dtype}, expected {expected_dtype}")
    if a.size == 0:
        return

    floats = [d for d in (actual_dtype, expected_dtype) if d in _PRECISION]
    if not floats:
        _raise_where(a != e, a, e, name, "must be equal")
        return
    coarse = max(floats, key=lambda d: _PRECISION[d][0])
    a, e = a.astype(np.float64), e.astype(np.float64)
    if actual_dtype in _LARGEST:
        eps, largest = _PRECISION[actual_dtype][0], _LARGEST[actual_dtype]
        e = np.where(np.isfinite(e) & (np.abs(e) >= largest * (1 + eps / 4)), np.copysign(np.inf, e), e)
    finite = np.isfinite(e)
    if rtol is None:
        rtol = tolerance(coarse, terms)
    if atol is None:
        atol = _PRECISION[coarse][1]
        if terms > 1 and finite.any():
            atol += rtol * _root_mean_square(e[finite])
    with np.errstate(invalid="ignore", over="ignore"):
        close = np.abs(a - e) <= atol + rtol * np.abs(e)
    close = np.where(finite, close & np.isfinite(a), (a == e) | (np.isnan(a) & np.isnan(e)))
    _raise_where(~close, a, e, name, f"rtol {rtol:.3g}, atol {atol:.3g}, {coarse}")


def _dtype_of(x: Any) -> str:
    return dtype_name(x if hasattr(x, "dtype") else np.asarray(x))


def _root_mean_square(x: np.ndarray) -> float:
    largest = float(np.abs(x).max())
    return largest * math.sqrt(np.mean(np.square(x / largest))) if largest > 0 else 0.0


def _raise_where(bad: np.ndarray, a: np.ndarray, e: np.ndarray, name: str, rule: str) -> None:
    count = int(np.count_nonzero(bad))
    if count == 0:
        return
    with np.errstate(all="ignore"):
        error = np.abs(a.astype(np.float64) - e.astype(np.float64))
    error = np.where(bad, np.nan_to_num(error, nan=np.inf), -1)
    worst = np.unravel_index(int(np.argmax(error)), error.shape)
    lines = [
        f"{name}: {count} of {bad.size} elements differ ({rule}), shape {a.shape}",
        f"  worst at {tuple(int(i) for i in worst)}: {a[worst]!r}, expected {e[worst]!r}",
    ]
    if a.dtype.kind == "f":
        nans, expected_nans = int(np.isnan(a).sum()), int(np.isnan(e).sum())
        if nans != expected_nans:
            lines.append(f"  {nans} NaN, expected {expected_nans}")
    first = [tuple(int(i) for i in index) for index in np.argwhere(bad)[:4]]
    lines.append(f"  first at {first}")
    raise AssertionError("\n".join(lines))


def numeric_gradient(
    fn: Callable[..., Any],
    arrays: Sequence[Any],
    which: int,
    dy: Any = None,
    step: float = 6e-6,
    positions: Sequence[tuple[int, ...]] | None = None,
) -> np.ndarray:
    """d sum(fn(*arrays) * dy) / d arrays[which] by central differences in float64.

    Args:
        fn: takes NumPy arrays, returns one array or a tuple of them.
        arrays: its arguments; only the one differentiated is copied and must be floating.
        dy: weights of the result, or a tuple of them; default: ones.
        step: relative to max(1, |x|); the default is near the cube root of float64's epsilon.
        positions: where to differentiate; the gradient is 0 elsewhere. Default: everywhere.
    """
    x = np.array(arrays[which], dtype=np.float64)
    arguments = list(arrays)
    arguments[which] = x
    gradient = np.zeros(x.shape)

    def total() -> float:
        outputs = _as_tuple(fn(*arguments))
        weights = _as_tuple(dy) if dy is not None else (1.0,) * len(outputs)
        return math.fsum(
            float(v)
            for y, w in zip(outputs, weights, strict=True)
            for v in (to_numpy(y).astype(np.float64) * to_numpy(w)).ravel()
        )

    for index in np.ndindex(x.shape) if positions is None else positions:
        middle, h = x[index], step * max(1.0, abs(x[index]))
        x[index] = middle + h
        upper, above = total(), x[index]
        x[index] = middle - h
        lower, below = total(), x[index]
        x[index] = middle
        gradient[index] = (upper - lower) / (above - below)
    return gradient


def gradcheck(
    fn: Callable[..., Any], *arguments: Any, rtol: float = 1e-6, atol: float = 1e-7, seed: int = 0, samples: int = 64
) -> None:
    """Compares the gradients of `fn`, a function of weft tensors, with central differences in float64.

    Args:
        fn: returns one tensor or a tuple; its floating outputs are weighted with fixed random numbers and summed.
        arguments: floating arrays (NumPy or weft) are converted to float64 and differentiated; anything else is passed
            as it is, integer and boolean NumPy arrays as tensors.
        atol: per unit of the largest gradient.
        samples: how many elements of each argument are checked, chosen at random where there are more.
    """
    import weft
    from weft.autograd.gradcheck import floating_outputs, numeric_jacobian

    values = [to_numpy(v) if hasattr(v, "dtype") else v for v in arguments]
    wanted = [i for i, v in enumerate(values) if isinstance(v, np.ndarray) and v.dtype.kind == "f"]
    tensors = [weft.tensor(v) if isinstance(v, np.ndarray) else v for v in values]
    for i in wanted:
        tensors[i] = tensors[i].double().requires_grad_()
    random = np.random.default_rng(seed)
    outputs = floating_outputs(fn(*tensors))
    weights = [random.standard_normal(tuple(y.shape)) for y in outputs]
    for y, w in zip(outputs, weights, strict=True):
        if y.requires_grad:
            y.backward(weft.tensor(w).to(y.dtype), retain_graph=True)

    for i in wanted:
        shape, size = values[i].shape, values[i].size
        chosen = range(size) if size <= samples else np.sort(random.choice(size, samples, replace=False))
        positions = [tuple(int(j) for j in np.unravel_index(k, shape)) for k in chosen]
        rows = numeric_jacobian(fn, tensors, i, 6e-6, positions)
        expected = sum((r @ w.ravel() for r, w in zip(rows, weights, strict=True)), np.zeros(len(positions)))
        grad = tensors[i].grad
        got = np.zeros(shape) if grad is None else to_numpy(grad)
        assert got.shape == shape, f"gradient of argument {i}: shape {got.shape}, expected {shape}"
        at = tuple(np.array(positions, dtype=np.int64).reshape(len(positions), len(shape)).T)
        largest = float(np.abs(expected).max(initial=1.0))
        assert_close(got[at].reshape(-1), expected, rtol=rtol, atol=atol * largest, name=f"gradient of argument {i}")


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, tuple | list) else (x,)
