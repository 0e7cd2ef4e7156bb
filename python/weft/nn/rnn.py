"""Recurrent layers over whole sequences. Names, arguments, defaults and parameters are PyTorch's."""

from __future__ import annotations

import math
import numbers
import warnings
from typing import Any

from weft import _core
from weft._core import Tensor, empty
from weft.amp.autocast_mode import autocast
from weft.nn import functional as F
from weft.nn import init
from weft.nn.module import Module
from weft.nn.parameter import Parameter
from weft.nn.utils.rnn import PackedSequence

_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_KINDS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


class RNNBase(Module):
    """What RNN, LSTM and GRU share: num_layers layers in one or two directions, and their parameters.

    Of layer k: weight_ih_lk (gates * hidden_size, input), weight_hh_lk (gates * hidden_size, output), bias_ih_lk and
    bias_hh_lk (gates * hidden_size), of an LSTM with proj_size weight_hr_lk (proj_size, hidden_size), and the same with
    `_reverse` for the second direction; all from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size)).
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        _check_options(input_size, hidden_size, num_layers, bias, batch_first, dropout, proj_size)
        if mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + mode)
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size

        gates, out = _GATES[mode] * hidden_size, proj_size or hidden_size
        directions = ("", "_reverse") if bidirectional else ("",)
        self._names = [[f"{{}}_l{layer}{d}" for d in directions] for layer in range(num_layers)]
        for layer, names in enumerate(self._names):
            width = input_size if layer == 0 else out * len(directions)
            shapes = [(gates, width), (gates, out), (gates,), (gates,), (proj_size, hidden_size)]
            for name in names:
                for kind, shape in zip(_KINDS, shapes, strict=True):
                    if self._has(kind):
                        setattr(self, name.format(kind), Parameter(empty(*shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _has(self, kind: str) -> bool:
        return self.proj_size > 0 if kind == "weight_hr" else self.bias or not kind.startswith("bias")

    def _weights(self, layer: int) -> list[Tensor | None]:
        return [
            getattr(self, name.format(kind)) if self._has(kind) else None
            for name in self._names[layer]
            for kind in _KINDS
        ]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [
            [getattr(self, name.format(kind)) for kind in _KINDS if self._has(kind)]
            for names in self._names
            for name in names
        ]

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size)
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: weights are packed when they are used, wherever they lie."""

    def _run(self, input: Any, states: tuple[Tensor, ...] | None) -> tuple[Any, tuple[Tensor, ...]]:
        """All layers; states are the first h and, of an LSTM, c, of all layers and directions, or None for zeros."""
        packed = isinstance(input, PackedSequence)
        x = input.data if packed else input
        if not packed and x.dim() not in (2, 3):
            raise ValueError(f"{self._kind}: Expected input to be 2D or 3D, got {x.dim()}D instead")
        batched = packed or x.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if states is not None and not packed:
            self._check_dims(states, batched)
        if not batched:
            x = x.unsqueeze(batch_dim)
            states = states if states is None else tuple(s.unsqueeze(1) for s in states)
        sizes = input.batch_sizes if packed else None
        if x.dtype != self.weight_ih_l0.dtype and not _core._autocast_active():
            raise ValueError(
                f"RNN input dtype ({x.dtype}) does not match weight dtype ({self.weight_ih_l0.dtype}). Convert input: "
                f"input.to({self.weight_ih_l0.dtype}), or convert model: model.to({x.dtype})"
            )
        if packed and x.dim() != 2:
            raise RuntimeError(f"input must have 2 dimensions, got {x.dim()}")
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {x.shape[-1]}"
            )
        states = self._first_states(x, int(sizes[0]) if packed else x.shape[batch_dim], states, input)
        y, states = self._layers(x, states, sizes)
        if packed:
            if input.unsorted_indices is not None:
                states = tuple(s.index_select(1, input.unsorted_indices) for s in states)
            return PackedSequence(y, sizes, input.sorted_indices, input.unsorted_indices), states
        if not batched:
            return y.squeeze(batch_dim), tuple(s.squeeze(1) for s in states)
        return y, states

    def _layers(self, x: Tensor, states: tuple[Tensor, ...], sizes: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        directions = 2 if self.bidirectional else 1
        last: list[list[Tensor]] = []
        for layer in range(self.num_layers):
            first = [s[layer * directions : (layer + 1) * directions] for s in states]
            c0 = first[1] if len(first) > 1 else None
            x, *state = _core.rnn_layer(self.mode, x, first[0], c0, self._weights(layer), self.batch_first, sizes)
            last.append(state)
            if self.dropout and self.training and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout)
        if self.num_layers == 1:
            return x, tuple(last[0])
        return x, tuple(_core.cat(s) for s in zip(*last, strict=True))

    def _first_states(self, x: Tensor, batch: int, states: tuple[Tensor, ...] | None, input: Any) -> tuple[Tensor, ...]:
        widths = (self.proj_size or self.hidden_size, self.hidden_size)[: 2 if self.mode == "LSTM" else 1]
        rows = self.num_layers * (2 if self.bidirectional else 1)
        shapes = [(rows, batch, width) for width in widths]
        if states is None:
            return tuple(_core.zeros(*shape, dtype=x.dtype, device=x.device) for shape in shapes)
        for i, (state, shape) in enumerate(zip(states, shapes, strict=True)):
            if tuple(state.shape) != shape:
                which = f"hidden[{i}]" if len(shapes) > 1 else "hidden"
                raise RuntimeError(f"Expected {which} size {shape}, got {list(state.shape)}")
        if isinstance(input, PackedSequence) and input.sorted_indices is not None:
            return tuple(s.index_select(1, input.sorted_indices) for s in states)
        return states

    def _check_dims(self, states: tuple[Tensor, ...], batched: bool) -> None:
        wanted, kind = (3, "batched 3-D") if batched else (2, "unbatched 2-D")
        got = ", ".join(f"{s.dim()}-D" for s in states)
        if any(s.dim() != wanted for s in states):
            if len(states) > 1:
                raise RuntimeError(f"For {kind} input, hx and cx should also be {wanted}-D but got ({got}) tensors")
            raise RuntimeError(f"For {kind} input, hx should also be {wanted}-D but got {got} tensor")

    @property
    def _kind(self) -> str:
        return self.mode.partition("_")[0]

    def extra_repr(self) -> str:
        defaults = {
            "proj_size": 0,
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0,
            "bidirectional": False,
        }
        others = (f", {k}={getattr(self, k)}" for k, v in defaults.items() if getattr(self, k) != v)
        return f"{self.input_size}, {self.hidden_size}" + "".join(others)


