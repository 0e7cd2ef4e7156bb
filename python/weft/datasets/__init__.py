"""Data that comes with Weft."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from weft._core import Tensor, from_numpy


class Digits(NamedTuple):
    """Images (n, 1, 8, 8) as float32 in [0, 1] and labels (n,) as int64, in two parts."""

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


def digits() -> Digits:
    """The 1,797 handwritten digits of the UCI set (E. Alpaydin and C. Kaynak, 1998; CC BY 4.0; see digits.md).

    Every fifth image, counted from the fifth, is the held-out part: 359 of them.
    """
    packed = np.load(Path(__file__).with_name("digits.npz"))
    pixels = packed["pixels"].reshape(-1, 1, 8, 8).astype(np.float32) / 16
    labels = packed["labels"].astype(np.int64)
    held_out = np.arange(len(labels)) % 5 == 4
    parts = (pixels[~held_out], labels[~held_out], pixels[held_out], labels[held_out])
    return Digits(*(from_numpy(part) for part in parts))
