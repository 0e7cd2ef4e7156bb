"""The command `weft`."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="weft",
    help="Weft: train, use and inspect small neural networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train = typer.Typer(help="Train a network on data that comes with Weft.", no_args_is_help=True)
app.add_typer(train, name="train")


def _stop(message: str, code: int) -> None:
    typer.echo(f"weft: {message}", err=True)
    raise typer.Exit(code)


def _plain_errors(command: Callable) -> Callable:
    """What a user can get wrong is one line and exit code 2; Ctrl-C is 130."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            _stop("interrupted", 130)
        except BrokenPipeError:  # the reader, `head` for one, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except (OSError, ValueError, MemoryError) as error:
            text = str(error) or type(error).__name__
            _stop("error: " + " ".join(text.split()), 2)

    return wrapped


@train.command("digits")
@_plain_errors
def train_digits(
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training images.")] = 10,
    batch_size: Annotated[int, typer.Option(min=2, help="Images per step.")] = 64,
    lr: Annotated[float, typer.Option(help="Highest learning rate of the one-cycle schedule.")] = 3e-3,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same weights, byte for byte.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads; all that may be used by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/digits-<n> by default.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:<n>.")] = "cpu",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
) -> None:
    """Train a small convolutional network on 1,438 handwritten digits and test it on 359 others."""
    import weft
    from weft.train import Run, digits
    from weft.train.console import report

    if not 0 < lr < float("inf"):
        raise ValueError(f"--lr must be positive, got {lr:g}")
    device = str(weft.device(device))
    if device != "cpu" and not weft.cuda.is_available():
        raise ValueError(f"--device {device}: {weft.cuda.why_not()}")
    if threads is not None:
        weft.set_num_threads(threads)
    run = Run.create("digits", out, overwrite)
    options = {"epochs": epochs, "batch_size": batch_size, "lr": lr, "seed": seed, "device": device}
    run.write_config({"task": "digits", "weft": weft.__version__, **options})
    bar = report()
    try:
        with bar:
            metrics = digits.train_digits(run, **options, on_batch=bar.batch, on_epoch=bar.epoch)
    except KeyboardInterrupt:
        kept = f"the last whole epoch's weights are in {run.path}" if run.model.exists() else "no epoch was finished"
        _stop(f"interrupted; {kept}", 130)
    except digits.TrainingFailed as error:
        _stop(f"error: {error}", 1)
    right = metrics["held_out"] - metrics["held_out_errors"]
    typer.echo(
        f"held-out accuracy {metrics['held_out_accuracy']:.2%} ({right} of {metrics['held_out']} digits), "
        f"{metrics['seconds']:.1f} s of training"
    )
    typer.echo(f"saved {run.path}")


@app.command()
@_plain_errors
def predict(
    run: Annotated[Path, typer.Argument(help="Run folder written by `weft train`.")],
    file: Annotated[Path, typer.Argument(help="NumPy file: one 8 x 8 image or (n, 8, 8).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list with all probabilities.")] = False,
    scale: Annotated[
        float | None, typer.Option(help="Value of full ink; by default 1, 16 or 255, by the largest value.")
    ] = None,
) -> None:
    """Print class and probability for each image in a .npy file."""
    import numpy as np

    from weft.train import Run, predict_digits
    from weft.train.digits import images_from_array

    opened = Run(run)
    task = opened.read_config().get("task")
    if task != "digits":
        raise ValueError(f"{run} holds a run of {task!r}; predict knows 'digits'")
    try:
        array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ValueError("it is an archive; expected one array")
    except (ValueError, EOFError) as error:
        raise ValueError(f"{file} is not a NumPy file of numbers: {error}") from None
    probabilities = predict_digits(opened, images_from_array(array, scale))
    classes = probabilities.argmax(1)
    if as_json:
        rows = zip(classes.tolist(), probabilities.tolist(), strict=True)
        typer.echo(json.dumps([{"class": c, "probability": p[c], "probabilities": p} for c, p in rows]))
        return
    for c, p in zip(classes, probabilities, strict=True):
        typer.echo(f"{c}  {p[c]:.4f}")


@app.command()
@_plain_errors
def info(as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False) -> None:
    """Print version, processor, threads, memory, GPU or why there is none, and optional packages."""
    from weft.info import collect

    values = collect()
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    width = max(map(len, values))
    for name, value in values.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v or 'not installed'}" for k, v in value.items())
        typer.echo(f"{name:<{width}}  {value}")


def main() -> None:
    app(prog_name="weft")


if __name__ == "__main__":
    main()
