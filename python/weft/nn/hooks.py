"""Hooks around forward, kept by number so that each can be taken out again."""

from __future__ import annotations

from collections.abc import Callable


class RemovableHandle:
    """Takes a hook out again; also a context manager."""

    def __init__(self, hooks: dict[int, Callable]) -> None:
        self._hooks = hooks
        self.id = next(_ids)

    def remove(self) -> None:
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


_ids = iter(range(1, 1 << 62))


def add_hook(hooks: dict, hook: Callable, with_kwargs: bool, prepend: bool) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = (hook, with_kwargs)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle
