"""How tensors print: PyTorch's text, but for the names of dtypes and operations."""

from __future__ import annotations

import math
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.operations._register import function, method

_PROFILES = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}
_options: dict[str, Any] = {**_PROFILES["default"], "sci_mode": None}


@function
def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """How tensors print from now on.

    Args:
        precision: digits after the point (4).
        threshold: elements beyond which a tensor is summarised (1000).
        edgeitems: elements shown at either end of a summarised dimension (3).
        linewidth: characters in a line (80).
        profile: "default", "short" or "full" sets these four first.
        sci_mode: scientific notation always or never; None, the default, leaves it to the values.
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"[set_printoptions] expected a profile of {', '.join(_PROFILES)}, got {profile!r}")
        _options.update(_PROFILES[profile])
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    _options.update({k: v for k, v in given.items() if v is not None}, sci_mode=sci_mode)


@method
def __format__(self: Tensor, spec: str) -> str:
    return self.item().__format__(spec) if self.dim() == 0 else object.__format__(self, spec)


def tensor_repr(t: Tensor) -> str:
    """`tensor([1., 2.], requires_grad=True)`; long tensors are summarised."""
    if t.is_sparse:
        rows = f"indices={t.indices()},\n       values={t.values()}"
        return f"tensor({rows},\n       size={tuple(t.shape)}, nnz={t._nnz()}, layout=sparse_coo)"
    kind = type(t).__name__
    name = "tensor(" if kind in ("Tensor", "Parameter") else f"{kind}("
    text = _with_suffixes(name + _body(t.detach(), len(name)), _suffixes(t), len(name))
    return "Parameter containing:\n" + text if kind == "Parameter" else text


def _suffixes(t: Tensor) -> list[str]:
    plain = [_core.get_default_dtype()] + ([_core.int64, _core.bool] if t.numel() else [])
    found = [f"device='{t.device}'"] if t.is_cuda else []
    if t.numel() == 0 and t.dim() != 1:
        found.append(f"size={tuple(t.shape)}")
    if t.dtype not in plain:
        found.append(f"dtype={t.dtype}")
    if t.grad_fn is not None:
        found.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        found.append("requires_grad=True")
    return found


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options["linewidth"]:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _body(t: Tensor, indent: int) -> str:
    if t.numel() == 0:
        return "[]"
    cut = set()
    if t.numel() > _options["threshold"]:
        edge = _options["edgeitems"]
        for d, size in enumerate(t.shape):
            if size > 2 * edge:
                t = _core.cat([t.narrow(d, 0, edge), t.narrow(d, size - edge, edge)], d)
                cut.add(d)
    values = (t.float() if t.dtype.is_floating_point and t.itemsize == 2 else t).cpu()
    texts, width = _formatted(values.reshape(-1).tolist())
    return _nested(iter(texts), width, list(t.shape), 0, cut, indent)


def _nested(texts, width: int, shape: list[int], d: int, cut: set[int], indent: int) -> str:
    if not shape[d:]:
        return next(texts)
    edge = _options["edgeitems"]
    if d < len(shape) - 1:
        parts = [_nested(texts, width, shape, d + 1, cut, indent + 1) for _ in range(shape[d])]
        if d in cut:
            parts.insert(edge, "...")
        return "[" + ("," + "\n" * (len(shape) - d - 1) + " " * (indent + 1)).join(parts) + "]"
    row = [next(texts) for _ in range(shape[d])]
    room = max(1, (_options["linewidth"] - indent) // (width + 2))
    if d in cut:
        row.insert(edge, " ...")
    lines = [", ".join(row[i : i + room]) for i in range(0, len(row), room)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _formatted(values: list) -> tuple[list[str], int]:
    """Texts, and the width of those that are neither 0 nor infinite, to which the others are filled up."""
    if not isinstance(values[0], float):
        texts = [str(v) for v in values]
        width = max(map(len, texts))
    else:
        form = _float_form([v for v in values if v and math.isfinite(v)])
        texts = [form(v) for v in values]
        width = max((len(s) for s, v in zip(texts, values, strict=True) if v and math.isfinite(v)), default=1)
    return [s.rjust(width) for s in texts], width


def _float_form(values: list[float]):
    """How floats print beside each other, by those that are neither 0 nor infinite: 1., 1.0000 or 1.0000e+00."""
    digits, scientific = _options["precision"], _options["sci_mode"]
    whole = all(v == math.ceil(v) for v in values)
    if not values:
        scientific = False
    elif scientific is None:
        least, greatest = min(map(abs, values)), max(map(abs, values))
        scientific = greatest / least > 1000 or greatest > 1e8 or (not whole and least < 1e-4)
    if scientific:
        return lambda v: f"{v:.{digits}e}"
    if whole:
        return lambda v: f"{v:.0f}." if math.isfinite(v) else f"{v:.0f}"
    return lambda v: f"{v:.{digits}f}"
