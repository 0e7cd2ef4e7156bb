"""Transformers out of Linear, LayerNorm, Embedding and scaled_dot_product_attention, as their users write them."""

from __future__ import annotations


def attention(m, width, heads, causal):
    class Attention(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.qkv = m.nn.Linear(width, 3 * width)
            self.out = m.nn.Linear(width, width)

        def forward(self, x):
            batch, tokens, _ = x.shape
            qkv = self.qkv(x).view(batch, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            y = m.nn.functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], is_causal=causal)
            return self.out(y.transpose(1, 2).reshape(batch, tokens, width))

        def products(self, x):  # q k^T and p v; backward has four products and must make the scores once more
            batch, tokens, _ = x.shape
            return 4.0 * batch * tokens * tokens * width * (0.5 if causal else 1)

    return Attention()


def block(m, width, heads, causal=False, norm_first=True):
    class Block(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm1, self.norm2 = m.nn.LayerNorm(width), m.nn.LayerNorm(width)
            self.attention = attention(m, width, heads, causal)
            self.feed_forward = m.nn.Sequential(
                m.nn.Linear(width, 4 * width), m.nn.GELU(), m.nn.Linear(4 * width, width)
            )

        def forward(self, x):
            if norm_first:
                x = x + self.attention(self.norm1(x))
                return x + self.feed_forward(self.norm2(x))
            x = self.norm1(x + self.attention(x))
            return self.norm2(x + self.feed_forward(x))

    return Block()


def gpt(m, layers, width, heads, vocabulary, longest):
    class GPT(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = m.nn.Embedding(vocabulary, width), m.nn.Embedding(longest, width)
            self.blocks = m.nn.Sequential(*(block(m, width, heads, causal=True) for _ in range(layers)))
            self.norm = m.nn.LayerNorm(width)
            self.head = m.nn.Linear(width, vocabulary, bias=False)

        def forward(self, tokens):
            x = self.token(tokens) + self.position(m.arange(tokens.shape[1]))
            return self.head(self.norm(self.blocks(x)))

    return GPT()


def encoder(m, layers, width, heads, vocabulary, longest):
    """As the sentence encoders of the MiniLM family: norms after the residual, the mean over the tokens."""

    class Encoder(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = m.nn.Embedding(vocabulary, width), m.nn.Embedding(longest, width)
            self.norm = m.nn.LayerNorm(width)
            self.blocks = m.nn.Sequential(*(block(m, width, heads, norm_first=False) for _ in range(layers)))

        def forward(self, tokens):
            x = self.token(tokens) + self.position(m.arange(tokens.shape[1]))
            return self.blocks(self.norm(x)).mean(1)

    return Encoder()


def vit(m, layers, width, heads, image, patch, classes):
    class ViT(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = m.nn.Conv2d(3, width, patch, stride=patch)
            self.position = m.nn.Embedding((image // patch) ** 2, width)
            self.blocks = m.nn.Sequential(*(block(m, width, heads) for _ in range(layers)))
            self.norm = m.nn.LayerNorm(width)
            self.head = m.nn.Linear(width, classes)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2) + self.position.weight
            return self.head(self.norm(self.blocks(x)).mean(1))

    return ViT()
