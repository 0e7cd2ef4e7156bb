import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch

SHAPES = {"channels": [3, 64], "size": [28, 112]}


@bench(**SHAPES)
def unfold(channels, size):
    return Case(
        inputs=[randn(4, channels, size, size)],
        weft=lambda x: F.unfold(x, 3, padding=1),
        torch=lambda x: torch.nn.functional.unfold(x, 3, padding=1),
        bytes=4 * 4 * channels * size * size * 10,
    )


@bench(**SHAPES)
def fold(channels, size):
    return Case(
        inputs=[randn(4, channels * 9, size * size)],
        weft=lambda x: F.fold(x, (size, size), 3, padding=1),
        torch=lambda x: torch.nn.functional.fold(x, (size, size), 3, padding=1),
        bytes=4 * 4 * channels * size * size * 10,
    )
