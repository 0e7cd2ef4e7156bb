"""Padding."""

from __future__ import annotations

import math
from typing import Any

from weft import _core
from weft._core import Tensor


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds (before, after) elements per axis, given from the last axis on; negative counts cut.

    mode: "constant" (with `value`, 0 by default), "reflect", "replicate" or "circular".
    """
    pad = tuple(pad)
    if len(pad) % 2 or len(pad) > 2 * input.dim():
        raise ValueError(f"[pad] expected two numbers for each of up to {input.dim()} axes, got {pad}")
    if mode != "constant" and value:
        raise ValueError(f"[pad] mode {mode!r} takes no value")
    for i in range(0, len(pad), 2):
        axis = input.dim() - 1 - i // 2
        if pad[i] or pad[i + 1]:
            input = _pad_axis(input, axis, pad[i], pad[i + 1], mode, value or 0.0)
    return input


def _pad_axis(x: Tensor, axis: int, before: int, after: int, mode: str, value: float) -> Tensor:
    n = x.shape[axis]
    if before < 0 or after < 0:
        if n + min(before, 0) + min(after, 0) < 0:
            raise ValueError(f"[pad] cannot cut {-before} and {-after} from size {n}")
        x = x.narrow(axis, max(-before, 0), n + min(before, 0) + min(after, 0))
        before, after, n = max(before, 0), max(after, 0), x.shape[axis]
    if mode == "constant":
        edges = []
        for count in (before, after):
            shape = list(x.shape)
            shape[axis] = count
            edges.append(_core.full(shape, value, dtype=x.dtype, device=x.device))
        return _core.cat([edges[0], x, edges[1]], axis)
    limits = {"reflect": n - 1, "replicate": math.inf if n else -1, "circular": n}
    if mode not in limits:
        raise ValueError(f"[pad] mode is 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if max(before, after) > limits[mode]:
        raise ValueError(f"[pad] {mode} padding by {(before, after)} does not fit size {n}")
    where = [_source(i, n, mode) for i in range(-before, n + after)]
    return x.index_select(axis, _core.tensor(where, device=x.device))


def _source(i: int, n: int, mode: str) -> int:
    if mode == "circular":
        return i % n
    if mode == "replicate":
        return min(max(i, 0), n - 1)
    return -i if i < 0 else 2 * (n - 1) - i if i >= n else i
