"""A convolutional autoencoder on the digits: 64 pixels through 8 numbers and back, drawn in the terminal."""

import argparse

import weft
from weft import nn
from weft.data import DataLoader
from weft.optim import Adam


class Autoencoder(nn.Module):
    def __init__(self, code: int = 8):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1),  # 8 x 8 -> 4 x 4
            nn.SiLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),  # -> 2 x 2
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(128, code),
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, 128),
            nn.Unflatten(1, (32, 2, 2)),
            nn.SiLU(),
            nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),  # -> 4 x 4
            nn.SiLU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),  # -> 8 x 8
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def draw(image):
    return ["".join(" .:-=+*#%@"[min(int(v * 10), 9)] * 2 for v in row) for row in image.tolist()]


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--steps", type=int, default=1500)
steps = parser.parse_args().steps

weft.manual_seed(0)
digits = weft.datasets.digits()
loader = DataLoader(digits.train_images, batch_size=64, shuffle=True)
net = Autoencoder()
optimizer = Adam(net.parameters(), lr=3e-3)
loss_function = nn.MSELoss()

step = 0
while step < steps:
    for (images,) in loader:
        loss = loss_function(net(images), images)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if step % 250 == 0:
            print(f"step {step}: loss {loss.item():.4f}")
        if step == steps:
            break

net.eval()
with weft.no_grad():
    back = net(digits.test_images)
    print(f"held-out loss {loss_function(back, digits.test_images).item():.4f}; an image and what came back:")
for left, right in zip(draw(digits.test_images[0, 0]), draw(back[0, 0]), strict=True):
    print(left, "|", right)
