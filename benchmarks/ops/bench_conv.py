from benchmarks.harness import Case, bench, randn, torch
from weft import _core as F

# images, channels, outputs, size, kernel, stride, groups
LAYERS = [
    (64, 1, 16, 8, 3, 1, 1),  # digits
    (64, 16, 32, 8, 3, 1, 1),
    (16, 64, 64, 32, 3, 1, 1),  # ResNet-18 on images of 32x32
    (16, 64, 128, 32, 3, 2, 1),
    (16, 128, 128, 16, 3, 1, 1),
    (16, 256, 256, 8, 3, 1, 1),
    (16, 512, 512, 4, 3, 1, 1),
    (1, 64, 64, 32, 3, 1, 1),
    (4, 3, 64, 224, 7, 2, 1),  # ResNet
    (4, 64, 64, 56, 3, 1, 1),
    (4, 64, 256, 56, 1, 1, 1),
    (4, 128, 128, 56, 3, 2, 1),
    (4, 128, 128, 28, 3, 1, 1),
    (4, 256, 256, 14, 3, 1, 1),
    (4, 512, 512, 7, 3, 1, 1),
    (4, 96, 96, 56, 3, 1, 96),  # depthwise
    (16, 144, 144, 56, 3, 2, 144),
    (16, 576, 576, 14, 3, 1, 576),
    (4, 384, 384, 14, 5, 1, 384),
    (4, 3, 384, 224, 16, 16, 1),  # patches
]
VARIANTS = [
    dict(zip(("images", "channels", "outputs", "size", "kernel", "stride", "groups"), layer, strict=True))
    for layer in LAYERS
]


def layer_case(images, channels, outputs, size, kernel, stride, groups, **functions):
    padding = kernel // 2 if kernel < 16 else 0
    out = (size + 2 * padding - kernel) // stride + 1
    terms = channels // groups * kernel * kernel
    return Case(
        inputs=[randn(images, channels, size, size), randn(outputs, channels // groups, kernel, kernel, seed=1)],
        flops=2 * images * outputs * out * out * terms,
        bytes=4 * images * (channels * size * size + outputs * out * out),
        terms=terms,
        rtol=1e-4 if (kernel, stride, groups) == (3, 1, 1) else None,  # Winograd's: docs/differences.md
        **functions,
    ), {"stride": stride, "padding": padding, "groups": groups}


@bench(VARIANTS)
def conv2d(**layer):
    case, options = layer_case(**layer)
    case.weft = lambda x, w: F.conv2d(x, w, **options)
    case.torch = lambda x, w: torch.nn.functional.conv2d(x, w, **options)
    return case


def train(conv, **options):
    """Forward, and the gradients of input and weight."""

    def step(x, w):
        x.grad = w.grad = None
        conv(x, w, **options).sum().backward()
        return x.grad, w.grad

    return step


@bench(VARIANTS)
def conv2d_train(**layer):
    case, options = layer_case(**layer, grad=[0, 1])
    case.flops *= 3
    case.terms *= 1024
    case.weft = train(F.conv2d, **options)
    case.torch = lambda x, w: train(torch.nn.functional.conv2d, **options)(x, w)
    return case


@bench(channels=[64, 256], size=[8, 32])
def conv_transpose2d(channels, size):
    return Case(
        inputs=[randn(8, channels, size, size), randn(channels, channels // 2, 4, 4, seed=1)],
        weft=lambda x, w: F.conv_transpose2d(x, w, stride=2, padding=1),
        torch=lambda x, w: torch.nn.functional.conv_transpose2d(x, w, stride=2, padding=1),
        flops=2 * 8 * channels * size * size * (channels // 2) * 16,
        terms=4 * channels,
    )


@bench(channels=[3, 32], size=[8, 28])
def conv3d(channels, size):
    return Case(
        inputs=[randn(2, channels, size // 2, size, size), randn(32, channels, 3, 3, 3, seed=1)],
        weft=lambda x, w: F.conv3d(x, w, padding=1),
        torch=lambda x, w: torch.nn.functional.conv3d(x, w, padding=1),
        flops=2 * 2 * 32 * size**3 // 2 * channels * 27,
        terms=27 * channels,
    )
