"""Modules that hold others: Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from weft._core import Tensor
from weft.nn.hooks import EVERYWHERE
from weft.nn.linear import Identity
from weft.nn.locate import locate
from weft.nn.module import Module, _indent
from weft.nn.parameter import Parameter


class _List(Module):
    """Numbered attributes "0", "1", … of one type."""

    _item: type = Module

    def _items(self) -> list[Any]:
        kind = self._item
        return [v for v in self.__dict__.values() if isinstance(v, kind)]

    def _replace(self, items: Iterable[Any]) -> None:
        for key in [k for k, v in self.__dict__.items() if isinstance(v, self._item)]:
            object.__delattr__(self, key)
        for item in items:
            self.append(item)

    def _index(self, index: int) -> int:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"index {index} is out of range for {type(self).__name__} of length {n}")
        return index % n

    def _make(self, items: list[Any]) -> _List:
        return type(self)(items)

    def __len__(self) -> int:
        return len(self._items())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._make(self._items()[index])
        return self._items()[self._index(index)]

    def __setitem__(self, index: int, item: Any) -> None:
        items = self._items()
        items[self._index(index)] = item
        self._replace(items)

    def __delitem__(self, index: int | slice) -> None:
        items = self._items()
        del items[index if isinstance(index, slice) else self._index(index)]
        self._replace(items)

    def append(self, item: Any) -> _List:
        self.register_module(str(len(self)), item)
        return self

    def extend(self, items: Iterable[Any]) -> _List:
        for item in items:
            self.append(item)
        return self

    def insert(self, index: int, item: Any) -> _List:
        items = self._items()
        items.insert(index, item)
        self._replace(items)
        return self

    def pop(self, index: int = -1) -> Any:
        item = self[index]
        del self[index]
        return item


def fused(module: Module, following: Callable[[Any], Any]) -> Callable[[Any], Any] | None:
    """One function for the calls of both; None where there is none, or hooks could tell it from the two."""
    if module._hooks or EVERYWHERE or "forward" in module.__dict__:
        return None
    if isinstance(following, Module) and (following._hooks or "forward" in following.__dict__):
        return None
    return module._fused_with(following)


def located(module: Module, function: Callable[[Any], Any], input: Any) -> Any:
    """function(input), as a call of `module`."""
    try:
        return function(input)
    except Exception as error:
        locate(error, module)
        raise


class Sequential(_List):
    """Modules called one after another: `Sequential(a, b)` or `Sequential(OrderedDict(name=a, …))`."""

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.register_module(name, module)
        else:
            for i, module in enumerate(args):
                self.register_module(str(i), module)

    def _make(self, items: list[Module]) -> Sequential:
        names = {id(v): k for k, v in self._own_modules()}
        return type(self)({names[id(m)]: m for m in items})

    def __setitem__(self, index: int, module: Module) -> None:
        name = [k for k, _ in self._own_modules()][self._index(index)]
        setattr(self, name, module)

    def forward(self, input: Any) -> Any:
        before = None  # not called yet: it may be one function with the next
        for module in self._items():
            if type(module) is Identity and not (module._hooks or EVERYWHERE):
                continue
            both = None if before is None else fused(before, module)
            if both is not None:
                input, before = located(before, both, input), None
            else:
                input, before = input if before is None else before(input), module
        return input if before is None else before(input)


class ModuleList(_List):
    """A list of modules that are registered with their owner."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or [])

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __iadd__(self, other: Iterable[Module]) -> ModuleList:
        return self.extend(other)

    def __repr__(self) -> str:
        """Runs of equal modules print once, as in PyTorch."""
        runs: list[tuple[int, int, str]] = []
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1] = (runs[-1][0], i, text)
            else:
                runs.append((i, i, text))
        if not runs:
            return f"{self._get_name()}()"
        lines = [
            f"({a}): {_indent(text)}" if a == b else f"({a}-{b}): {b - a + 1} x {_indent(text)}" for a, b, text in runs
        ]
        return self._get_name() + "(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dictionary of modules that are registered with their owner."""

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Module:
        return dict(self._own_modules())[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, module)

    def __delitem__(self, key: str) -> None:
        self[key]
        object.__delattr__(self, key)

    def __len__(self) -> int:
        return sum(1 for _ in self._own_modules())

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __contains__(self, key: str) -> bool:
        return isinstance(self.__dict__.get(key), Module)

    def keys(self) -> Any:
        return dict(self._own_modules()).keys()

    def values(self) -> Any:
        return dict(self._own_modules()).values()

    def items(self) -> Any:
        return dict(self._own_modules()).items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
            self[name] = module

    def pop(self, key: str) -> Module:
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        for key in list(self.keys()):
            del self[key]


