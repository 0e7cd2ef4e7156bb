"""Training and inference of transformers."""

from functools import partial

import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch
from benchmarks.models import in_jax, transformer
from benchmarks.models.parts import inference_case, training_case

LAYERS, WIDTH = 6, 384


def tokens(batch, length, vocabulary, seed=0):
    return np.random.default_rng(seed).integers(0, vocabulary, (batch, length))


def next_token(m, net, x, labels):
    logits = net(x)
    return m.nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), labels.view(-1))


@bench(
    [{"batch": 4, "vocabulary": 96}, {"batch": 8, "vocabulary": 4096}, {"batch": 4, "vocabulary": 96, "recorded": True}]
)
def gpt_train(batch, vocabulary, recorded=False):
    length, heads = 256, 6

    def build(m):
        return transformer.gpt(m, LAYERS, WIDTH, heads, vocabulary, length)

    return training_case(
        build,
        [tokens(batch, length, vocabulary), tokens(batch, length, vocabulary, seed=1)],
        loss=next_token,
        jax=in_jax.train(build, partial(in_jax.gpt, layers=LAYERS, heads=heads), clip=1.0),
        clip=1.0,
        recorded=recorded,
    )


@bench([{"batch": 1, "length": 128}, {"batch": 32, "length": 64}, {"batch": 1, "length": 128, "recorded": True}])
def encoder(batch, length, recorded=False):
    heads, vocabulary = 12, 8192

    def build(m):
        return transformer.encoder(m, LAYERS, WIDTH, heads, vocabulary, 128)

    theirs = in_jax.predict(build, partial(in_jax.encoder, layers=LAYERS, heads=heads))
    return inference_case(build, [tokens(batch, length, vocabulary)], jax=theirs, recorded=recorded)


def vit_tiny(m):
    return transformer.vit(m, 12, 192, 3, 224, 16, 1000)


@bench(batch=[1])
def vit_predict(batch):
    return inference_case(vit_tiny, [randn(batch, 3, 224, 224)])


@bench(batch=[8])
def vit_train(batch):
    return training_case(vit_tiny, [randn(batch, 3, 224, 224), np.random.default_rng(1).integers(0, 1000, batch)])


@bench(shape=[(1, 8, 1024, 64)])
def attention_training(shape):
    """Forward and backward of eight heads over 1024 tokens; six layers of a GPT have a like amount."""
    batch, heads, length, dim = shape

    def prepare_with(m, wrap=lambda f: f):
        def prepare(q, k, v, dy):
            attend = wrap(m.nn.functional.scaled_dot_product_attention)

            def step():
                q.grad = k.grad = v.grad = None
                attend(q, k, v).backward(dy)
                return q.grad, k.grad, v.grad

            return step

        return prepare

    return Case(
        inputs=[randn(*shape, seed=i) for i in range(4)],
        weft=prepare_with(weft),
        torch=prepare_with(torch),
        compiled=prepare_with(torch, torch.compile) if torch else None,
        grad=[0, 1, 2],
        prepare=True,
        flops=14.0 * batch * heads * length**2 * dim,
    )
