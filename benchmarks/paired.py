"""Opponents that need a process of their own: PyTorch with its MKL told that the processor is Intel's, so that it takes
its AVX-512 kernels on others too, and torch.compile, which may take minutes and is then given up.

The other process prepares the same case and measures a turn whenever it is told to, over a pipe; else it sleeps.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.harness import Case, find, torch
from benchmarks.runner import InThisProcess, settle, threads_of_all

PAIRED = {"mkl": "torch", "compiled": "compiled"}  # which of a case's functions they run
PATIENCE = {"mkl": 60.0, "compiled": 150.0}  # seconds to prepare a case

_started: dict[str, Paired] = {}


class Paired:
    """The process behind one opponent; one case at a time."""

    @staticmethod
    def runs(name: str, case: Case) -> bool:
        if name == "mkl" and not case.flops:  # nothing for it to multiply
            return False
        return torch is not None and getattr(case, PAIRED[name]) is not None and not _never(name)

    @staticmethod
    def of(name: str) -> Paired:
        if name not in _started:
            _started[name] = Paired(name)
        return _started[name]

    def __init__(self, name: str):
        self.name, self.pending = name, b""
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "benchmarks.paired"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[1],
            env={**os.environ, **_environment(name)},
        )

    def prepare(self, key: str, threads: int) -> Paired:
        """RuntimeError with the reason where it cannot run the case."""
        answer = self.ask({"case": key, "library": PAIRED[self.name], "threads": threads}, PATIENCE[self.name])
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return self

    def turn(self) -> tuple[float, float]:
        answer = self.ask({"turn": True}, 60.0)
        return answer["seconds"], answer["taken"]

    def ask(self, question: dict[str, Any], patience: float) -> dict[str, Any]:
        end = time.monotonic() + patience
        pipe = self.process.stdout
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(question).encode() + b"\n")
            self.process.stdin.flush()
        while b"\n" not in self.pending:
            ready, _, _ = select.select([pipe], [], [], max(0.0, end - time.monotonic()))
            data = os.read(pipe.fileno(), 1 << 16) if ready else b""
            if not data:
                self.close()
                raise RuntimeError("ended" if ready else f"took more than {patience:.0f} s")
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def close(self) -> None:
        _started.pop(self.name, None)
        self.process.kill()
        self.process.wait()


def close_all() -> None:
    for paired in list(_started.values()):
        paired.close()


def _environment(name: str) -> dict[str, str]:
    if name == "mkl":
        before = os.environ.get("LD_PRELOAD", "")
        return {"LD_PRELOAD": f"{preload()}:{before}" if before else str(preload())}
    return {"TORCHINDUCTOR_COMPILE_THREADS": "1"}  # no pool of compilers that would stay awake beside the turns


@functools.cache
def _never(name: str) -> str:
    """Why there can be no such opponent on this machine."""
    if shutil.which("g++") is None:
        return "no g++"
    if name == "mkl" and not torch.backends.mkl.is_available():
        return "no MKL"
    return ""


@functools.cache
def preload() -> Path:
    """A library with the one function by which MKL asks for the maker of the processor."""
    folder = Path(tempfile.mkdtemp(prefix="weft-mkl-"))
    (folder / "intel.c").write_text("int mkl_serv_intel_cpu_true(void) { return 1; }\n")
    library = folder / "intel.so"
    subprocess.run(["g++", "-x", "c", "-shared", "-fPIC", "-O2", folder / "intel.c", "-o", library], check=True)
    return library


def serve() -> None:
    """The other process: reads questions, writes answers; whatever libraries print goes nowhere."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    runner = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "turn" in question:
                gc.disable()
                seconds, taken = runner.turn()
                gc.enable()
                settle()  # asleep before the next library is told to run
                answer = {"seconds": seconds, "taken": taken}
            else:
                runner = None
                if question["library"] == "compiled":
                    torch.compiler.reset()
                threads_of_all(question["threads"]).__enter__()
                b, index = find(question["case"])
                runner = InThisProcess(b.case(index).function(question["library"]))
                settle()
                answer = {}
        except Exception as e:
            answer = {"error": f"{type(e).__name__}: {e}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    serve()
