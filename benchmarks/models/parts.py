"""What the whole workloads share: weights that every library gets alike, the step, the count of its work."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

import weft
from benchmarks.harness import Case, randn, torch

Build = Callable[[Any], Any]  # m, weft or torch, to a network made of m's modules


def arrays(state) -> dict[str, np.ndarray]:
    """Weights for the names and shapes of a state dictionary: by the name alone, so that all libraries get the same."""
    made = {}
    for key, value in state.items():
        shape = tuple(value.shape)
        if len(shape) > 1:
            scale = np.float32((1.5 / prod(shape[1:])) ** 0.5)
            made[key] = randn(*shape, seed=zlib.crc32(key.encode())) * scale
        elif key.endswith("num_batches_tracked"):
            made[key] = np.zeros(shape, np.int64)
        else:
            made[key] = np.full(shape, key.endswith(("weight", "running_var")), np.float32)
    return made


def with_the_same_weights(m, net):
    net.load_state_dict({key: m.tensor(value) for key, value in arrays(net.state_dict()).items()})
    return net


def train(m, build: Build, loss=None, optimizer="AdamW", clip=None, wrap=lambda f: f, whole=lambda f: f, **options):
    """A step as users write it: forward, loss, backward, clipping, optimizer. `loss(m, net, *inputs)` may replace the
    cross-entropy of net(x) and labels; `wrap` the forward pass with it, `whole` all of the step."""

    def prepare(*inputs):
        net = with_the_same_weights(m, build(m))
        opt = getattr(m.optim, optimizer)(net.parameters(), **{"lr": 1e-5, **options})
        forward = wrap(lambda *inputs: (loss or cross_entropy)(m, net, *inputs))

        @whole
        def step(*inputs):
            opt.zero_grad()
            value = forward(*inputs)
            value.backward()
            if clip:
                m.nn.utils.clip_grad_norm_(net.parameters(), clip)
            opt.step()
            return value

        return lambda: step(*inputs)

    return prepare


def cross_entropy(m, net, x, labels):
    return m.nn.functional.cross_entropy(net(x), labels)


def predict(m, build: Build, wrap=lambda net, *inputs: net):
    """`wrap`: what turns a network into one for inference."""

    def prepare(*inputs):
        net = wrap(with_the_same_weights(m, build(m)).eval(), *inputs)

        def forward():
            with m.no_grad():
                return net(*inputs)

        return forward

    return prepare


def exported(build: Build):
    """The network in onnxruntime."""

    def prepare(*inputs):
        import io

        import onnxruntime

        net = with_the_same_weights(torch, build(torch)).eval()
        file = io.BytesIO()
        torch.onnx.export(net, tuple(map(torch.from_numpy, inputs)), file, dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(file.getvalue(), options, providers=["CPUExecutionProvider"])
        fed = {given.name: x for given, x in zip(session.get_inputs(), inputs, strict=True)}
        return lambda: session.run(None, fed)[0]

    return prepare


class Work:
    """Counts the multiplications and additions of a network's products while it runs once: a forward pass, and a
    backward pass as far as gradients are wanted."""

    def __init__(self, build: Build, inputs: Sequence[np.ndarray]):
        net = with_the_same_weights(weft, build(weft))
        self.forward = self.backward = 0.0
        self.parameters = sum(p.numel() for p in net.parameters())
        for module in net.modules():
            module.register_forward_hook(self._count)
        net(*(weft.tensor(x) for x in inputs))

    def _count(self, module, inputs, output) -> None:
        flops, first, kind = 0.0, 0.0, type(module).__name__  # first: what the gradient of the input costs, if not all
        if hasattr(module, "products"):
            self.forward += module.products(*inputs)
            self.backward += 2 * module.products(*inputs)
            return
        if kind in ("Linear", "Conv2d"):
            flops = 2.0 * output.numel() * prod(module.weight.shape[1:])
        elif kind == "ConvTranspose2d":
            flops = 2.0 * inputs[0].numel() * prod(module.weight.shape[1:])
        elif kind in ("LSTM", "GRU", "RNN"):
            steps = prod(inputs[0].shape[:2])
            flops = 2.0 * steps * sum(p.numel() for p in module.parameters() if p.ndim == 2)
            first = 2.0 * steps * module.weight_ih_l0.numel()
        self.forward += flops
        self.backward += 2 * flops - (0 if inputs[0].requires_grad else first or flops)


def training_case(
    build: Build, inputs: Sequence[np.ndarray], counted: int = 1, jax=None, rtol=1e-3, recorded=False, **how
) -> Case:
    """`counted`: how many of the inputs, from the first, the network itself takes; the rest are for the loss.
    `recorded`: by weft.compile, and weft without it is one of the opponents; "anew": each call is a first one."""
    work = Work(build, inputs[:counted])
    whole = {False: lambda step: step, True: weft.compile, "anew": recorded_anew}[recorded]
    return Case(
        inputs=inputs,
        weft=train(weft, build, whole=whole, **how),
        eager=train(weft, build, **how) if recorded else None,
        torch=train(torch, build, **how) if torch else None,
        compiled=train(torch, build, wrap=torch.compile, **how) if torch else None,
        jax=jax,
        prepare=True,
        flops=work.forward + work.backward,
        bytes=28 * work.parameters,
        rtol=rtol,
    )


def recorded_anew(step):
    compiled = weft.compile(step)

    def first(*inputs):
        compiled.reset()
        return compiled(*inputs)

    return first


def recorded_fused(net, *inputs):
    return weft.compile(weft.nn.utils.fuse(net, *inputs))


def inference_case(build: Build, inputs: Sequence[np.ndarray], jax=None, rtol=1e-3, recorded=False) -> Case:
    """onnxruntime folds batch normalisations into convolutions by itself; weft does when asked, by `fuse`."""
    work = Work(build, inputs)
    return Case(
        inputs=inputs,
        weft=predict(weft, build, wrap=recorded_fused if recorded else weft.nn.utils.fuse),
        eager=predict(weft, build, wrap=weft.nn.utils.fuse) if recorded else None,
        torch=predict(torch, build) if torch else None,
        compiled=predict(torch, build, wrap=lambda net, *_: torch.compile(net)) if torch else None,
        onnxruntime=exported(build),
        jax=jax,
        prepare=True,
        flops=work.forward,
        bytes=4 * work.parameters,
        rtol=rtol,
    )
