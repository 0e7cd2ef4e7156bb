"""Convolutional networks: training and inference."""

import numpy as np

from benchmarks.harness import bench, randn
from benchmarks.models import in_jax, resnet
from benchmarks.models.parts import inference_case, training_case


def labels(*shape, classes):
    return np.random.default_rng(1).integers(0, classes, shape)


@bench([{"batch": 16}, {"batch": 16, "recorded": True}])
def resnet18_train(batch, recorded=False):
    inputs = [randn(batch, 3, 32, 32), labels(batch, classes=10)]
    return training_case(resnet.resnet18, inputs, optimizer="SGD", momentum=0.9, recorded=recorded)


@bench([{"batch": 1}, {"batch": 1, "recorded": True}])
def resnet18_predict(batch, recorded=False):
    theirs = in_jax.predict(resnet.resnet18, in_jax.resnet18)
    return inference_case(resnet.resnet18, [randn(batch, 3, 32, 32)], jax=theirs, recorded=recorded)


@bench([{"batch": 1}, {"batch": 1, "recorded": True}])
def resnet50_predict(batch, recorded=False):
    return inference_case(resnet.resnet50, [randn(batch, 3, 224, 224)], recorded=recorded)


def squares(m, net, noise, target):
    return m.nn.functional.mse_loss(net(noise), target)


@bench(batch=[16])
def dcgan_generator_train(batch):
    inputs = [randn(batch, 100, 1, 1), randn(batch, 3, 64, 64, seed=1)]
    return training_case(resnet.generator, inputs, loss=squares, optimizer="Adam")


@bench([{"batch": 2, "image": 96}])
def unet_train(batch, image):
    return training_case(resnet.unet, [randn(batch, 3, image, image), labels(batch, image, image, classes=2)])
