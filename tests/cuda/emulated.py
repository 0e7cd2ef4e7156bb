"""Builds cuda/*.cu as plain C++ (cuda/emulation) and puts them in the place of weft._cuda in this process, so that the
Python tests of operations run with device="cuda" on a machine without a GPU. This shows whether kernels are right in
their logic. It is not a GPU result.
"""

import contextlib
import ctypes
import gc
import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from weft import _core

ROOT = Path(__file__).resolve().parents[2]
CUDA, CSRC = ROOT / "cuda", ROOT / "csrc"
FLAGS = ["-std=c++20", "-O1", "-fPIC", "-fvisibility=hidden", "-DWEFT_EMULATION", "-Wall", "-Wextra", "-Werror"]
FLAGS += ["-Wno-psabi", "-Wno-unknown-pragmas", f"-I{CSRC}", f"-I{CUDA}"]
SCHEDULES = {"round-robin": 0, "reversed": 1, "warp-greedy": 2, "random": 3}


def compiler():
    return next((c for c in (os.environ.get("CXX"), "g++", "clang++") if c and shutil.which(c)), None)


def _digest(paths):
    digest = hashlib.sha256(" ".join([compiler(), *FLAGS]).encode())
    for path in paths:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def _compile(source, folder):
    """The object of one source, made again when the source or a header that it includes has changed."""
    out = folder / f"{source.parent.name}-{source.stem}.o"
    key, headers = out.with_suffix(".key"), out.with_suffix(".d")
    with contextlib.suppress(OSError):
        if out.exists() and key.read_text() == _digest(headers.read_text().split()):
            return out
    part, part_headers = out.with_suffix(f".{os.getpid()}"), headers.with_suffix(f".d{os.getpid()}")
    command = [compiler(), *FLAGS, "-MMD", "-MF", str(part_headers), "-x", "c++", "-c", str(source), "-o", str(part)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    included = part_headers.read_text().partition(":")[2].replace("\\\n", " ").split()
    key.unlink(missing_ok=True)
    part_headers.unlink()
    headers.write_text("\n".join(included))
    part.rename(out)
    key.write_text(_digest(included))
    return out


def build(sources=None, name="weft_emulation"):
    """A shared library of `sources` (default: all kernels) and the emulation, in the system's temporary folder."""
    if sources is None:
        sources = [*CUDA.glob("*.cu"), *CUDA.glob("*/*.cu"), CUDA / "emulation" / "install.cpp"]
    sources = [*sources, *(CUDA / "emulation" / f"{stem}.cpp" for stem in ("graph", "memory", "scheduler"))]
    checkout = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
    folder = Path(tempfile.gettempdir()) / f"weft-emulation-{os.getuid()}-{checkout}"
    folder.mkdir(mode=0o700, exist_ok=True)
    biggest_first = sorted(sources, key=lambda p: ("pointwise" not in p.name, p.name))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        objects = list(pool.map(lambda source: _compile(source, folder), biggest_first))
    library = folder / f"{name}-{_digest(objects)[:24]}.so"
    if not library.exists():
        part = library.with_suffix(f".{os.getpid()}")
        subprocess.run([compiler(), "-shared", "-o", str(part), *map(str, objects)], check=True)
        part.rename(library)
    return library


def _pointer(capsule, name, size):
    get, context = ctypes.pythonapi.PyCapsule_GetPointer, ctypes.pythonapi.PyCapsule_GetContext
    get.restype = context.restype = ctypes.c_void_p
    get.argtypes, context.argtypes = [ctypes.py_object, ctypes.c_char_p], [ctypes.py_object]
    assert context(capsule) == size, "the checkout's headers differ from those that weft was built from"
    return get(capsule, name)


class Emulation:
    def __init__(self, path):
        self.lib = ctypes.CDLL(str(path))
        for name in ("kernels_size", "runtime_size"):
            getattr(self.lib, f"weft_emulation_{name}").restype = ctypes.c_size_t
        self.lib.weft_emulation_take_failure.restype = ctypes.c_char_p
        for name in ("bytes_in_use", "graphs_alive", "graph_launches"):
            getattr(self.lib, f"weft_emulation_{name}").restype = ctypes.c_int64
        self.lib.weft_emulation_let_captures_fail.argtypes = [ctypes.c_bool]
        self.lib.weft_emulation_install.argtypes = [ctypes.c_void_p] * 2
        self.lib.weft_emulation_uninstall.argtypes = [ctypes.c_void_p] * 2
        self.lib.weft_emulation_set_schedule.argtypes = [ctypes.c_int, ctypes.c_uint64]

    def take_failure(self):
        text = self.lib.weft_emulation_take_failure()
        return text and text.decode()

    @contextlib.contextmanager
    def schedule(self, name, seed=0):
        self.lib.weft_emulation_set_schedule(SCHEDULES[name], seed)
        try:
            yield
        finally:
            self.lib.weft_emulation_set_schedule(0, 0)

    @contextlib.contextmanager
    def installed(self):
        tables = (
            _pointer(_core._cuda_kernels(), b"weft.Kernels", self.lib.weft_emulation_kernels_size()),
            _pointer(_core._cuda_runtime(), b"weft.DeviceRuntime", self.lib.weft_emulation_runtime_size()),
        )
        self.lib.weft_emulation_install(*tables)
        try:
            yield self
        finally:
            gc.collect()
            self.lib.weft_emulation_uninstall(*tables)
