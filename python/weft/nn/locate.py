"""Errors that say in which module they happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from weft.nn.module import Module

# The library's own messages begin with [operation]; these get the path appended, all others a note.
_OUR_ERRORS = (ValueError, TypeError, IndexError, RuntimeError, NotImplementedError, OverflowError, MemoryError)


def locate(error: Exception, module: Module) -> None:
    """Adds the path of the failing module to an error that is on its way up through `module`."""
    inner, path, message = getattr(error, "_weft_at", (None, "", None))
    if inner is not None:
        name = next((name for name, m in module.named_modules() if m is inner), None)
        if not name:  # called from outside its tree, or by itself
            return
        path = f"{name}.{path}" if path else name
    if message is None:
        message = error.args[0] if len(error.args) == 1 and isinstance(error.args[0], str) else ""
    ours = message.startswith("[") and type(error) in _OUR_ERRORS
    if path and ours:
        error.args = (f"{message} (module {path})",)
    elif path:
        notes = [n for n in getattr(error, "__notes__", []) if not n.startswith("(module ")]
        error.__notes__ = [*notes, f"(module {path})"]
    error._weft_at = (module, path, message)