class ParameterList(_List):
    """A list of parameters. Plain tensors become parameters."""

    _item = Parameter

    def __init__(self, values: Iterable[Tensor] | None = None) -> None:
        super().__init__()
        self.extend(values or [])

    def append(self, value: Tensor) -> ParameterList:
        self.register_parameter(str(len(self)), value if isinstance(value, Parameter) else Parameter(value))
        return self

    def extra_repr(self) -> str:
        return "\n".join(f"({i}): {_described(p)}" for i, p in enumerate(self))


class ParameterDict(Module):
    """A dictionary of parameters. Tensors become parameters; other values are kept as they are."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        self.update(parameters or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return self.__dict__[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if not isinstance(key, str):
            raise TypeError(f"ParameterDict keys are str, got {type(key).__name__}")
        if key not in self._keys and (key in self.__dict__ or hasattr(type(self), key)):
            raise KeyError(f"{key!r} is an attribute of ParameterDict")
        if isinstance(value, Tensor) and not isinstance(value, Parameter):
            value = Parameter(value)
        self._keys[key] = None
        object.__setattr__(self, key, value)

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        object.__delattr__(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __or__(self, other: Mapping[str, Any] | ParameterDict) -> ParameterDict:
        joined = self.copy()
        joined.update(other)
        return joined

    def __ror__(self, other: Mapping[str, Any] | ParameterDict) -> ParameterDict:
        joined = ParameterDict(other)
        joined.update(self)
        return joined

    def __ior__(self, other: Mapping[str, Any] | ParameterDict) -> ParameterDict:
        self.update(other)
        return self

    def keys(self) -> Any:
        return self._keys.keys()

    def values(self) -> Any:
        return dict(self.items()).values()

    def items(self) -> Any:
        return {key: self.__dict__[key] for key in self._keys}.items()

    def get(self, key: str, default: Any = None) -> Any:
        return dict(self.items()).get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Any:
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def clear(self) -> None:
        for key in list(self._keys):
            del self[key]

    def copy(self) -> ParameterDict:
        return ParameterDict(OrderedDict(self.items()))

    def fromkeys(self, keys: Iterable[str], default: Any = None) -> ParameterDict:
        return ParameterDict((key, default) for key in keys)

    def update(self, parameters: Mapping[str, Any] | ParameterDict | Iterable[tuple[str, Any]]) -> None:
        """In the order given; a mapping other than an OrderedDict or ParameterDict in the order of its keys."""
        if isinstance(parameters, Mapping) and not isinstance(parameters, OrderedDict):
            parameters = sorted(parameters.items(), key=lambda item: item[0])
        for key, value in parameters.items() if hasattr(parameters, "items") else parameters:
            self[key] = value

    def extra_repr(self) -> str:
        return "\n".join(f"({key}): {_described(value)}" for key, value in self.items())


def _described(value: Any) -> str:
    if not isinstance(value, Parameter):
        return f"Object of type: {type(value).__name__}"
    return f"Parameter containing: [{value.dtype} of size {'x'.join(map(str, value.shape))}]"
