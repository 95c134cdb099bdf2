"""Public data sets through torchvision, which knows their addresses and checksums.

Nothing is fetched unless it is asked for (`--loader.download`). The official split is kept as it is.
"""

import contextlib
import hashlib
import os
import pickle
import socket
import urllib.error
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import check_integrity, download_and_extract_archive

from torchworks.shared.config import ImageConfig, UserError, nearest
from torchworks.shared.data.arrays import ArrayDataset
from torchworks.shared.data.dataset import nbytes
from torchworks.shared.data.images import FileDataset
from torchworks.shared.data.schema import Dataset, image_schema
from torchworks.shared.data.source import Source
from torchworks.shared.data.split import fingerprint

_PATIENCE = 30  # seconds without an answer
_EAGER_LIMIT = 1 << 30  # bytes up to which a set is brought to its size at once

Arrays = tuple[Tensor, Tensor]  # images uint8 (N, C, H, H), labels int64 (N,)


def open_torchvision(name: str, config: ImageConfig) -> Source:
    """Open MNIST, FashionMNIST, CIFAR10, SVHN or CelebA (faces without labels).

    Raises `UserError` if the files are not there, are damaged, or cannot be fetched.
    """
    if name not in _SETS:
        raise UserError(f"torchvision:{name} is not supported.{nearest(name, _SETS)} Known: {', '.join(_SETS)}.")
    licence, opener = _SETS[name]
    root = config.root.expanduser()
    with _failures_explained(name, root, config.download), _one_at_a_time(root, config.download):
        train, test, mark = opener(root, config)
    return Source(name, licence, train, test, train.schema, mark)


def _from_arrays(
    parts: Callable[[Path, bool], tuple[Arrays, Arrays, tuple[str, ...]]],
) -> Callable[[Path, ImageConfig], tuple[Dataset, Dataset, str]]:
    """An opener for a set that torchvision hands over as arrays."""

    def opener(root: Path, config: ImageConfig) -> tuple[Dataset, Dataset, str]:
        *arrays, classes = parts(root, config.download)
        schema = image_schema(config.channels or arrays[0][0].shape[1], config.image_size, classes)
        train, test = (ArrayDataset(images, labels, schema) for images, labels in arrays)
        mark = fingerprint(*([_digest(images), *labels.tolist()] for images, labels in arrays))
        if nbytes(train) + nbytes(test) > _EAGER_LIMIT:
            return train, test, mark
        return train.resident(), test.resident(), mark

    return opener


def _digest(images: Tensor) -> str:
    return hashlib.sha256(images.contiguous().numpy()).hexdigest()


def _mnist(kind: type[datasets.MNIST]) -> Callable[[Path, bool], tuple[Arrays, Arrays, tuple[str, ...]]]:
    def parts(root: Path, download: bool) -> tuple[Arrays, Arrays, tuple[str, ...]]:
        train, test = (kind(str(root), train=train, download=download) for train in (True, False))
        names = tuple(name.split(" - ")[0] for name in train.classes)
        return (train.data[:, None], train.targets), (test.data[:, None], test.targets), names

    return parts


def _svhn(root: Path, download: bool) -> tuple[Arrays, Arrays, tuple[str, ...]]:
    folder = str(root / "SVHN")
    train, test = (datasets.SVHN(folder, split=split, download=download) for split in ("train", "test"))
    first, second = ((torch.from_numpy(part.data), torch.from_numpy(part.labels)) for part in (train, test))
    return first, second, tuple("0123456789")


# ----------------------------------------------------------------------------------------------------- CIFAR-10


