"""Operations that are formulas of the core's, under PyTorch's names and attached to weft and Tensor on import.

What a model spends its time in is an operation of the core, in csrc/ops; here is what is short to write and costs a few
launches. A function is one definition with a decorator of _register.py.
"""

from weft.operations import (
    activation,
    combine,
    creation,
    distance,
    dtypes,
    einsum,
    indexing,
    pointwise,
    product,
    random,
    reduction,
    scan,
    sets,
    shape,
    statistics,
)
from weft.operations._register import FUNCTIONS

__all__ = ["FUNCTIONS"]
