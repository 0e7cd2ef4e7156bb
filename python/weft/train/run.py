"""A run folder: model.safetensors, config.json, metrics.jsonl."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from weft.io import load_file, save_file, write_atomically


class Run:
    """`Run.create(…)` makes a folder for a new run, `Run(path)` opens a finished one."""

    FILES = ("model.safetensors", "config.json", "metrics.jsonl")

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(f"no run folder at {self.path}")
        self.model, self.config_file, self.metrics = (self.path / name for name in self.FILES)

    @classmethod
    def create(
        cls, task: str, out: str | os.PathLike | None = None, overwrite: bool = False, parent: str = "runs"
    ) -> Run:
        """A new folder: `out`, or the first free `runs/<task>-<n>`. `overwrite` replaces an earlier run's files."""
        if out is None:
            os.makedirs(parent, exist_ok=True)
            n = 1
            while True:  # mkdir decides, so that two runs that start together get two folders
                path = Path(parent, f"{task}-{n}")
                try:
                    path.mkdir()
                    return cls(path)
                except FileExistsError:
                    n += 1
        path = Path(out)
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path)
        old = [path / name for name in cls.FILES if (path / name).exists()]
        if old and not overwrite:
            raise FileExistsError(f"{path} already holds a run; choose another folder or pass --overwrite")
        for file in old:
            file.unlink()
        return run

    def write_config(self, config: dict[str, Any]) -> None:
        write_atomically(self.config_file, [json.dumps(config, indent=2).encode() + b"\n"])

    def read_config(self) -> dict[str, Any]:
        try:
            config = json.loads(self.config_file.read_bytes())
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.path} is not a run folder: it has no config.json") from None
        except ValueError as error:
            raise ValueError(f"{self.config_file} is damaged: {error}") from None
        if not isinstance(config, dict):
            raise ValueError(f"{self.config_file} is damaged: expected an object")
        return config

    def append_metrics(self, values: dict[str, Any]) -> None:
        with open(self.metrics, "a") as file:
            file.write(json.dumps(values) + "\n")

    def save_weights(self, model: Any) -> None:
        save_file(model.state_dict(), self.model)

    def load_weights(self, model: Any) -> None:
        if not self.model.exists():
            raise FileNotFoundError(f"{self.path} holds no weights: its training ended before the first epoch did")
        try:
            model.load_state_dict(load_file(self.model))
        except RuntimeError as error:
            raise ValueError(f"{self.model} does not fit the model: {error}") from None