class _ArraysOnly(pickle.Unpickler):
    """CIFAR-10 comes as pickled arrays. This reads arrays and plain data; anything that could run code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ARRAYS:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of arrays")
        return _ARRAYS[module, name]


_ARRAYS = {
    ("numpy.core.multiarray", "_reconstruct"): np.ndarray(0).__reduce__()[0],
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def _cifar10(root: Path, download: bool) -> tuple[Arrays, Arrays, tuple[str, ...]]:
    cls = datasets.CIFAR10
    folder = root / cls.base_folder
    meta = (cls.meta["filename"], cls.meta["md5"])
    files = [*cls.train_list, *cls.test_list, meta]

    def whole() -> bool:
        return all(check_integrity(str(folder / name), md5) for name, md5 in files)

    if download and not whole():
        download_and_extract_archive(cls.url, str(root), filename=cls.filename, md5=cls.tgz_md5)
    if not whole():
        raise RuntimeError("Dataset not found or corrupted")
    names = _unpickled(folder / meta[0])[cls.meta["key"]]
    return _cifar_part(folder, cls.train_list), _cifar_part(folder, cls.test_list), tuple(names)


def _cifar_part(folder: Path, files: list[list[str]]) -> Arrays:
    entries = [_unpickled(folder / name) for name, _ in files]
    images = np.concatenate([entry["data"] for entry in entries]).reshape(-1, 3, 32, 32)
    return torch.from_numpy(images), torch.tensor([label for entry in entries for label in entry["labels"]])


def _unpickled(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        return _ArraysOnly(stream, encoding="latin1").load()


# ------------------------------------------------------------------------------------------------------- CelebA


def _celeba(root: Path, config: ImageConfig) -> tuple[Dataset, Dataset, str]:
    """Its parts 0 (train) and 2 (test); part 1, for validation, stays unused."""
    faces = datasets.CelebA(str(root), split="all", target_type="identity", download=config.download)
    base = root / faces.base_folder
    lines = (base / "list_eval_partition.txt").read_text().split("\n")
    part = dict(line.split() for line in lines if line)
    schema = image_schema(config.channels or 3, config.image_size)
    train, test = (
        FileDataset([base / "img_align_celeba" / name for name in faces.filename if part[name] == number], None, schema)
        for number in ("0", "2")
    )
    return train, test, fingerprint(*faces.file_list)


_SETS: dict[str, tuple[str, Callable[[Path, ImageConfig], tuple[Dataset, Dataset, str]]]] = {
    "MNIST": ("CC BY-SA 3.0 (LeCun, Cortes and Burges)", _from_arrays(_mnist(datasets.MNIST))),
    "FashionMNIST": ("MIT (Zalando SE)", _from_arrays(_mnist(datasets.FashionMNIST))),
    "CIFAR10": ("none stated (Krizhevsky 2009)", _from_arrays(_cifar10)),
    "SVHN": ("non-commercial use only (Netzer et al. 2011)", _from_arrays(_svhn)),
    "CelebA": ("non-commercial research only (Liu et al. 2015)", _celeba),
}


# ----------------------------------------------------------------------------------------------------- failures


@contextlib.contextmanager
def _one_at_a_time(root: Path, download: bool) -> Generator[None]:
    """Of several processes that want to fetch, one does and the others wait and find the files there."""
    if not download:
        yield
        return
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        if os.name == "posix":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        before = socket.getdefaulttimeout()
        socket.setdefaulttimeout(_PATIENCE)  # torchvision sets none and would wait forever
        try:
            yield
        finally:
            socket.setdefaulttimeout(before)


@contextlib.contextmanager
def _failures_explained(name: str, root: Path, download: bool) -> Generator[None]:
    """Turn what torchvision and the network raise into one paragraph."""
    try:
        yield
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise UserError(_unreachable(name, root, str(getattr(error, "reason", error)))) from error
    except OSError as error:
        raise UserError(f"{name} could not be stored in {root} or read from there: {error}.") from error
    except (RuntimeError, ValueError, LookupError, AssertionError, EOFError, pickle.UnpicklingError) as error:
        raise UserError(_unusable(name, root, download, " ".join(str(error).split()))) from error


def _unreachable(name: str, root: Path, reason: str) -> str:
    return (
        f"{name} could not be fetched: {reason}. Is there a network? Otherwise put its files into {root} by hand, "
        "named and unpacked as torchvision does; `--data digits` needs neither."
    )


def _unusable(name: str, root: Path, download: bool, reason: str) -> str:
    if "error downloading" in reason.lower():  # MNIST's mirrors, all of them tried
        return _unreachable(name, root, reason)
    if "not found" in reason.lower() and not download:
        return (
            f"{name} is not in {root}, or not whole. Fetch it with --loader.download (needs a network), put its files "
            "there by hand (named and unpacked as torchvision does), or say where they are with --loader.root."
        )
    what = "fetched" if download else "read"
    return f"{name} could not be {what}: {reason or 'its files are cut short'}. Delete its files in {root} and retry."
