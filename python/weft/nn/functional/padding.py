"""Padding."""

from __future__ import annotations

import math
from collections.abc import Sequence

from weft import _core
from weft._core import Tensor


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds (before, after) elements per axis, given from the last axis on; negative counts cut.

    mode: "constant" (with `value`, 0 by default), "reflect", "replicate" or "circular".
    """
    pad = tuple(pad)
    if len(pad) % 2 or len(pad) > 2 * input.dim():
        raise ValueError(f"[pad] expected two numbers for each of up to {input.dim()} axes, got {pad}")
    widths = [(input.dim() - 1 - i // 2, pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    for axis, before, after in widths:
        if input.shape[axis] + before + after < 0:
            raise ValueError(f"[pad] cannot cut {-before} and {-after} from size {input.shape[axis]}")
    if mode != "constant" and mode not in _EDGES:
        raise ValueError(f"[pad] expected mode 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if mode != "constant" and value:
        raise ValueError(f"[pad] mode {mode!r} takes no value")
    if mode == "constant":
        return _core.constant_pad_nd(input, pad, value or 0.0)
    x = input
    for axis, before, after in widths:
        if mode == "circular":
            x = _cut(x, axis, before, after)
        x = _extended(x, axis, max(before, 0), max(after, 0), mode)
        if mode != "circular":
            x = _cut(x, axis, before, after)
    return x.contiguous() if any(n > 0 for n in pad) else x.clone()


def _cut(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    before, after = max(-before, 0), max(-after, 0)
    return x.narrow(axis, before, x.shape[axis] - before - after) if before or after else x


def _extended(x: Tensor, axis: int, before: int, after: int, mode: str) -> Tensor:
    if not before and not after:
        return x
    n = x.shape[axis]
    edges, most = _EDGES[mode]
    if max(before, after) > most(n):
        raise ValueError(f"[pad] {mode} padding by {(before, after)} does not fit size {n}")
    first, last = edges(x, axis, before, after, n)
    return _core.cat([first, x, last], axis)


def _stretched(x: Tensor, axis: int, count: int) -> Tensor:
    shape = list(x.shape)
    shape[axis] = count
    return x.expand(*shape)


def _reflected(x, axis, before, after, n):
    first, last = x.narrow(axis, min(1, n - before), before), x.narrow(axis, n - 1 - after, after)
    return _reversed(first, axis), _reversed(last, axis)


def _replicated(x, axis, before, after, n):
    return _stretched(x.narrow(axis, 0, 1), axis, before), _stretched(x.narrow(axis, n - 1, 1), axis, after)


def _wrapped(x, axis, before, after, n):
    return x.narrow(axis, n - before, before), x.narrow(axis, 0, after)


def _reversed(x: Tensor, axis: int) -> Tensor:
    return x.index_select(axis, _core.arange(x.shape[axis] - 1, -1, -1, device=x.device))


# mode: the parts before and after, and how long they may be
_EDGES = {
    "reflect": (_reflected, lambda n: n - 1),
    "replicate": (_replicated, lambda n: math.inf if n else -1),
    "circular": (_wrapped, lambda n: n),
}
