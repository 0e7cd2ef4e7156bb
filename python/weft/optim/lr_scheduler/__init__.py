"""Learning-rate schedules. Each states the rate at step t in closed form, so that nothing drifts.

Schedules combine: where something else has changed a group's rate, those that are recursive in PyTorch (StepLR …
PolynomialLR) multiply the rate they find by the ratio of their own values at t and t - 1.
"""

from weft.optim.lr_scheduler.base import LRScheduler
from weft.optim.lr_scheduler.by_function import LambdaLR, MultiplicativeLR
from weft.optim.lr_scheduler.combined import ChainedScheduler, SequentialLR
from weft.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from weft.optim.lr_scheduler.cycles import CyclicLR, OneCycleLR
from weft.optim.lr_scheduler.decay import ConstantLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR, StepLR
from weft.optim.lr_scheduler.plateau import ReduceLROnPlateau

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
