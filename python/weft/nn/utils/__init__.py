"""Gradient clipping, parameters as one vector, batch norm folded into the layer before it, and sequences of different
lengths (`rnn`)."""

from weft.nn.fusion import fuse
from weft.nn.utils import rnn
from weft.nn.utils.gradients import (
    clip_grad_norm_,
    clip_grad_value_,
    parameters_to_vector,
    vector_to_parameters,
)

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "fuse",
    "parameters_to_vector",
    "rnn",
    "vector_to_parameters",
]
