"""einsum: any product of tensors, as matrix products."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from itertools import pairwise
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.operations._contraction import Labels, plan
from weft.operations._register import function

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@function
def einsum(*args: Any) -> Tensor:
    """einsum("bij,bjk->bik", a, b), or with sublists einsum(a, [0, 1], b, [1, 2], [0, 2]).

    Letters name dimensions, ... those that broadcast, a letter twice in one operand its diagonal. Letters that are not
    in the output are summed; without "->" the output is ... and the letters that come once, in order. Three operands
    or more are multiplied in the order of fewest multiplications (up to six; beyond, pair by pair).
    """
    operands, inputs, output = _from_equation(*args) if isinstance(args[0], str) else _from_sublists(args)
    todo = plan(inputs, output, tuple(tuple(x.shape) for x in operands))
    values = [_own_form(x, labels, todo.sizes) for x, labels in zip(operands, todo.inputs, strict=True)]
    waiting = dict(enumerate(values))
    for i, j in todo.path:
        a, b = waiting.pop(i), waiting.pop(j)
        kept = {*todo.output}.union(*(labels for _, labels in waiting.values()))
        waiting[len(values)] = _multiply(a, b, kept)
        values.append(waiting[len(values)])
    x, labels = _sum_out(*values[-1], {*todo.output})
    return x if labels == todo.output else x.permute([labels.index(label) for label in todo.output])


def _from_equation(equation: str, *operands: Any) -> tuple[Sequence[Tensor], tuple, tuple | None]:
    if len(operands) == 1 and isinstance(operands[0], Sequence):
        operands = operands[0]
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if not operands or len(terms) != len(operands):
        raise RuntimeError(f"[einsum] expected an operand for each of {len(terms)} terms, got {len(operands)}")
    return operands, tuple(map(_terms, terms)), _terms(output) if arrow else None


def _terms(text: str) -> tuple:
    before, dots, after = text.partition("...")
    for letter in before + after:
        if letter not in _LETTERS:
            raise RuntimeError(f"[einsum] expected letters and at most one ellipsis in a term, got '{text}'")
    return (*before, Ellipsis, *after) if dots else tuple(before)


def _from_sublists(args: tuple) -> tuple[Sequence[Tensor], tuple, tuple | None]:
    def letters(sublist):
        for x in sublist:
            if x is not Ellipsis and not 0 <= x < len(_LETTERS):
                raise RuntimeError(f"[einsum] expected numbers from 0 to {len(_LETTERS) - 1} in a sublist, got {x}")
        if sum(x is Ellipsis for x in sublist) > 1:
            raise RuntimeError(f"[einsum] expected at most one ellipsis in a sublist, got {sublist}")
        return tuple(x if x is Ellipsis else _LETTERS[x] for x in sublist)

    if len(args) < 2:
        raise TypeError("[einsum] expected an equation and operands, or operands and sublists")
    inputs = tuple(letters(x) for x in args[1 : len(args) // 2 * 2 : 2])
    return args[: len(args) // 2 * 2 : 2], inputs, letters(args[-1]) if len(args) % 2 else None


def _own_form(x: Tensor, labels: Labels, sizes: dict[Hashable, int]) -> tuple[Tensor, Labels]:
    """An operand with every label once, and without sizes of 1 that stretch."""
    for label in {label for label in labels if labels.count(label) > 1}:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = x.movedim((first, second), (-2, -1))
            n = x.shape[-1]
            x = x.flatten(-2)[..., :: n + 1] if n else x[..., 0]
            labels = (*(k for i, k in enumerate(labels) if i not in (first, second)), label)
    stretched = [i for i, label in enumerate(labels) if x.shape[i] != sizes[label]]
    return x.squeeze(stretched) if stretched else x, tuple(k for i, k in enumerate(labels) if i not in stretched)


def _sum_out(x: Tensor, labels: Labels, kept: set) -> tuple[Tensor, Labels]:
    gone = [i for i, label in enumerate(labels) if label not in kept]
    return x.sum(gone) if gone else x, tuple(label for label in labels if label in kept)


def _multiply(a: tuple[Tensor, Labels], b: tuple[Tensor, Labels], kept: set) -> tuple[Tensor, Labels]:
    """Two values become one: what neither the output nor another value needs is summed."""
    (x, of_x), (y, of_y) = _sum_out(*a, kept.union(b[1])), _sum_out(*b, kept.union(a[1]))
    if x.dtype != y.dtype and not (x.dtype.is_floating_point or y.dtype.is_floating_point):
        x, y = x.long(), y.long()  # which the sum of one of them is
    batch = [k for k in of_x if k in of_y and k in kept]
    summed = [k for k in of_x if k in of_y and k not in kept]
    rows = [k for k in of_x if k not in of_y]
    columns = [k for k in of_y if k not in of_x]
    labels = (*batch, *rows, *columns)
    if not summed:
        x = x.permute([of_x.index(k) for k in batch + rows])
        y = y.permute([of_y.index(k) for k in batch + columns])
        x = x.reshape([*x.shape, *[1] * len(columns)])
        return x * y.reshape([*y.shape[: len(batch)], *[1] * len(rows), *y.shape[len(batch) :]]), labels
    if batch and not rows and not columns and x.itemsize > 2:  # many sums of one row each
        y = y.permute([of_y.index(k) for k in of_x])
        product = (x * y).sum([of_x.index(k) for k in summed], dtype=x.dtype)
        return product, tuple(k for k in of_x if k in kept)
    summed = _order(x, of_x, y, of_y, summed) if len(summed) > 1 else summed
    rows, columns = _as_stored(x, of_x, rows), _as_stored(y, of_y, columns)
    shape = [*_sizes(x, of_x, batch + rows), *_sizes(y, of_y, columns)]
    product = _core.matmul(_matrices(x, of_x, batch, rows, summed), _matrices(y, of_y, batch, summed, columns))
    return product.reshape(shape), (*batch, *rows, *columns)


def _sizes(x: Tensor, labels: Labels, wanted: Sequence) -> list[int]:
    return [x.shape[labels.index(k)] for k in wanted]


def _matrices(x: Tensor, labels: Labels, batch: list, rows: list, columns: list) -> Tensor:
    """x as [*batch, rows, columns]; a view where the labels of rows and of columns lie together in memory."""
    wanted = (*batch, *rows, *columns)
    if wanted != labels:
        x = x.permute([labels.index(k) for k in wanted])
    if len(rows) == len(columns) == 1 and len(batch) <= 6:
        return x
    lead, height = x.shape[: len(batch)], math.prod(x.shape[len(batch) : len(batch) + len(rows)])
    if len(batch) > 6:
        lead = (math.prod(lead),)
    return x.reshape([*lead, height, math.prod(x.shape[len(batch) + len(rows) :])])


def _as_stored(x: Tensor, labels: Labels, wanted: list) -> list:
    return wanted if len(wanted) < 2 else sorted(wanted, key=lambda k: -x.stride(labels.index(k)))


def _order(x: Tensor, of_x: Labels, y: Tensor, of_y: Labels, summed: list) -> list:
    """The order of the summed labels under which less has to be copied."""

    def copied(order):
        return sum(t.numel() for t, labels in ((x, of_x), (y, of_y)) if not _together(t, labels, order))

    return min((_as_stored(x, of_x, summed), _as_stored(y, of_y, summed)), key=copied)


def _together(x: Tensor, labels: Labels, order: list) -> bool:
    dims = [labels.index(k) for k in order]
    return all(x.stride(i) == x.stride(j) * x.shape[j] for i, j in pairwise(dims))
