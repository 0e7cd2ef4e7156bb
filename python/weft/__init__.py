"""Weft: a small, fast and predictable neural-network library.

`import weft` loads the core alone: tensors, operations and the tape. Submodules (`weft.nn`, `weft.optim`,
`weft.data` …) come when they are first used. Names mean what they mean in PyTorch; docs/differences.md lists where and
why not.
"""

import importlib as _importlib

from weft import _copying, _core, _repr, _threadpoolctl
from weft._core import *  # noqa: F403
from weft._core import Tensor, __version__, device, dtype
from weft._grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled
from weft._size import Size
from weft.operations import FUNCTIONS as _FUNCTIONS

globals().update(_FUNCTIONS)
_core._set_size_type(Size)
_copying.register()
_threadpoolctl.register()

_SUBMODULES = (
    "amp",
    "autograd",
    "backends",
    "compiler",
    "cuda",
    "data",
    "datasets",
    "io",
    "linalg",
    "nn",
    "optim",
    "testing",
    "train",
    "utils",
)
_LAZY_FUNCTIONS = {
    "autocast": "weft.amp",
    "compile": "weft.compiler",
    "from_cupy": "weft.cuda",
    "load": "weft.io",
    "save": "weft.io",
}


def __getattr__(name):
    if name in _LAZY_FUNCTIONS:
        return getattr(_importlib.import_module(_LAZY_FUNCTIONS[name]), name)
    if name in _SUBMODULES:
        try:
            return _importlib.import_module(f"weft.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"weft.{name}":
                raise
    raise AttributeError(f"module 'weft' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_SUBMODULES, *_LAZY_FUNCTIONS})
