"""Progress of a training job: a live bar on a terminal, a line per epoch elsewhere."""

from __future__ import annotations

import sys
from typing import Any

from weft.train.digits import Progress


class PlainReport:
    """One line per epoch."""

    def __enter__(self) -> PlainReport:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def batch(self, progress: Progress) -> None:
        self._progress = progress

    def epoch(self, metrics: dict[str, Any]) -> None:
        p = self._progress
        print(
            f"epoch {p.epoch}/{p.epochs}  loss {metrics['loss']:.4f}  accuracy {metrics['accuracy']:.2%}  "
            f"held out {metrics['held_out_accuracy']:.2%}  {p.samples_per_second:,.0f} samples/s",
            flush=True,
        )


class LiveReport(PlainReport):
    """A bar with loss, accuracy and samples per second."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.2%}"),
            TextColumn("held out {task.fields[held_out]}"),
            TextColumn("{task.fields[rate]:,.0f} samples/s"),
            TimeRemainingColumn(),
        )
        self._task = self._bar.add_task("", total=None, epoch="0", loss=0.0, accuracy=0.0, held_out="-", rate=0.0)

    def __enter__(self) -> LiveReport:
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def batch(self, p: Progress) -> None:
        self._bar.update(
            self._task,
            total=p.steps,
            completed=p.step,
            epoch=f"{p.epoch}/{p.epochs}",
            loss=p.loss,
            accuracy=p.accuracy,
            rate=p.samples_per_second,
        )

    def epoch(self, metrics: dict[str, Any]) -> None:
        self._bar.update(self._task, held_out=f"{metrics['held_out_accuracy']:.2%}")


def report() -> PlainReport:
    return LiveReport() if sys.stdout.isatty() else PlainReport()
