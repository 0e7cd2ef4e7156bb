"""weft.compile: steps whose loss is scaled, some of them left out."""

import pytest
from steps import random

import weft
from weft import nn
from weft.nn import functional as F


def history(compiled, make_optimizer, clip):
    weft.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 1))
    opt = make_optimizer(model.parameters())
    scaler = weft.amp.GradScaler("cpu", init_scale=16.0, growth_interval=3)
    schedule = weft.optim.lr_scheduler.CosineAnnealingLR(opt, 50)

    def step(x, y):
        opt.zero_grad()
        with weft.autocast("cpu", dtype=weft.bfloat16):
            loss = F.mse_loss(model(x).float(), y)
        scaler.scale(loss).backward()
        if clip:
            scaler.unscale_(opt)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(opt)
        scaler.update()
        schedule.step()
        return loss

    f = weft.compile(step, fullgraph=True) if compiled else step
    rows = []
    for i, (x, y) in enumerate(zip(DATA, LABELS, strict=True)):
        f(weft.tensor(x), weft.tensor(y) * (float("inf") if i in (4, 5, 17) else 1))
        rows.append((scaler.get_scale(), *(t.numpy().tobytes() for t in model.state_dict().values())))
    if compiled:
        assert len(f.plans) == 1
    return rows


DATA = random.standard_normal((30, 32, 8)).astype("float32")
LABELS = random.standard_normal((30, 32, 1)).astype("float32")


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop"])
def test_scales_and_weights_as_eager(name, clip):
    options = {"momentum": 0.9} if name == "SGD" else {}
    made = [history(c, lambda p: getattr(weft.optim, name)(p, lr=1e-2, **options), clip) for c in (False, True)]
    assert made[0] == made[1]
    scales = [row[0] for row in made[0]]
    assert scales[4] == scales[3] / 2 and max(scales) > 16 and made[0][4][1] == made[0][3][1]
