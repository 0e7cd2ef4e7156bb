"""What an einsum expression asks for, and in which order to do it. Sizes and labels alone, no tensors.

A label is a letter, or for a dimension under an ellipsis its place counted from the right, an int.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

EXACT = 6  # operands up to which the best order is searched for

Labels = tuple[Hashable, ...]


class Plan(NamedTuple):
    inputs: tuple[Labels, ...]
    output: Labels
    sizes: dict[Hashable, int]
    path: list[tuple[int, int]]  # pairs of values; a result is a new value after the operands
    plain: bool  # no operand has a label twice, or a size of 1 that stretches


@lru_cache(1024)
def plan(inputs: tuple[tuple, ...], output: tuple | None, shapes: tuple[tuple[int, ...], ...]) -> Plan:
    """inputs and output: sequences of letters and at most one Ellipsis each; output None: the implicit one."""
    labels = tuple(_spelled(i, terms, len(shape)) for i, (terms, shape) in enumerate(zip(inputs, shapes, strict=True)))
    sizes: dict[Hashable, int] = {}
    for i, (terms, shape) in enumerate(zip(labels, shapes, strict=True)):
        for label, size in zip(terms, shape, strict=True):
            if terms.count(label) > 1 and shape[terms.index(label)] != size:
                raise RuntimeError(f"[einsum] expected equal sizes of the repeated {label} of operand {i}, got {shape}")
            known = sizes.get(label, 1)
            if known != size and 1 not in (known, size):
                raise RuntimeError(f"[einsum] {label} has size {size} in operand {i} and {known} before")
            sizes[label] = size if known == 1 else known
    result = _result(labels, output)
    plain = all(
        len({*terms}) == len(terms) and all(sizes[label] == size for label, size in zip(terms, shape, strict=True))
        for terms, shape in zip(labels, shapes, strict=True)
    )
    return Plan(labels, result, sizes, _path([frozenset(terms) for terms in labels], frozenset(result), sizes), plain)


def _spelled(i: int, terms: tuple, dims: int) -> Labels:
    named = len(terms) - (Ellipsis in terms)
    if dims < named or (dims > named and Ellipsis not in terms):
        raise RuntimeError(f"[einsum] operand {i} has {dims} dimensions and {named} letters")
    if Ellipsis not in terms:
        return terms
    at = terms.index(Ellipsis)
    return (*terms[:at], *range(dims - named - 1, -1, -1), *terms[at + 1 :])


def _result(inputs: Sequence[Labels], output: tuple | None) -> Labels:
    every = [label for terms in inputs for label in terms]
    hidden = sorted({label for label in every if isinstance(label, int)}, reverse=True)
    if output is None:
        return (*hidden, *sorted(x for x in every if isinstance(x, str) and every.count(x) == 1))
    for label in output:
        if output.count(label) > 1:
            raise RuntimeError(f"[einsum] {label} comes more than once in the output")
        if label is not Ellipsis and label not in every:
            raise RuntimeError(f"[einsum] {label} of the output is not in any operand")
    if Ellipsis not in output:
        return output
    at = output.index(Ellipsis)
    return (*output[:at], *hidden, *output[at + 1 :])


def _path(inputs: list[frozenset], output: frozenset, sizes: dict) -> list[tuple[int, int]]:
    if len(inputs) < 3:
        return [(0, 1)] if len(inputs) == 2 else []
    return _best(inputs, output, sizes) if len(inputs) <= EXACT else _greedy(inputs, output, sizes)


def _volume(labels: frozenset, sizes: dict) -> int:
    return math.prod(sizes[x] for x in labels)


def _best(inputs: list[frozenset], output: frozenset, sizes: dict) -> list[tuple[int, int]]:
    """The order of fewest multiplications: for every set of operands, the cheapest of its cuts in two."""
    n = len(inputs)
    everything = (1 << n) - 1
    members = {s: [i for i in range(n) if s >> i & 1] for s in range(1, everything + 1)}
    union = {s: frozenset().union(*(inputs[i] for i in members[s])) for s in members}
    left = {s: union[s] & (output.union(union[everything ^ s]) if s != everything else output) for s in members}
    best = {1 << i: (0, 0, None) for i in range(n)}  # set: (multiplications, elements made, its cut)
    for size in range(2, n + 1):
        for chosen in combinations(range(n), size):
            s = sum(1 << i for i in chosen)
            cuts = []
            part = (s - 1) & s
            while part:
                if part > s ^ part:
                    rest = s ^ part
                    cost = best[part][0] + best[rest][0] + _volume(left[part] | left[rest], sizes)
                    made = best[part][1] + best[rest][1] + _volume(left[s], sizes)
                    cuts.append((cost, made, (rest, part)))
                part = (part - 1) & s
            best[s] = min(cuts)
    path, value = [], {1 << i: i for i in range(n)}

    def walk(s):
        if s not in value:
            a, b = best[s][2]
            pair = walk(a), walk(b)
            value[s] = n + len(path)
            path.append(pair)
        return value[s]

    walk(everything)
    return path


def _greedy(inputs: list[frozenset], output: frozenset, sizes: dict) -> list[tuple[int, int]]:
    """Always the pair whose product shrinks memory most."""
    values, path = dict(enumerate(inputs)), []
    while len(values) > 1:

        def gain(pair):
            i, j = pair
            others = output.union(*(v for k, v in values.items() if k not in pair))
            both = values[i] | values[j]
            made = _volume(both & others, sizes)
            return made - _volume(values[i], sizes) - _volume(values[j], sizes), _volume(both, sizes), pair

        i, j = min(combinations(values, 2), key=gain)
        others = output.union(*(v for k, v in values.items() if k not in (i, j)))
        path.append((i, j))
        values[len(inputs) + len(path) - 1] = (values.pop(i) | values.pop(j)) & others
    return path
