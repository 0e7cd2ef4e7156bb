"""The digits job: a small convolutional network on the UCI handwritten digits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import weft
from weft import nn
from weft.data import DataLoader, TensorDataset
from weft.nn import functional as F
from weft.optim import AdamW
from weft.optim.lr_scheduler import OneCycleLR


class DigitsNet(nn.Module):
    """(N, 1, 8, 8) -> (N, 10): three convolutions with batch norm, one pooling, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
        )
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(64 * 4 * 4, 10)

    def forward(self, images: weft.Tensor) -> weft.Tensor:
        return self.classifier(self.dropout(self.features(images).flatten(1)))


class Progress(NamedTuple):
    """What is known after a batch."""

    epoch: int  # from 1
    epochs: int
    step: int  # from 1, over all epochs
    steps: int
    loss: float  # means over this epoch so far
    accuracy: float
    samples_per_second: float


class TrainingFailed(RuntimeError):
    """Training cannot go on; the weights of the last good epoch are kept."""


def shift_some(images: weft.Tensor, probability: float) -> weft.Tensor:
    """Moves each image, with that probability, by up to a pixel in each direction; zeros come in at the edges."""
    n = images.shape[0]
    padded = F.pad(images, (1, 1, 1, 1)).reshape(n, 100)
    corner = np.add.outer(10 * np.arange(3), np.arange(3)).reshape(9, 1)  # of the window in the padded image
    window = np.add.outer(10 * np.arange(8), np.arange(8)).reshape(1, 64)
    table = weft.as_tensor(corner + window).to(images.device)
    shift = weft.randint(0, 9, (n,), device=images.device)
    shift = weft.where(weft.rand(n, device=images.device) < probability, shift, 4)  # 4: the middle
    return padded.gather(1, table[shift]).reshape(n, 1, 8, 8)


def evaluate(model: nn.Module, images: weft.Tensor, labels: weft.Tensor) -> tuple[float, int]:
    """Accuracy and number of errors."""
    model.eval()
    with weft.no_grad():
        errors = int((model(images).argmax(1) != labels).sum())
    return 1 - errors / len(labels), errors


def train_digits(
    run: Any,
    *,
    epochs: int = 10,
    batch_size: int = 64,
    lr: float = 3e-3,
    seed: int = 0,
    device: str = "cpu",
    on_batch: Callable[[Progress], None] = lambda progress: None,
    on_epoch: Callable[[dict[str, Any]], None] = lambda metrics: None,
) -> dict[str, Any]:
    """Trains, and after each epoch writes weights and metrics to `run`. Returns the last epoch's metrics.

    AdamW under a one-cycle schedule, label smoothing 0.1, shifts by a pixel for three images in ten. Seeds Weft's
    random numbers; the weights are then a function of the arguments alone, whatever the number of threads.
    """
    weft.manual_seed(seed)
    data = weft.datasets.digits()
    images, labels = data.train_images.to(device), data.train_labels.to(device)
    test_images, test_labels = data.test_images.to(device), data.test_labels.to(device)
    model = DigitsNet().to(device)
    steps_per_epoch = math.ceil(len(labels) / batch_size)
    steps = epochs * steps_per_epoch
    optimizer = AdamW(model.parameters(), lr=lr)
    schedule = OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    began = time.perf_counter()
    metrics: dict[str, Any] = {}
    step = 0
    for epoch in range(1, epochs + 1):
        model.train()
        epoch_began = time.perf_counter()
        seen, loss_sum, correct = 0, 0.0, 0
        shifted = TensorDataset(shift_some(images, 0.3), labels)
        for x, y in DataLoader(shifted, batch_size, shuffle=True, seed=seed * 1_000_003 + epoch):
            logits = model(x)
            loss = F.cross_entropy(logits, y, label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if step < steps:
                schedule.step()
            value = loss.item()
            if not math.isfinite(value):
                raise TrainingFailed(f"the loss became {value} in epoch {epoch}; a lower --lr than {lr} may help")
            seen += len(y)
            loss_sum += value * len(y)
            correct += int((logits.argmax(1) == y).sum())
            rate = seen / (time.perf_counter() - epoch_began)
            on_batch(Progress(epoch, epochs, step, steps, loss_sum / seen, correct / seen, rate))
        accuracy, errors = evaluate(model, test_images, test_labels)
        metrics = {
            "epoch": epoch,
            "loss": loss_sum / seen,
            "accuracy": correct / seen,
            "held_out_accuracy": accuracy,
            "held_out_errors": errors,
            "held_out": len(test_labels),
            "lr": schedule.get_last_lr()[0],
            "seconds": time.perf_counter() - began,
        }
        run.save_weights(model)
        run.append_metrics(metrics)
        on_epoch(metrics)
    return metrics


def images_from_array(array: np.ndarray, scale: float | None = None) -> weft.Tensor:
    """Any of (8, 8), (n, 8, 8), (n, 1, 8, 8), (64,) or (n, 64), of a real dtype, as float32 (n, 1, 8, 8) in [0, 1].

    scale: the value of full ink. By default 1 if no value exceeds 1, else 16 (the UCI set's own) if none exceeds 16,
    else 255.
    """
    if array.dtype.kind not in "buif":
        raise ValueError(f"expected images of numbers, got dtype {array.dtype}")
    shape = array.shape
    one = shape in ((8, 8), (64,))
    if not one and shape[1:] not in ((8, 8), (1, 8, 8), (64,)):
        raise ValueError(f"expected images of 8 x 8 pixels, shape (8, 8) or (n, 8, 8), got {shape}")
    pixels = array.astype(np.float64).reshape(-1, 1, 8, 8)
    if not np.isfinite(pixels).all():
        raise ValueError("expected finite pixels, got NaN or infinity")
    top = pixels.max(initial=0.0)
    if scale is None:
        scale = next((s for s in (1.0, 16.0, 255.0) if top <= s), None)
        if scale is None:
            raise ValueError(f"expected pixels up to 1, 16 or 255, got {top:g}; --scale gives the value of full ink")
    if not scale > 0:
        raise ValueError(f"expected a positive scale, got {scale:g}")
    if pixels.min(initial=0.0) < 0 or top > scale:
        raise ValueError(f"expected pixels from 0 to {scale:g}, got {pixels.min(initial=0.0):g} to {top:g}")
    return weft.from_numpy((pixels / scale).astype(np.float32))


def predict_digits(run: Any, images: weft.Tensor) -> np.ndarray:
    """Probabilities (n, 10) for images (n, 1, 8, 8) by the run's model."""
    model = DigitsNet()
    run.load_weights(model)
    model.eval()
    with weft.no_grad():
        return F.softmax(model(images), dim=1).numpy()
