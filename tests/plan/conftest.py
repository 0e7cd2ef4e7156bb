import warnings

import pytest

import weft
from weft import nn
from weft.compiler import ReplayWarning


@pytest.fixture(autouse=True)
def no_surprise():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ReplayWarning)
        yield


@pytest.fixture
def model():
    weft.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
