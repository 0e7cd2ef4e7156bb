"""A character model: a small transformer learns a text and continues it."""

import argparse

import weft
import weft.nn.functional as F
from weft import nn
from weft.nn.utils import clip_grad_norm_
from weft.optim import AdamW
from weft.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

TEXT = (
    """The weft is the thread that is woven across the warp. The warp is held in tension on the loom, and the weft
is drawn through it, over and under, row after row, until the cloth is whole. """
    * 8
)


class Transformer(nn.Module):
    def __init__(self, characters: int, context: int, width: int = 64, heads: int = 4, layers: int = 2):
        super().__init__()
        self.token = nn.Embedding(characters, width)
        self.position = nn.Embedding(context, width)
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, layers, norm=nn.LayerNorm(width))
        self.head = nn.Linear(width, characters, bias=False)
        self.head.weight = self.token.weight  # tied

    def forward(self, tokens):
        places = weft.arange(tokens.shape[1])
        return self.head(self.blocks(self.token(tokens) * 8 + self.position(places), is_causal=True))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=300)
steps = parser.parse_args().steps

weft.manual_seed(0)
context, batch = 48, 16
characters = sorted(set(TEXT))
data = weft.tensor([characters.index(c) for c in TEXT])
net = Transformer(len(characters), context)
for p in net.token.parameters():
    nn.init.normal_(p, std=0.1)
optimizer = AdamW(net.parameters(), lr=2e-3)
warmup = max(1, steps // 10)
schedule = SequentialLR(
    optimizer,
    [LinearLR(optimizer, 0.1, total_iters=warmup), CosineAnnealingLR(optimizer, max(1, steps - warmup))],
    [warmup],
)

for step in range(1, steps + 1):
    starts = weft.randint(0, len(data) - context - 1, (batch,))
    rows = starts.unsqueeze(1) + weft.arange(context + 1)
    window = data[rows]
    logits = net(window[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, len(characters)), window[:, 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    if step % 50 == 0 or step == steps:
        print(f"step {step}: loss {loss.item():.3f}")

net.eval()
text = data[:8]
with weft.no_grad():
    for _ in range(100):
        logits = net(text[-context:].unsqueeze(0))[0, -1]
        text = weft.cat([text, logits.argmax(-1, keepdim=True)])
print("".join(characters[i] for i in text.tolist()))
