"""Exercises of lesson 6, loaders. Put your code where `...` stands, then: make check-lesson NAME=loaders"""

from torch import Tensor


def split_by_group(groups: list[str], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """The numbers (train, test) of samples, ascending, such that no group (a patient, say) is on both sides.

    `groups` names the group of each sample. About `fraction` of the **groups**, at least one, goes to the test part;
    which ones, the seed decides: the same seed gives the same split, and other seeds give others.
    """
    ...


def pad_collate(samples: list[Tensor]) -> tuple[Tensor, Tensor]:
    """A batch of sequences of different lengths, filled up with 0 behind, (N, longest), and their lengths, (N,) int64.

    Without `pad_sequence`.
    """
    ...


def scale_parts(train: Tensor, test: Tensor) -> tuple[Tensor, Tensor]:
    """Both tables scaled such that each column of the training part has mean 0 and standard deviation 1."""
    ...
