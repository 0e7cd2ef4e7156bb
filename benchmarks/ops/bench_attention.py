from benchmarks.harness import Case, bench, randn, torch
from weft import _core as F

# batch, heads, queries, keys, dim
SHAPES = [
    {"shape": (1, 8, 1024, 1024, 64)},
    {"shape": (4, 8, 256, 256, 64)},
    {"shape": (1, 4, 512, 512, 128)},
    {"shape": (32, 4, 64, 64, 32)},
    {"shape": (8, 8, 1, 2048, 64)},
]


def arrays(batch, heads, queries, keys, dim):
    return [randn(batch, heads, n, dim, seed=i) for i, n in enumerate((queries, keys, keys))]


def flops(shape, causal):
    batch, heads, queries, keys, dim = shape
    return 4 * batch * heads * queries * keys * dim * (0.5 if causal else 1)


@bench(SHAPES, causal=[False, True])
def attention(shape, causal):
    return Case(
        inputs=arrays(*shape),
        weft=lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
        torch=lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal),
        flops=flops(shape, causal),
    )


def train(attend, causal):
    def step(q, k, v):
        q.grad = k.grad = v.grad = None
        attend(q, k, v, is_causal=causal).sum().backward()
        return q.grad, k.grad, v.grad

    return step


@bench(SHAPES[:4], causal=[False, True])
def attention_train(shape, causal):
    return Case(
        inputs=arrays(*shape),
        weft=train(F.scaled_dot_product_attention, causal),
        torch=lambda *a: train(torch.nn.functional.scaled_dot_product_attention, causal)(*a),
        grad=[0, 1, 2],
        flops=3.5 * flops(shape, causal),
        terms=65536,
    )
