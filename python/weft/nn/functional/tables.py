"""Rows of tables by id."""

from __future__ import annotations

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad
from weft.operations._register import checked


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Rows of weight (rows, columns) by id: (*) -> (*, columns). The row `padding_idx` gets no gradient.

    max_norm: rows that are used and longer are first shortened to it, in `weight` itself.
    sparse: the gradient of weight holds the rows that were used and no others; not with scale_grad_by_freq.
    """
    if max_norm is not None:
        _shorten(input, weight, max_norm, norm_type)
    return _core.embedding(input, weight, padding_idx, None, norm_type, scale_grad_by_freq, sparse)


def _shorten(ids: Tensor, weight: Tensor, max_norm: float, norm_type: float) -> None:
    with no_grad():
        ids = ids.flatten().to(_core.int64)
        rows = _core.embedding(ids, weight.detach())
        if norm_type == float("inf"):
            norms = rows.abs().amax(-1, keepdim=True)
        else:
            norms = (rows.abs() ** norm_type).sum(-1, keepdim=True) ** (1 / norm_type)
        weight[ids] = _core.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


@checked
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of each bag of ids: (bags, columns), zeros for an empty bag.

    input: (bags, ids), or (ids,) with `offsets` (bags,), where each bag begins. per_sample_weights: a factor for each
    id, with mode="sum". Ids equal to padding_idx do not count.
    """
    _check_bags(input, weight, offsets, mode, per_sample_weights, scale_grad_by_freq, sparse)
    bag, bags = _bag_of_each(input, offsets, include_last_offset)
    ids = input.reshape(-1)
    rows = embedding(ids, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    if padding_idx is not None:
        kept = ids != padding_idx % weight.shape[0]
        bag = _core.where(kept, bag, bags)  # one more bag, which is dropped
    if mode == "max":
        return _largest(rows, bag, bags)
    if rows.dtype in (_core.float16, _core.bfloat16):
        rows = rows.float()  # to add up in
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    total = _core.zeros(bags + 1, weight.shape[1], dtype=rows.dtype, device=rows.device).index_add(0, bag, rows)[:bags]
    if mode == "mean":
        total = total / _counts(bag, bags + 1)[:bags].clamp(min=1).unsqueeze(1).to(total.dtype)
    return total.to(weight.dtype)


def _check_bags(input, weight, offsets, mode, per_sample_weights, scale_grad_by_freq, sparse):
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"[embedding_bag] expected mode 'sum', 'mean' or 'max', got {mode!r}")
    if weight.dim() != 2:
        raise ValueError(f"[embedding_bag] expected a weight of 2 dimensions, got shape {tuple(weight.shape)}")
    if input.dim() not in (1, 2) or (input.dim() == 2) != (offsets is None):
        raise ValueError(
            "[embedding_bag] expected ids of 2 dimensions, or of 1 with offsets; got ids of shape "
            f"{tuple(input.shape)} {'without' if offsets is None else 'with'} offsets"
        )
    if offsets is not None and offsets.dim() != 1:
        raise ValueError(f"[embedding_bag] expected offsets of 1 dimension, got shape {tuple(offsets.shape)}")
    if mode == "max" and sparse:
        raise ValueError("[embedding_bag] mode='max' does not take sparse")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("[embedding_bag] mode='max' does not take scale_grad_by_freq")
    if per_sample_weights is not None:
        if mode != "sum":
            raise NotImplementedError(f"[embedding_bag] per_sample_weights need mode='sum', got {mode!r}")
        if per_sample_weights.shape != input.shape or per_sample_weights.dtype != weight.dtype:
            raise ValueError(
                f"[embedding_bag] expected {weight.dtype} per_sample_weights of shape {tuple(input.shape)}, got "
                f"{per_sample_weights.dtype} of shape {tuple(per_sample_weights.shape)}"
            )


def _bag_of_each(input, offsets, include_last_offset):
    """The bag of each id, and how many bags there are."""
    if offsets is None:
        bags, length = input.shape
        each = _core.arange(bags, device=input.device).unsqueeze(1).expand(bags, length)
        return each.reshape(-1), bags
    n, bags = input.shape[0], offsets.shape[0] - (1 if include_last_offset else 0)
    if bags < 0:
        raise ValueError("[embedding_bag] expected at least one offset with include_last_offset")
    if bags == 0:
        return _core.zeros(n, dtype=_core.int64, device=input.device), 0
    starts = offsets[:bags].to(_core.int64)
    if int(starts[0]) != 0 or int(starts.max()) > n:
        raise ValueError(f"[embedding_bag] expected offsets from 0 to {n}, the first 0")
    return _counts(starts, n + 1)[:n].cumsum(0) - 1, bags


def _counts(index, n):
    """How often each of 0 … n - 1 occurs."""
    ones = _core.ones(index.shape, dtype=_core.int64, device=index.device)
    return _core.zeros(n, dtype=_core.int64, device=index.device).index_add(0, index, ones)


def _largest(rows, bag, bags):
    """The bags side by side, filled up with -inf to the longest."""
    counts = _counts(bag, bags + 1)
    order = bag.argsort(stable=True)
    starts = counts.cumsum(0) - counts
    longest = int(counts[:bags].max()) if bags else 0
    if longest == 0:
        return rows.sum() * 0 + _core.zeros(bags, rows.shape[1], dtype=rows.dtype, device=rows.device)
    column = _core.arange(longest, device=rows.device)
    there = column < counts[:bags].unsqueeze(1)
    place = order[_core.where(there, starts[:bags].unsqueeze(1) + column, 0)]
    beside = rows[place].masked_fill(~there.unsqueeze(2), float("-inf"))
    return beside.max(1)[0].masked_fill(counts[:bags].unsqueeze(1) == 0, 0.0)