def _check_options(
    input_size: Any, hidden_size: Any, num_layers: Any, bias: Any, batch_first: Any, dropout: Any, proj_size: Any
) -> None:
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    for name, value, kind in (
        ("bias", bias, bool),
        ("batch_first", batch_first, bool),
        ("input_size", input_size, int),
        ("hidden_size", hidden_size, int),
    ):
        if not isinstance(value, kind):
            raise TypeError(f"{name} should be of type {kind.__name__}, got: {type(value).__name__}")
    for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
        if value <= 0:
            raise ValueError(f"{name} must be greater than zero")
    if proj_size < 0:
        raise ValueError("proj_size should be a positive integer or zero to disable projections")
    if proj_size >= hidden_size:
        raise ValueError("proj_size has to be smaller than hidden_size")
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects "
            f"num_layers greater than 1, but got {dropout=} and {num_layers=}",
            stacklevel=4,
        )


class RNN(RNNBase):
    """h' = act(x W_ih^T + b_ih + h W_hh^T + b_hh), with act "tanh" or "relu" (Elman 1990).

    input: (T, B, input_size), or (B, T, input_size) with batch_first, or (T, input_size), or a PackedSequence.
    hx: (num_layers * directions, B, hidden_size), default zeros. Returns the output of the last layer, (T, B,
    directions * hidden_size) or as the input is, and the last h of each layer and direction, as hx.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """input_size, hidden_size, num_layers=1, nonlinearity="tanh", bias=True, batch_first=False, dropout=0.0,
        bidirectional=False, device=None, dtype=None."""
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            self.nonlinearity = args[3]
            args = args[:3] + args[4:]
        else:
            self.nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if self.nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{self.nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__("RNN_" + self.nonlinearity.upper(), *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (h,) = self._run(input, None if hx is None else (hx,))
        return output, h


class LSTM(RNNBase):
    """i, f, g, o = x W_ih^T + b_ih + h W_hh^T + b_hh; c' = sigmoid(f) c + sigmoid(i) tanh(g);
    h' = sigmoid(o) tanh(c') (Hochreiter and Schmidhuber 1997), times W_hr with proj_size (Sak et al. 2014).

    input: (T, B, input_size), or (B, T, input_size) with batch_first, or (T, input_size), or a PackedSequence.
    hx: (h, c) of (num_layers * directions, B, proj_size or hidden_size) and (num_layers * directions, B, hidden_size),
    default zeros. Returns the output of the last layer and the last (h, c) of each layer and direction.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        proj_size=0, device=None, dtype=None."""
        super().__init__("LSTM", *args, **kwargs)

    def forward(self, input: Any, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Any, tuple[Tensor, Tensor]]:
        return self._run(input, None if hx is None else tuple(hx))


class GRU(RNNBase):
    """r, z = sigmoid(x W_ih^T + b_ih + h W_hh^T + b_hh); n = tanh(x W_in^T + b_in + r (h W_hn^T + b_hn));
    h' = (1 - z) n + z h (Cho et al. 2014).

    input: (T, B, input_size), or (B, T, input_size) with batch_first, or (T, input_size), or a PackedSequence.
    hx: (num_layers * directions, B, hidden_size), default zeros. Returns the output of the last layer, (T, B,
    directions * hidden_size) or as the input is, and the last h of each layer and direction, as hx.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """input_size, hidden_size, num_layers=1, bias=True, batch_first=False, dropout=0.0, bidirectional=False,
        device=None, dtype=None."""
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)

    def forward(self, input: Any, hx: Tensor | None = None) -> tuple[Any, Tensor]:
        output, (h,) = self._run(input, None if hx is None else (hx,))
        return output, h


