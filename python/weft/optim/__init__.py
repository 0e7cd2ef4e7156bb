"""Optimizers and learning-rate schedules."""

from weft.optim import lr_scheduler, swa_utils
from weft.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam, SparseAdam
from weft.optim.adaptive import Adadelta, Adagrad, RMSprop
from weft.optim.matrix import Adafactor, Muon
from weft.optim.optimizer import Optimizer
from weft.optim.sgd import ASGD, SGD
from weft.optim.signs import Lion, Rprop

__all__ = [
    "ASGD",
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Lion",
    "Muon",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SparseAdam",
    "lr_scheduler",
    "swa_utils",
]
