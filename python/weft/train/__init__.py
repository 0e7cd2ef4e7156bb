"""Training jobs behind `weft train` and `weft predict`."""

from weft.train.digits import DigitsNet, predict_digits, train_digits
from weft.train.run import Run

__all__ = ["DigitsNet", "Run", "predict_digits", "train_digits"]
