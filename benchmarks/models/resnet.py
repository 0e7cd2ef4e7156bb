"""Residual networks, a generator and a U-Net out of m's modules."""

from __future__ import annotations

from itertools import pairwise


def unit(m, c_in, c_out, kernel, stride=1, activated=True):
    conv = m.nn.Conv2d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [conv, m.nn.BatchNorm2d(c_out)] + ([m.nn.ReLU()] if activated else [])


def residual(m, units, c_in, c_out, stride):
    class Residual(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = m.nn.Sequential(*units)
            straight = stride == 1 and c_in == c_out
            self.short = None if straight else m.nn.Sequential(*unit(m, c_in, c_out, 1, stride, activated=False))
            self.relu = m.nn.ReLU()

        def forward(self, x):
            return self.relu(self.body(x) + (x if self.short is None else self.short(x)))

    return Residual()


def resnet18(m, classes=10):
    """The form for images of 32 x 32: a stem of 3 x 3 and no pooling before the first stage."""
    layers, c_in = unit(m, 3, 64, 3), 64
    for stage, c in enumerate((64, 128, 256, 512)):
        for stride in (1, 1) if stage == 0 else (2, 1):
            units = unit(m, c_in, c, 3, stride) + unit(m, c, c, 3, activated=False)
            layers.append(residual(m, units, c_in, c, stride))
            c_in = c
    return m.nn.Sequential(*layers, m.nn.AdaptiveAvgPool2d(1), m.nn.Flatten(), m.nn.Linear(512, classes))


def resnet50(m, classes=1000):
    layers, c_in = [*unit(m, 3, 64, 7, 2), m.nn.MaxPool2d(3, 2, 1)], 64
    for stage, (c, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for i in range(blocks):
            stride = 2 if stage > 0 and i == 0 else 1
            units = unit(m, c_in, c, 1) + unit(m, c, c, 3, stride) + unit(m, c, 4 * c, 1, activated=False)
            layers.append(residual(m, units, c_in, 4 * c, stride))
            c_in = 4 * c
    return m.nn.Sequential(*layers, m.nn.AdaptiveAvgPool2d(1), m.nn.Flatten(), m.nn.Linear(c_in, classes))


def generator(m, noise=100, c=64):
    """DCGAN's, from noise to an image of 64 x 64."""
    layers, c_in = [], noise
    for i, c_out in enumerate((8 * c, 4 * c, 2 * c, c)):
        up = m.nn.ConvTranspose2d(c_in, c_out, 4, *((1, 0) if i == 0 else (2, 1)), bias=False)
        layers += [up, m.nn.BatchNorm2d(c_out), m.nn.ReLU()]
        c_in = c_out
    return m.nn.Sequential(*layers, m.nn.ConvTranspose2d(c, 3, 4, 2, 1, bias=False), m.nn.Tanh())


def unet(m, classes=2, widths=(32, 64, 128)):
    def double(c_in, c_out):
        return m.nn.Sequential(*unit(m, c_in, c_out, 3), *unit(m, c_out, c_out, 3))

    class UNet(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.down = m.nn.ModuleList(double(a, b) for a, b in pairwise((3, *widths)))
            self.up = m.nn.ModuleList(m.nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(widths))
            self.merge = m.nn.ModuleList(double(2 * a, a) for a in widths[:-1])
            self.pool = m.nn.MaxPool2d(2)
            self.head = m.nn.Conv2d(widths[0], classes, 1)

        def forward(self, x):
            kept = []
            for i, down in enumerate(self.down):
                x = down(x if i == 0 else self.pool(x))
                kept.append(x)
            for i in reversed(range(len(self.up))):
                x = self.merge[i](m.cat([kept[i], self.up[i](x)], 1))
            return self.head(x)

    return UNet()
