from benchmarks.harness import Case, bench, randn, torch
from weft import _core as F

# batch, heads, queries, keys, dim; causal
SHAPES = [
    {"shape": (8, 6, 256, 256, 64), "causal": True},  # a small GPT
    {"shape": (1, 8, 1024, 1024, 64), "causal": False},
    {"shape": (1, 8, 1024, 1024, 64), "causal": True},
    {"shape": (1, 12, 128, 128, 32), "causal": False},  # MiniLM
    {"shape": (32, 12, 128, 128, 32), "causal": False},
    {"shape": (16, 3, 197, 197, 64), "causal": False},  # a tiny ViT
    {"shape": (1, 4, 512, 512, 128), "causal": False},
    {"shape": (64, 4, 16, 16, 32), "causal": False},
]


def arrays(batch, heads, queries, keys, dim):
    return [randn(batch, heads, n, dim, seed=i) for i, n in enumerate((queries, keys, keys))]


def flops(shape, causal):
    batch, heads, queries, keys, dim = shape
    return 4 * batch * heads * queries * keys * dim * (0.5 if causal else 1)


@bench(SHAPES, dtype=["float32", "bfloat16"])
def attention(shape, causal, dtype):
    return Case(
        inputs=arrays(*shape),
        weft=lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal),
        torch=lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal),
        flops=flops(shape, causal),
        dtype=dtype,
        terms=65536,
    )


def train(attend, causal):
    def step(q, k, v, dy):
        q.grad = k.grad = v.grad = None
        attend(q, k, v, is_causal=causal).backward(dy)
        return q.grad, k.grad, v.grad

    return step


@bench(SHAPES, dtype=["float32", "bfloat16"])
def attention_train(shape, causal, dtype):
    return Case(
        inputs=[*arrays(*shape), randn(*shape[:3], shape[4], seed=3)],
        weft=train(F.scaled_dot_product_attention, causal),
        torch=lambda *a: train(torch.nn.functional.scaled_dot_product_attention, causal)(*a),
        grad=[0, 1, 2],
        flops=3.5 * flops(shape, causal),
        dtype=dtype,
        terms=65536,
        rtol=0.1 if dtype == "bfloat16" else None,
    )


# A step of generation: one query, or a few, against a cache.
@bench(
    [
        {"shape": (1, 8, 1, 2048, 64), "kv_heads": 8},
        {"shape": (8, 8, 1, 2048, 64), "kv_heads": 8},
        {"shape": (1, 32, 1, 4096, 128), "kv_heads": 8},
        {"shape": (1, 6, 1, 256, 64), "kv_heads": 6},
        {"shape": (1, 8, 4, 4096, 64), "kv_heads": 2},
    ],
    dtype=["float32", "bfloat16"],
)
def attention_decode(shape, kv_heads, dtype):
    batch, heads, queries, keys, dim = shape
    gqa = heads != kv_heads
    return Case(
        inputs=[randn(batch, h, n, dim) for h, n in ((heads, queries), (kv_heads, keys), (kv_heads, keys))],
        weft=lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=gqa),
        torch=lambda q, k, v: torch.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=gqa),
        bytes=2 * batch * kv_heads * keys * dim * (2 if dtype == "bfloat16" else 4),
        dtype=dtype,
        terms=65536,
    )
