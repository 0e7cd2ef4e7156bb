"""Module: the base of every layer. Parameters, buffers and submodules are ordinary attributes, found by their type."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from weft import _core
from weft._core import Tensor, channels_last, channels_last_3d
from weft._grad_mode import no_grad
from weft.nn.convert import parse_to, to_tensor
from weft.nn.hooks import EVERYWHERE, Hook, RemovableHandle, add_hook, call_with_hooks
from weft.nn.locate import locate
from weft.nn.parameter import Parameter


class IncompatibleKeys(NamedTuple):
    """What `load_state_dict(strict=False)` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A layer, or a network of layers. Subclasses write `__init__` and `forward`.

    Attributes that are `Parameter`s or `Module`s are found by `parameters()`, `state_dict()` and the like in the order
    in which they were first assigned; other tensors take part only through `register_buffer`.
    """

    training: bool = True
    _frozen: bool = False
    _buffer_names: Mapping[str, bool] = MappingProxyType({})  # name -> kept in the state_dict
    _hooks: OrderedDict[int, Hook] | None = None

    def __init__(self) -> None:
        self.training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks or EVERYWHERE:
                return call_with_hooks(self, args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            locate(error, self)
            raise

    def _fused_with(self, following: Callable[[Any], Any]) -> Callable[[Any], Any] | None:
        """following(self(input)) as one function of the input, where a layer has one."""
        return None

    def _add_hook(self, hook: Hook, prepend: bool) -> RemovableHandle:
        if self._hooks is None:
            self._hooks = OrderedDict()
        return add_hook(self._hooks, hook, prepend)

    def register_forward_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """`hook(module, args, output)` runs after `forward`; what it returns, unless None, replaces the output.
        with_kwargs: `hook(module, args, kwargs, output)`. always_call: also when forward or another hook has raised."""
        return self._add_hook(Hook("forward", hook, with_kwargs, always_call), prepend)

    def register_forward_pre_hook(
        self, hook: Callable, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """`hook(module, args)` runs before `forward`; what it returns, unless None, replaces the arguments.
        with_kwargs: `hook(module, args, kwargs)`, which returns None or (args, kwargs)."""
        return self._add_hook(Hook("forward_pre", hook, with_kwargs), prepend)

    def register_full_backward_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_input, grad_output)` runs when backward has the gradients of the positional arguments;
        what it returns, unless None, replaces grad_input. Both are tuples, None where there is no gradient."""
        return self._add_hook(Hook("backward", hook), prepend)

    def register_full_backward_pre_hook(self, hook: Callable, prepend: bool = False) -> RemovableHandle:
        """`hook(module, grad_output)` runs before the module's backward; what it returns, unless None, replaces
        grad_output."""
        return self._add_hook(Hook("backward_pre", hook), prepend)

    # Registration

    def __setattr__(self, name: str, value: Any) -> None:
        old = self.__dict__.get(name)
        if old is not None and value is not None:
            if name in self._buffer_names:
                if not isinstance(value, Tensor):
                    raise TypeError(
                        f"cannot assign '{type(value).__name__}' as buffer '{name}' (Tensor or None expected)"
                    )
            elif isinstance(old, (Parameter, Module)) and not isinstance(value, (Parameter, Module)):
                kind, expected = (
                    ("parameter", "Parameter") if isinstance(old, Parameter) else ("child module", "Module")
                )
                raise TypeError(
                    f"cannot assign '{type(value).__name__}' as {kind} '{name}' (weft.nn.{expected} or None expected)"
                )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if name in self._buffer_names:
            self._buffer_names = {k: v for k, v in self._buffer_names.items() if k != name}

    def _check_name(self, kind: str, name: str, value: Any, expected: type) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if "." in name or not name:
            raise KeyError(f"{kind} name can't be empty or contain \".\", got '{name}'")
        old = self.__dict__.get(name)
        if hasattr(self, name) and not (name in self.__dict__ and (old is None or isinstance(old, expected))):
            raise KeyError(f"attribute '{name}' already exists")
        if value is not None and not isinstance(value, expected):
            raise TypeError(
                f"cannot assign '{type(value).__name__}' object to {kind} '{name}' ({expected.__name__} or None)"
            )

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """A tensor that is moved and (if `persistent`) saved with the module, and is not trained."""
        self._check_name("buffer", name, tensor, Tensor)
        self._buffer_names = {**self._buffer_names, name: persistent}
        object.__setattr__(self, name, tensor)

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        self._check_name("parameter", name, param, Parameter)
        setattr(self, name, param)

    def register_module(self, name: str, module: Module | None) -> None:
        self._check_name("module", name, module, Module)
        setattr(self, name, module)

    add_module = register_module

    # Walking the tree

    def _own_parameters(self) -> Iterator[tuple[str, Parameter]]:
        return ((k, v) for k, v in self.__dict__.items() if isinstance(v, Parameter) and k not in self._buffer_names)

    def _own_buffers(self) -> Iterator[tuple[str, Tensor]]:
        return ((k, v) for k in self._buffer_names if (v := self.__dict__[k]) is not None)

    def _own_modules(self) -> Iterator[tuple[str, Module]]:
        return ((k, v) for k, v in self.__dict__.items() if isinstance(v, Module))

    def named_children(self) -> Iterator[tuple[str, Module]]:
        seen: set[int] = set()
        for name, child in list(self._own_modules()):
            if id(child) not in seen:
                seen.add(id(child))
                yield name, child

    def children(self) -> Iterator[Module]:
        return (child for _, child in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in list(self._own_modules()):
            yield from child.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def modules(self) -> Iterator[Module]:
        return (module for _, module in self.named_modules())

    def _named_members(
        self, own: Callable, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in list(own(module)):
                if id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield (f"{path}.{name}" if path else name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        return self._named_members(lambda m: m._own_parameters(), prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        return (p for _, p in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        return self._named_members(lambda m: m._own_buffers(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        return (b for _, b in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        module = self
        for name in target.split(".") if target else []:
            module = getattr(module, name, None)
            if not isinstance(module, Module):
                raise AttributeError(f"{type(self).__name__} has no submodule `{target}`")
        return module

    def get_parameter(self, target: str) -> Parameter:
        path, _, name = target.rpartition(".")
        value = getattr(self.get_submodule(path), name, None)
        if not isinstance(value, Parameter):
            raise AttributeError(f"{type(self).__name__} has no parameter `{target}`")
        return value

    def get_buffer(self, target: str) -> Tensor:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if name not in module._buffer_names:
            raise AttributeError(f"{type(self).__name__} has no buffer `{target}`")
        return getattr(module, name)

    # State

    def _named_state(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Live tensors under PyTorch's keys: each module's parameters, then its buffers, then its children."""
        for name, value in self._own_parameters():
            yield prefix + name, value
        for name, value in self._own_buffers():
            if self._buffer_names[name]:
                yield prefix + name, value
        for name, child in self._own_modules():
            yield from child._named_state(f"{prefix}{name}.")

    def state_dict(
        self, *, destination: dict | None = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Tensor]:
        """Parameters and persistent buffers by path. The tensors share the module's memory."""
        state = OrderedDict() if destination is None else destination
        for name, value in self._named_state(prefix):
            state[name] = value if keep_vars else value.detach()
        return state

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False, on_mismatch: str = "raise"
    ) -> IncompatibleKeys:
        """Copies values in by path. Everything is checked before anything is changed.

        strict: missing or unexpected keys raise RuntimeError. assign: take the given tensors instead of copying into
        the module's own. on_mismatch: "raise", or "skip" to leave entries alone whose shape differs (they are then
        reported among the missing keys).
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        if on_mismatch not in ("raise", "skip"):
            raise ValueError(f"[load_state_dict] on_mismatch is 'raise' or 'skip', got {on_mismatch!r}")
        own = dict(self._named_state())
        missing = [k for k in own if k not in state_dict]
        unexpected = [k for k in state_dict if k not in own]
        values, problems, skipped = {}, [], []
        for key, target in own.items():
            if key not in state_dict:
                continue
            value = to_tensor(key, state_dict[key])
            if tuple(value.shape) == tuple(target.shape):
                values[key] = value
            elif on_mismatch == "skip":
                skipped.append(key)
            else:
                problems.append(
                    f"size mismatch for {key}: copying a param with shape {tuple(value.shape)} from checkpoint, "
                    f"the shape in current model is {tuple(target.shape)}."
                )
        if strict and unexpected:
            problems.insert(0, "Unexpected key(s) in state_dict: " + ", ".join(f'"{k}"' for k in unexpected) + ". ")
        if strict and missing:
            problems.insert(0, "Missing key(s) in state_dict: " + ", ".join(f'"{k}"' for k in missing) + ". ")
        if problems:
            report = "\n\t".join(problems)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{report}")
        with no_grad():
            for key, value in values.items():
                if assign:
                    self._assign(key, own[key], value)
                else:
                    own[key].copy_(value)
        return IncompatibleKeys(missing + skipped, unexpected)

    def _assign(self, key: str, old: Tensor, value: Tensor) -> None:
        path, _, name = key.rpartition(".")
        if isinstance(old, Parameter):
            value = Parameter(value, old.requires_grad)
        object.__setattr__(self.get_submodule(path), name, value)

    # Modes and conversions

    def train(self, mode: bool = True) -> Module:
        """Training mode for this module and its children, except those under `freeze()`."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            module.training = mode and not module._frozen
        return self

    def eval(self) -> Module:
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        for p in self.parameters():
            p.requires_grad_(requires_grad)
        return self

    def freeze(self) -> Module:
        """No gradients, fixed batch-norm statistics and no dropout below here, whatever `train()` says later."""
        for module in self.modules():
            module._frozen = True
            module.training = False
        return self.requires_grad_(False)

    def unfreeze(self) -> Module:
        """Undoes `freeze()`; the module is in training mode afterwards."""
        for module in self.modules():
            module._frozen = False
        return self.requires_grad_(True).train()

    def zero_grad(self, set_to_none: bool = True) -> None:
        _core._zero_grads(self.parameters(), set_to_none)

    def apply(self, fn: Callable[[Module], Any]) -> Module:
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Module:
        """Replaces the memory of every parameter, gradient and buffer; the Parameter objects stay the same."""
        with no_grad():
            for p in self.parameters():
                p.data = fn(p.detach())
                if p.grad is not None:
                    p.grad = fn(p.grad.detach())
            for module in self.modules():
                for name, value in list(module._own_buffers()):
                    object.__setattr__(module, name, fn(value))
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """In place: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`. Only floating tensors convert.

        `to(memory_format=weft.channels_last)` puts the channels of every parameter and buffer of four dimensions last
        in memory (`weft.channels_last_3d`: of five); convolutions then give results in that format.
        """
        device, dtype, memory_format = parse_to(*args, **kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(f"nn.Module.to only accepts floating point dtypes, but got desired dtype={dtype}")

        def convert(t: Tensor) -> Tensor:
            if device is not None:
                t = t.to(device)
            if dtype is not None and t.is_floating_point():
                t = t.to(dtype)
            return t.to(memory_format=memory_format) if t.ndim in formatted else t

        formatted = {None: (), channels_last: (4,), channels_last_3d: (5,)}.get(memory_format, (4, 5))
        return self._apply(convert)

    def _to_float_type(self, name: str) -> Module:
        return self._apply(lambda t: getattr(t, name)() if t.is_floating_point() else t)

    def float(self) -> Module:
        return self._to_float_type("float")

    def double(self) -> Module:
        return self._to_float_type("double")

    def half(self) -> Module:
        return self._to_float_type("half")

    def bfloat16(self) -> Module:
        return self._to_float_type("bfloat16")

    def cpu(self) -> Module:
        return self.to("cpu")

    def cuda(self, device: int | None = None) -> Module:
        return self.to("cuda" if device is None else f"cuda:{device}")

    # Printing

    def extra_repr(self) -> str:
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [f"({name}): {_indent(repr(child))}" for name, child in self._own_modules()]
        if not child_lines and len(extra_lines) <= 1:
            return f"{self._get_name()}({extra})"
        return self._get_name() + "(\n  " + "\n  ".join(extra_lines + child_lines) + "\n)"


def _indent(text: str) -> str:
    return text.replace("\n", "\n  ")
