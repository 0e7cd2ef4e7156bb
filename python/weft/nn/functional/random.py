"""Functions with random numbers: dropout of channels, dropout that keeps mean and variance, sampling from logits."""

from __future__ import annotations

import math

from weft import _core
from weft._core import Tensor

_SELU_FLOOR = -1.7580993408473766  # what SELU tends to at minus infinity


def _probability(name: str, p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"[{name}] expected a probability between 0 and 1, got {p}")
    return p


def _channels(name: str, x: Tensor) -> tuple[int, ...]:
    """The shape of one number for each channel."""
    if x.dim() < 2:
        raise RuntimeError(f"[{name}] expected an input of at least 2 dimensions, got {x.dim()}")
    return (*x.shape[:2], *[1] * (x.dim() - 2))


def _drop_channels(name: str, x: Tensor, p: float, training: bool, inplace: bool) -> Tensor:
    _probability(name, p)
    if not training or p == 0 or x.numel() == 0:
        return x
    mask = _core.dropout(_core.ones(_channels(name, x), dtype=x.dtype, device=x.device), p)
    return x.mul_(mask) if inplace else x * mask


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeroes whole channels of [N, C, L] or [C, L] with probability p and multiplies the others by 1 / (1 - p)."""
    if input.dim() not in (2, 3):
        raise RuntimeError(f"[dropout1d] expected an input of 2 or 3 dimensions, got {input.dim()}")
    return _maybe_single("dropout1d", input, 2, p, training, inplace)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeroes whole channels of [N, C, H, W] with probability p and multiplies the others by 1 / (1 - p)."""
    return _drop_channels("dropout2d", input, p, training, inplace)


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zeroes whole channels of [N, C, D, H, W] or [C, D, H, W], as dropout2d()."""
    return _maybe_single("dropout3d", input, 4, p, training, inplace)


def _maybe_single(name: str, x: Tensor, single: int, p: float, training: bool, inplace: bool) -> Tensor:
    if x.dim() != single:
        return _drop_channels(name, x, p, training, inplace)
    y = _drop_channels(name, x.unsqueeze(0), p, training, inplace)
    return x if inplace else y.squeeze(0)


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """Dropout to SELU's least value, scaled and shifted so that mean 0 and variance 1 stay (Klambauer et al. 2017)."""
    return _alpha("alpha_dropout", input, p, training, inplace, tuple(input.shape))


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout() of whole channels of [N, C, ...]."""
    shape = _channels("feature_alpha_dropout", input) if training else ()
    return _alpha("feature_alpha_dropout", input, p, training, inplace, shape)


def _alpha(name, x, p, training, inplace, shape):
    _probability(name, p)
    if not training or p == 0 or x.numel() == 0:
        return x
    kept = _core.empty(shape, dtype=x.dtype, device=x.device).bernoulli_(1 - p)
    scale = 1 / math.sqrt((_SELU_FLOOR**2 * p + 1) * (1 - p)) if p < 1 else 0.0
    shift = (1 - kept - p) * (_SELU_FLOOR * scale)
    return x.mul_(kept * scale).add_(shift) if inplace else x * (kept * scale) + shift


def gumbel_softmax(logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1) -> Tensor:
    """softmax((logits + g) / tau) with Gumbel noise g; hard: one-hot, with the gradient of the soft result.

    `eps` does nothing, as in PyTorch. Jang et al. 2017.
    """
    half = logits.dtype in (_core.float16, _core.bfloat16)
    uniform = _core.empty_like(logits, dtype=_core.float32 if half else logits.dtype).uniform_()
    soft = _core.softmax((logits - (-uniform.log()).log().to(logits.dtype)) / tau, dim)
    if not hard:
        return soft
    dim = dim % logits.dim()
    classes = _core.arange(logits.shape[dim], device=logits.device)
    classes = classes.reshape(*[-1 if i == dim else 1 for i in range(logits.dim())])
    one_hot = (classes == soft.argmax(dim, keepdim=True)).to(logits.dtype)
    return one_hot - soft.detach() + soft
