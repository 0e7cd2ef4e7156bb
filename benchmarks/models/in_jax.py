"""The same networks written for JAX: functions of a dictionary of weights, jitted whole, the optimizer too."""

from __future__ import annotations

from functools import partial
from typing import Any

import weft
from benchmarks.models.parts import Build, arrays

Weights = dict[str, Any]


def _weights(build: Build) -> Weights:
    import jax.numpy as jnp

    return {
        key: jnp.asarray(value) for key, value in arrays(build(weft).state_dict()).items() if value.dtype.kind == "f"
    }


def predict(build: Build, network):
    def prepare(*inputs):
        import jax

        weights, forward = _weights(build), jax.jit(network)
        return lambda: forward(weights, *inputs)

    return prepare


def train(build: Build, network, clip=None):
    """AdamW as torch.optim's, on every weight."""

    def prepare(x, labels):
        import jax
        import jax.numpy as jnp

        def loss(weights):
            logits = network(weights, x)
            logits = logits.reshape(-1, logits.shape[-1])
            picked = jnp.take_along_axis(jax.nn.log_softmax(logits), labels.reshape(-1, 1), 1)
            return -picked.mean()

        @partial(jax.jit, donate_argnums=(0, 1, 2))
        def step(weights, first, second, n):
            value, grads = jax.value_and_grad(loss)(weights)
            if clip:
                norm = jnp.sqrt(sum((g * g).sum() for g in grads.values()))
                grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, clip / (norm + 1e-6)), grads)
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, grads)
            second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, grads)

            def moved(w, m, v):
                root = jnp.sqrt(v / (1 - 0.999**n)) + 1e-8
                return w * (1 - 1e-5 * 1e-2) - 1e-5 * (m / (1 - 0.9**n)) / root

            return value, jax.tree.map(moved, weights, first, second), first, second

        weights = _weights(build)
        state = [weights, jax.tree.map(jnp.zeros_like, weights), jax.tree.map(jnp.zeros_like, weights)]
        steps = 0

        def run():
            nonlocal steps
            steps += 1
            value, *state[:] = step(*state, jnp.float32(steps))
            return value

        return run

    return prepare


def _linear(w: Weights, name: str, x):
    y = x @ w[f"{name}.weight"].T
    return y + w[f"{name}.bias"] if f"{name}.bias" in w else y


def _norm(w: Weights, name: str, x):
    import jax

    mean = x.mean(-1, keepdims=True)
    centred = x - mean
    scale = jax.lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5)
    return centred * scale * w[f"{name}.weight"] + w[f"{name}.bias"]


def mlp(w: Weights, x):
    import jax

    last = max(int(key.partition(".")[0]) for key in w)
    for i in range(0, last + 1, 2):
        x = _linear(w, str(i), x)
        x = jax.nn.relu(x) if i < last else x
    return x


def _attention(w: Weights, name: str, x, heads: int, causal: bool):
    import jax

    batch, tokens, width = x.shape
    qkv = _linear(w, f"{name}.qkv", x).reshape(batch, tokens, 3, heads, width // heads)
    y = jax.nn.dot_product_attention(qkv[:, :, 0], qkv[:, :, 1], qkv[:, :, 2], is_causal=causal)
    return _linear(w, f"{name}.out", y.reshape(batch, tokens, width))


def _feed_forward(w: Weights, name: str, x):
    import jax

    return _linear(w, f"{name}.feed_forward.2", jax.nn.gelu(_linear(w, f"{name}.feed_forward.0", x), approximate=False))


def gpt(w: Weights, tokens, layers: int, heads: int):
    x = w["token.weight"][tokens] + w["position.weight"][: tokens.shape[1]]
    for i in range(layers):
        name = f"blocks.{i}"
        x = x + _attention(w, f"{name}.attention", _norm(w, f"{name}.norm1", x), heads, causal=True)
        x = x + _feed_forward(w, name, _norm(w, f"{name}.norm2", x))
    return _linear(w, "head", _norm(w, "norm", x))


def encoder(w: Weights, tokens, layers: int, heads: int):
    x = _norm(w, "norm", w["token.weight"][tokens] + w["position.weight"][: tokens.shape[1]])
    for i in range(layers):
        name = f"blocks.{i}"
        x = _norm(w, f"{name}.norm1", x + _attention(w, f"{name}.attention", x, heads, causal=False))
        x = _norm(w, f"{name}.norm2", x + _feed_forward(w, name, x))
    return x.mean(1)


def _conv(w: Weights, name: str, x, stride: int = 1):
    import jax

    kernel = w[f"{name}.weight"]
    pad = kernel.shape[-1] // 2
    return jax.lax.conv_general_dilated(x, kernel, (stride, stride), [(pad, pad)] * 2)


def _batch_norm(w: Weights, name: str, x):
    scale = w[f"{name}.weight"] / (w[f"{name}.running_var"] + 1e-5) ** 0.5
    shift = w[f"{name}.bias"] - w[f"{name}.running_mean"] * scale
    return x * scale[:, None, None] + shift[:, None, None]


def resnet18(w: Weights, x):
    """In evaluation, with the names of resnet.resnet18."""
    import jax

    x = jax.nn.relu(_batch_norm(w, "1", _conv(w, "0", x)))
    for i in range(8):
        name, stride = f"{i + 3}", 2 if i in (2, 4, 6) else 1
        y = jax.nn.relu(_batch_norm(w, f"{name}.body.1", _conv(w, f"{name}.body.0", x, stride)))
        y = _batch_norm(w, f"{name}.body.4", _conv(w, f"{name}.body.3", y))
        if f"{name}.short.0.weight" in w:
            x = _batch_norm(w, f"{name}.short.1", _conv(w, f"{name}.short.0", x, stride))
        x = jax.nn.relu(x + y)
    return _linear(w, "13", x.mean((2, 3)))
