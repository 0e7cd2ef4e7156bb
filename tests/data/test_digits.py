import hashlib

import numpy as np

import weft


def test_digits():
    d = weft.datasets.digits()
    assert d.train_images.shape == (1438, 1, 8, 8) and d.test_images.shape == (359, 1, 8, 8)
    assert d.train_images.dtype == weft.float32 and d.train_labels.dtype == weft.int64
    assert len(d.train_labels) == 1438 and len(d.test_labels) == 359
    images = np.concatenate([d.train_images.numpy(), d.test_images.numpy()])
    labels = np.concatenate([d.train_labels.numpy(), d.test_labels.numpy()])
    assert images.min() == 0 and images.max() == 1 and set(np.unique(images * 16)) == set(range(17))
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_held_out_part_never_changes():
    d = weft.datasets.digits()
    pixels = (d.test_images.numpy() * 16).astype(np.uint8).tobytes() + d.test_labels.numpy().astype(np.uint8).tobytes()
    assert hashlib.sha256(pixels).hexdigest() == "1ebd68d6a2455404674c9d111012d7d1571fe4b537a5e467e08fd10e7b7b0b47"


def test_no_held_out_image_is_trained_on():
    d = weft.datasets.digits()
    train = {x.tobytes() for x in d.train_images.numpy()}
    assert not any(x.tobytes() in train for x in d.test_images.numpy())
