"""What `weft info` prints."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Any

import weft

_OPTIONAL = ("numpy", "safetensors", "rich", "typer", "cupy", "cupy-cuda13x", "threadpoolctl", "torch")


def collect() -> dict[str, Any]:
    """Name -> value, in the order in which they are shown."""
    from weft import _core

    return {
        "weft": weft.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "instruction set": f"{_core.cpu_isa()} (built and runnable: {', '.join(_core.cpu_isas())})",
        "threads": weft.get_num_threads(),
        "memory": _memory(),
        "gpu": "available" if weft.cuda.is_available() else f"none: {weft.cuda.why_not()}",
        "packages": {name: _version(name) for name in _OPTIONAL},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _memory() -> str:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return "unknown"
    return f"{total / 2**30:.1f} GiB"


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
