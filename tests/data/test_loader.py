from itertools import chain

import numpy as np
import pytest

import weft
from weft.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset, default_collate, random_split

N = 23


@pytest.fixture
def dataset():
    return TensorDataset(weft.arange(N).float().reshape(N, 1), np.arange(N))


class Plain(Dataset):
    def __len__(self):
        return N

    def __getitem__(self, i):
        return {"x": np.full(2, i, np.float32), "label": i, "name": str(i), "pair": (weft.tensor(i), 0.5)}


def flat(lists):
    return list(chain.from_iterable(lists))


def labels(loader):
    return [y.tolist() for _, y in loader]


@pytest.mark.parametrize("batch_size", [1, 5, 23, 100])
@pytest.mark.parametrize("drop_last", [True, False])
def test_in_order(dataset, batch_size, drop_last):
    loader = DataLoader(dataset, batch_size, drop_last=drop_last)
    got = labels(loader)
    assert len(got) == len(loader) == (N // batch_size if drop_last else -(-N // batch_size))
    assert flat(got) == list(range(len(flat(got))))
    for x, y in loader:
        assert x.reshape(-1).tolist() == y.tolist()


def test_batches_in_order_are_views(dataset):
    x, _ = next(iter(DataLoader(dataset, 5)))
    assert x.data_ptr() == dataset.tensors[0].data_ptr()


def test_shuffling_is_a_function_of_seed_and_epoch(dataset):
    a, b = DataLoader(dataset, 5, shuffle=True, seed=3), DataLoader(dataset, 5, shuffle=True, seed=3)
    first, second = labels(a), labels(a)
    assert first != second and sorted(flat(first)) == list(range(N))
    assert (labels(b), labels(b)) == (first, second)
    assert labels(DataLoader(dataset, 5, shuffle=True, seed=4)) != first
    for x, y in a:
        assert x.reshape(-1).tolist() == y.tolist()
    one_by_one = flat(labels(DataLoader(dataset, 1, shuffle=True, seed=3)))
    assert one_by_one == flat(first)


def test_without_a_seed_the_global_one_decides(dataset):
    def run():
        weft.manual_seed(5)
        return labels(DataLoader(dataset, 5, shuffle=True))

    assert run() == run()
    g = weft.Generator()
    g.manual_seed(1)
    once = labels(DataLoader(dataset, 5, shuffle=True, generator=g))
    g.manual_seed(1)
    assert labels(DataLoader(dataset, 5, shuffle=True, generator=g)) == once


def test_breaking_off_starts_a_new_epoch(dataset):
    loader = DataLoader(dataset, 5, shuffle=True, seed=0)
    first = next(iter(loader))[1].tolist()
    again = labels(loader)
    assert len(again) == len(loader) and again[0] != first


def test_resume_in_the_middle_of_an_epoch(dataset):
    straight = DataLoader(dataset, 5, shuffle=True, seed=7)
    whole = labels(straight) + labels(straight)

    loader = DataLoader(dataset, 5, shuffle=True, seed=7)
    seen = []
    for i, (_, y) in enumerate(loader):
        seen.append(y.tolist())
        if i == 2:
            state = loader.state_dict()
            break
    resumed = DataLoader(dataset, 5, shuffle=True)
    resumed.load_state_dict(state)
    assert seen + labels(resumed) + labels(resumed) == whole
    assert resumed.state_dict() == {"seed": 7, "epoch": 2, "position": 0}


def test_plain_datasets_are_collated():
    loader = DataLoader(Plain(), batch_size=4, shuffle=True, seed=1)
    batches = list(loader)
    assert len(batches) == 6 and set(batches[0]) == {"x", "label", "name", "pair"}
    b = batches[0]
    assert b["x"].shape == (4, 2) and b["x"].dtype == weft.float32 and b["label"].dtype == weft.int64
    assert b["name"] == [str(i) for i in b["label"].tolist()]
    assert b["pair"][0].tolist() == b["label"].tolist() and b["pair"][1].dtype == weft.float64
    assert sorted(i for b in batches for i in b["label"].tolist()) == list(range(N))


def test_collate_fn_samplers_and_lists(dataset):
    assert list(DataLoader(range(5), 2, collate_fn=sum)) == [1, 5, 4]
    assert labels(DataLoader(dataset, 2, sampler=[3, 1, 2])) == [[3, 1], [2]]
    loader = DataLoader(dataset, batch_sampler=[[0, 5], [7]])
    assert len(loader) == 2 and labels(loader) == [[0, 5], [7]]
    assert list(DataLoader([1.5, 2.5], batch_size=None)) == [1.5, 2.5]
    x = np.arange(6).reshape(3, 2)
    assert [b[0].tolist() for b in DataLoader(x, 2)] == [[[0, 1], [2, 3]], [[4, 5]]]
    assert [b[1].tolist() for b in DataLoader((x, x[:, 0]), 3)] == [[0, 2, 4]]


@pytest.mark.parametrize("lengths", [[10, 13], [0.5, 0.5], [0.3, 0.3, 0.4], [23, 0]])
def test_random_split(dataset, lengths):
    g = weft.Generator()
    g.manual_seed(2)
    parts = random_split(dataset, lengths, generator=g)
    assert sorted(i for p in parts for i in p.indices) == list(range(N))
    if isinstance(lengths[0], int):
        assert [len(p) for p in parts] == lengths
    x, y = next(iter(DataLoader(parts[0], 4, shuffle=True, seed=0)))
    assert x.reshape(-1).tolist() == y.tolist() and set(y.tolist()) <= set(parts[0].indices)
    assert parts[0][0][1].item() == parts[0].indices[0]


def test_subset_and_concat(dataset):
    both = dataset + Subset(dataset, [5, 6])
    assert len(both) == N + 2 and both[N][1].item() == 5 and both[-1][1].item() == 6
    assert isinstance(both, ConcatDataset)
    with pytest.raises(IndexError):
        both[N + 2]
    assert flat(labels(DataLoader(both, 4)))[-2:] == [5, 6]


def test_errors(dataset):
    with pytest.raises(ValueError, match="Size mismatch"):
        TensorDataset(weft.zeros(3), weft.zeros(4))
    with pytest.raises(ValueError):
        TensorDataset()
    with pytest.raises(ValueError):
        TensorDataset(weft.tensor(1.0))
    for bad in (0, -1, 1.5):
        with pytest.raises(ValueError, match="batch_size"):
            DataLoader(dataset, bad)
    with pytest.raises(ValueError, match="exclusive"):
        DataLoader(dataset, sampler=[1], shuffle=True)
    with pytest.raises(ValueError, match="exclusive"):
        DataLoader(dataset, 2, batch_sampler=[[1]])
    with pytest.raises(ValueError, match="both"):
        DataLoader(dataset, shuffle=True, seed=1, generator=weft.Generator())
    with pytest.raises(ValueError, match="Sum of input lengths"):
        random_split(dataset, [1, 2])
    with pytest.raises(TypeError, match="found"):
        default_collate([object()])
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([(1,), (1, 2)])


def test_pytorchs_import_path():
    from weft.utils.data import DataLoader as other

    assert other is DataLoader
