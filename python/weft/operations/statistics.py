"""Covariances, quantiles, counts and histograms."""

from __future__ import annotations

import math

from weft import _core
from weft._core import Tensor
from weft.operations._register import both, in_float32


@both
def cov(
    input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None
) -> Tensor:
    """Covariances of variables [n] or [variables, n] over n observations, which fweights [n] (whole numbers) counts and
    aweights [n] weighs."""
    if input.dim() > 2:
        raise RuntimeError(f"[cov] expected at most two dimensions, got shape {list(input.shape)}")
    if input.dtype is _core.bool:
        raise RuntimeError("[cov] expected numbers, got bool")
    x = input.reshape(1, -1) if input.dim() < 2 else input
    x = x if x.is_floating_point() else x.to(_core.get_default_dtype())
    _check_weights("fweights", fweights, x.shape[1], False)
    _check_weights("aweights", aweights, x.shape[1], True)
    w = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    total = x.shape[1] if w is None else w.sum()
    norm = total - correction
    if aweights is not None and correction != 0:
        norm = total - correction * (w * aweights).sum() / total
    norm = norm.clamp(min=0) if isinstance(norm, Tensor) else max(norm, 0)
    x = x - ((x if w is None else x * w).sum(1) / total).unsqueeze(1)
    products = x @ (x if w is None else (x * w).to(x.dtype)).t()
    return (products / norm).squeeze()


def _check_weights(name, w, n, floating):
    if w is None:
        return
    if w.dim() > 1 or w.numel() != n:
        raise RuntimeError(f"[cov] expected {name} of shape [{n}], got {list(w.shape)}")
    if w.is_floating_point() != floating or w.dtype is _core.bool:
        raise RuntimeError(
            f"[cov] expected {name} of {'a floating' if floating else 'an integer'} dtype, got {w.dtype}"
        )
    if n and w.amin().item() < 0:
        raise RuntimeError(f"[cov] expected {name} of at least 0")


@both
def corrcoef(input: Tensor) -> Tensor:
    """Correlations of variables [n] or [variables, n]: cov() divided by the standard deviations."""
    c = cov(input)
    if c.dim() == 0:
        return c / c
    i = _core.arange(c.shape[0], device=c.device)
    spread = c[i, i].sqrt()
    return (c / spread.unsqueeze(1) / spread).clamp(-1, 1)


@both
@in_float32
def quantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """The values below which the fractions q (a number, or several: a new first dimension) of the elements lie, along
    dim or of all. Interpolation between neighbours: linear, lower, higher, nearest or midpoint. NaN if there is one."""
    return _quantile("quantile", input, q, dim, keepdim, interpolation, False)


@both
@in_float32
def nanquantile(
    input: Tensor, q: float | Tensor, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Tensor:
    """quantile() of the elements that are not NaN."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)


def _quantile(op, x, q, dim, keepdim, interpolation, skip_nan):
    q = _fractions(op, x, q, interpolation)
    shape = list(x.shape)
    if dim is None:
        values, kept = x.reshape(-1), [1] * len(shape)
    else:
        if x.dim() == 0:
            x = x.reshape(1)
        values = x.movedim(dim, -1)
        kept = [1 if shape and d == dim % len(shape) else n for d, n in enumerate(shape)]
    if x.numel() == 0:
        raise RuntimeError(f"[{op}] expected at least one element, got shape {shape}")
    if not keepdim:
        kept = list(values.shape[:-1])
    y = _interpolate(values.sort(-1).values, q.reshape(-1), interpolation, skip_nan)
    return y.movedim(-1, 0).reshape(list(q.shape) + kept)


def _fractions(op, x, q, interpolation):
    if x.dtype not in (_core.float32, _core.float64):
        raise RuntimeError(f"[{op}] expected float32 or float64, got {x.dtype}")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise RuntimeError(
            f"[{op}] expected interpolation linear, lower, higher, midpoint or nearest: {interpolation!r}"
        )
    if not isinstance(q, Tensor):
        if not 0 <= q <= 1:
            raise RuntimeError(f"[{op}] expected q between 0 and 1, got {q}")
        return _core.tensor(q, dtype=x.dtype, device=x.device)
    if q.dim() > 1 or q.dtype is not x.dtype:
        raise RuntimeError(f"[{op}] expected q of one dimension and {x.dtype}, got {q.dtype} {list(q.shape)}")
    if q.device != x.device:
        raise RuntimeError(f"[{op}] expected q on {x.device}, got {q.device}")
    if not ((q >= 0) & (q <= 1)).all().item():
        raise RuntimeError(f"[{op}] expected q between 0 and 1")
    return q


def _interpolate(values, q, interpolation, skip_nan):
    """values [..., n] in order, NaN last; [..., len(q)]."""
    nan = values.isnan()
    n = values.shape[-1]
    if skip_nan:
        rank = q * (n - 1 - nan.sum(-1, keepdim=True)).clamp(min=0).to(q.dtype)
    else:
        rank = _core.where(nan[..., -1:], float(n - 1), q * (n - 1))
    if interpolation in ("lower", "higher", "nearest"):
        rank = {"lower": _core.floor, "higher": _core.ceil, "nearest": _core.round}[interpolation](rank)
    below = rank.floor()
    y = values.gather(-1, below.long())
    if interpolation in ("linear", "midpoint"):
        weight = rank - below if interpolation == "linear" else _core.full_like(rank, 0.5)
        y = y.lerp(values.gather(-1, rank.ceil().long()), weight)
    return y


@both
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of the numbers 0, 1, ... comes in the integers [n], or the sums of their weights [n]."""
    if input.dim() != 1 or input.is_floating_point() or input.dtype is _core.bool:
        raise RuntimeError(f"[bincount] expected integers of one dimension, got {input.dtype} {list(input.shape)}")
    if minlength < 0:
        raise RuntimeError(f"[bincount] expected minlength of at least 0, got {minlength}")
    if weights is not None and weights.shape != input.shape:
        raise RuntimeError(f"[bincount] expected weights of shape {list(input.shape)}, got {list(weights.shape)}")
    if input.numel() == 0:
        return _core.zeros(minlength, dtype=_core.int64, device=input.device)
    if input.amin().item() < 0:
        raise RuntimeError("[bincount] expected numbers of at least 0")
    if weights is None:
        weights = _core.ones(input.shape[0], dtype=_core.int64, device=input.device)
    elif weights.dtype is not _core.float32:
        weights = weights.double()
    size = max(input.amax().item() + 1, minlength)
    zeros = _core.zeros(size, dtype=weights.dtype, device=input.device)
    return zeros.scatter_add(0, input.long(), weights.detach())


@both
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Counts of the elements in `bins` parts of equal width from min to max (both 0: those of the input)."""
    if bins <= 0:
        raise RuntimeError(f"[histc] expected at least one bin, got {bins}")
    x = input.detach().reshape(-1)
    if min == max and x.numel():
        min, max = x.amin().item(), x.amax().item()
    if not (math.isfinite(min) and math.isfinite(max)):
        raise RuntimeError(f"[histc] expected a finite range, got {min} to {max}")
    if min > max:
        raise RuntimeError(f"[histc] expected min of at most max, got {min} and {max}")
    if min == max:
        min, max = min - 1, max + 1
    x = x[(x >= min) & (x <= max)]
    place = ((x - min) * bins / (max - min)).long().clamp(max=bins - 1)
    return _core.zeros(bins, dtype=x.dtype, device=x.device).scatter_add(0, place, _core.ones_like(x))