class RNNCellBase(Module):
    """One step: weight_ih (gates * hidden_size, input_size), weight_hh (gates * hidden_size, hidden_size) and the
    biases, all from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        self.weight_ih = Parameter(empty(gates, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(empty(gates, hidden_size, device=device, dtype=dtype))
        self.bias_ih = Parameter(empty(gates, device=device, dtype=dtype)) if bias else None
        self.bias_hh = Parameter(empty(gates, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def _step(self, mode: str, input: Tensor, states: tuple[Tensor, ...] | None) -> tuple[Tensor, ...]:
        kind = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for i, state in enumerate(states or ()):
            if state.dim() not in (1, 2):
                which = f"hx[{i}]" if mode == "LSTM" else "hidden"
                raise ValueError(f"{kind}: Expected {which} to be 1D or 2D, got {state.dim()}D instead")
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        if x.shape[1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {x.shape[1]} expected {self.input_size}")
        shape = (x.shape[0], self.hidden_size)
        if states is None:
            zeros = _core.zeros(1, *shape, dtype=x.dtype, device=x.device)
            states = (zeros, zeros) if mode == "LSTM" else (zeros,)
        else:
            states = states if batched else tuple(s.unsqueeze(0) for s in states)
            for i, state in enumerate(states):
                if tuple(state.shape) != shape:
                    raise RuntimeError(f"Expected hidden{i} of shape {shape}, got {tuple(state.shape)}")
            states = tuple(s.unsqueeze(0) for s in states)
        weights = [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh, None]
        if mode == "LSTM" and _core._autocast_active():  # as PyTorch's cell: the state keeps its dtype
            kept = states[1].dtype
            x, *states = (_core._autocast_float32(t) for t in (x, *states))
            with autocast(x.device.type, enabled=False):
                _, *last = _core.rnn_layer(mode, x.unsqueeze(0), *states, weights)
            last = [s.to(kept) for s in last]
        else:
            c0 = states[1] if mode == "LSTM" else None
            _, *last = _core.rnn_layer(mode, x.unsqueeze(0), states[0], c0, weights)
        return tuple(s.squeeze(0) if batched else s.squeeze(0).squeeze(0) for s in last)

    def extra_repr(self) -> str:
        s = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            s += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            s += f", nonlinearity={self.nonlinearity}"
        return s


class RNNCell(RNNCellBase):
    """One step of RNN. input: (B, input_size) or (input_size); hx: (B, hidden_size) or (hidden_size), default zeros.
    Returns the next h, as hx."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step("RNN_" + self.nonlinearity.upper(), input, None if hx is None else (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of LSTM. input: (B, input_size) or (input_size); hx: (h, c) of (B, hidden_size) or (hidden_size) each,
    default zeros. Returns the next (h, c)."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        return self._step("LSTM", input, None if hx is None else tuple(hx))


class GRUCell(RNNCellBase):
    """One step of GRU. input: (B, input_size) or (input_size); hx: (B, hidden_size) or (hidden_size), default zeros.
    Returns the next h, as hx."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, None if hx is None else (hx,))[0]
