"""A two-layer network on the handwritten digits: the shortest whole program.

Written for PyTorch, it would differ in its import lines and in where the digits come from.
"""

import argparse

import weft
import weft.nn.functional as F
from weft import nn
from weft.data import DataLoader, TensorDataset
from weft.optim import AdamW


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=1000)
steps = parser.parse_args().steps

weft.manual_seed(0)
digits = weft.datasets.digits()
loader = DataLoader(TensorDataset(digits.train_images, digits.train_labels), batch_size=64, shuffle=True)
net = Net()
optimizer = AdamW(net.parameters(), lr=2e-3)

step = 0
while step < steps:
    for images, labels in loader:
        loss = F.cross_entropy(net(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}")
        if step == steps:
            break

net.eval()
with weft.no_grad():
    right = (net(digits.test_images).argmax(1) == digits.test_labels).float().mean()
print(f"held-out accuracy {right.item():.2%}")

weft.save(net.state_dict(), "digits_mlp.safetensors")
net.load_state_dict(weft.load("digits_mlp.safetensors"))
