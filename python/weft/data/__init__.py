"""Datasets and batches."""

from weft.data.dataset import ArrayDataset, ConcatDataset, Dataset, Subset, TensorDataset, random_split
from weft.data.loader import DataLoader, default_collate

__all__ = [
    "ArrayDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "Subset",
    "TensorDataset",
    "default_collate",
    "random_split",
]
