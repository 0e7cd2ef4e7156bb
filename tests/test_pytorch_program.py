"""A program written for PyTorch runs with only its import line changed, and gives the same losses."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

PROGRAM = """
import LIBRARY as torch
from LIBRARY import nn
import LIBRARY.nn.functional as F
from LIBRARY.optim import AdamW
from LIBRARY.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(12, 32)
        self.act = nn.ReLU()
        self.fc2 = nn.Linear(32, 3)

    def forward(self, x):
        return self.fc2(self.act(self.fc1(x)))


net = Net()
net.load_state_dict({k: torch.tensor(v) for k, v in weights.items()})
optimizer = AdamW(net.parameters(), lr=1e-2)
loader = DataLoader(TensorDataset(torch.tensor(x), torch.tensor(y)), batch_size=16)
losses = []
while len(losses) < 20:
    for inputs, targets in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(net(inputs), targets)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

torch.save(net.state_dict(), path)
again = Net()
again.load_state_dict(torch.load(path))
again.eval()
with torch.no_grad():
    prediction = again(torch.tensor(x)).argmax(dim=1).tolist()
"""


def test_only_the_import_line_changes(tmp_path):
    random = np.random.default_rng(0)
    x = random.standard_normal((64, 12)).astype(np.float32)
    y = random.integers(0, 3, 64)
    weights = {
        "fc1.weight": random.uniform(-0.3, 0.3, (32, 12)).astype(np.float32),
        "fc1.bias": random.uniform(-0.3, 0.3, 32).astype(np.float32),
        "fc2.weight": random.uniform(-0.2, 0.2, (3, 32)).astype(np.float32),
        "fc2.bias": random.uniform(-0.2, 0.2, 3).astype(np.float32),
    }
    results = []
    for library in ("weft", "torch"):
        scope = {"x": x, "y": y, "weights": weights, "path": tmp_path / library}
        exec(PROGRAM.replace("LIBRARY", library), scope)
        results.append(scope)
    ours, theirs = results
    assert len(ours["losses"]) == 20 and ours["losses"][-1] < ours["losses"][0]
    np.testing.assert_allclose(ours["losses"], theirs["losses"], atol=1e-5, rtol=0)
    assert ours["prediction"] == theirs["prediction"]
