"""Public sets: fetched from a server on this machine by torchvision's own code, or refused in words."""

import functools
import gzip
import hashlib
import http.server
import pickle
import struct
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from torchworks.shared.config import ImageConfig, UserError
from torchworks.shared.data import ArrayDataset, FileDataset, TensorDataset, downloads, nbytes, open_source

CHANCE = np.random.default_rng(0)
DIGITS = CHANCE.integers(0, 256, (20, 28, 28), dtype=np.uint8)
COLOR = CHANCE.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder, and the address it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def config(tmp_path: Path, **options) -> ImageConfig:
    return ImageConfig(image_size=28, root=tmp_path / "root", **options)


def serve_mnist(folder: Path, address: str, monkeypatch) -> None:
    def idx(values: np.ndarray) -> bytes:
        return struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()

    labels = (np.arange(20) % 10).astype(np.uint8)
    contents = {
        "train-images-idx3": DIGITS, "train-labels-idx1": labels,
        "t10k-images-idx3": DIGITS[::-1], "t10k-labels-idx1": labels[::-1],
    }  # fmt: skip
    for name, values in contents.items():
        (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(idx(values)))
    resources = [(f"{name}-ubyte.gz", md5(folder / f"{name}-ubyte.gz")) for name in contents]
    monkeypatch.setattr(datasets.MNIST, "mirrors", [address])
    monkeypatch.setattr(datasets.MNIST, "resources", resources)


def test_mnist_is_fetched_once_checked_and_opened(served, tmp_path, monkeypatch):
    serve_mnist(*served, monkeypatch)
    source = open_source("torchvision:MNIST", config(tmp_path, download=True))
    assert isinstance(source.train, TensorDataset)
    assert torch.equal(source.train.tensors["image"][:, 0], torch.from_numpy(DIGITS))
    assert source.train.tensors["label"].tolist() == [*range(10), *range(10)]
    assert source.schema["label"].classes == tuple("0123456789")
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    again = open_source("torchvision:MNIST", config(tmp_path))
    assert again.fingerprint == source.fingerprint


def test_a_set_too_large_to_resize_at_once_is_resized_when_asked(served, tmp_path, monkeypatch):
    serve_mnist(*served, monkeypatch)
    eager = open_source("torchvision:MNIST", config(tmp_path, download=True, channels=3))
    monkeypatch.setattr(downloads, "_EAGER_LIMIT", 0)
    lazy = open_source("torchvision:MNIST", config(tmp_path, channels=3))
    assert isinstance(lazy.train, ArrayDataset)
    assert isinstance(eager.train, TensorDataset)
    assert torch.equal(lazy.train[3]["image"], eager.train[3]["image"])
    assert torch.equal(lazy.train.resident().tensors["image"], eager.train.tensors["image"])
    assert nbytes(lazy.train) == nbytes(eager.train)


def test_a_download_that_fails_its_checksum_is_not_used(served, tmp_path, monkeypatch):
    serve_mnist(*served, monkeypatch)
    wrong = [(name, "0" * 32) for name, _ in datasets.MNIST.resources]
    monkeypatch.setattr(datasets.MNIST, "resources", wrong)
    with pytest.raises(UserError, match=r"MNIST could not be fetched: .*corrupted"):
        open_source("torchvision:MNIST", config(tmp_path, download=True))


def test_without_a_network_it_says_so_and_what_works_without(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(UserError, match=r"MNIST could not be fetched: .*refused.*Is there a network.*--data digits"):
        open_source("torchvision:MNIST", config(tmp_path, download=True))


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST", "CIFAR10", "SVHN", "CelebA"])
def test_without_files_nothing_is_fetched_unless_asked(tmp_path, name):
    with pytest.raises(UserError, match=f"{name} is not in .*--loader.download.*--loader.root"):
        open_source(f"torchvision:{name}", config(tmp_path))
    assert not (tmp_path / "root").exists()


def test_files_cut_short_are_called_so(served, tmp_path, monkeypatch):
    serve_mnist(*served, monkeypatch)
    open_source("torchvision:MNIST", config(tmp_path, download=True))
    images = tmp_path / "root/MNIST/raw/train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"MNIST could not be read.*Delete its files"):
        open_source("torchvision:MNIST", config(tmp_path))


def python_2_pickle(images: np.ndarray, labels: list[int]) -> bytes:
    """A dict of an array and labels in the opcodes that Python 2 wrote, as the files of CIFAR-10 have it."""
    rows, columns = images.shape
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
    shape = b"(K\x01(" + b"".join(b"J" + struct.pack("<i", n) for n in (rows, columns)) + b"t"
    kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    body = b"\x89T" + struct.pack("<i", images.size) + images.tobytes() + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(U\x04data" + array + shape + kind + body + b"U\x06labels" + numbers + b"u."


def serve_cifar(folder: Path, address: str, monkeypatch, batch: bytes) -> None:
    inside = folder / "cifar-10-batches-py"
    inside.mkdir()
    (inside / "data_batch_1").write_bytes(batch)
    (inside / "test_batch").write_bytes(python_2_pickle(COLOR[::-1].reshape(10, -1), list(range(9, -1, -1))))
    (inside / "batches.meta").write_bytes(pickle.dumps({"label_names": [f"class {i}" for i in range(10)]}, 2))
    archive = folder / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(inside, "cifar-10-batches-py")
    patches = {
        "url": f"{address}cifar.tar.gz",
        "tgz_md5": md5(archive),
        "train_list": [["data_batch_1", md5(inside / "data_batch_1")]],
        "test_list": [["test_batch", md5(inside / "test_batch")]],
        "meta": {"filename": "batches.meta", "key": "label_names", "md5": md5(inside / "batches.meta")},
    }
    for name, value in patches.items():
        monkeypatch.setattr(datasets.CIFAR10, name, value)


def test_cifar_10_is_opened_as_torchvision_would(served, tmp_path, monkeypatch):
    serve_cifar(*served, monkeypatch, python_2_pickle(COLOR.reshape(10, -1), list(range(10))))
    options = ImageConfig(image_size=32, root=tmp_path / "root", download=True)
    source = open_source("torchvision:CIFAR10", options)
    theirs = datasets.CIFAR10(str(tmp_path / "root"))
    assert isinstance(source.train, TensorDataset)
    assert torch.equal(source.train.tensors["image"], torch.from_numpy(theirs.data).permute(0, 3, 1, 2))
    assert source.train.tensors["label"].tolist() == theirs.targets
    assert source.schema["label"].classes == tuple(theirs.classes)
    assert source.schema["image"].shape == (3, 32, 32)


def test_a_pickle_that_would_run_code_is_refused_even_with_the_right_checksum(served, tmp_path, monkeypatch):
    order = f"touch {tmp_path}/ran".encode()
    serve_cifar(*served, monkeypatch, b"cposix\nsystem\n(X" + struct.pack("<i", len(order)) + order + b"tR.")
    with pytest.raises(UserError, match=r"CIFAR10 could not be fetched: posix.system has no place"):
        open_source("torchvision:CIFAR10", config(tmp_path, download=True))
    assert not (tmp_path / "ran").exists()


def test_svhn_is_fetched_and_its_tens_are_zeros(served, tmp_path, monkeypatch):
    scipy_io = pytest.importorskip("scipy.io")
    folder, address = served
    parts = {}
    for part in ("train", "test"):
        file = folder / f"{part}_32x32.mat"
        scipy_io.savemat(file, {"X": COLOR.transpose(2, 3, 1, 0), "y": np.arange(1, 11, dtype=np.uint8)[:, None]})
        parts[part] = [f"{address}{file.name}", file.name, md5(file)]
    monkeypatch.setattr(datasets.SVHN, "split_list", parts)
    source = open_source("torchvision:SVHN", ImageConfig(image_size=32, root=tmp_path / "root", download=True))
    assert isinstance(source.train, TensorDataset)
    assert torch.equal(source.train.tensors["image"], torch.from_numpy(COLOR))
    assert source.train.tensors["label"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]


def place_celeba(base: Path, monkeypatch) -> None:
    (base / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06}.jpg" for i in range(1, 7)]
    for i, name in enumerate(names):
        pixels = np.random.default_rng(i).integers(0, 256, (218, 178, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(base / "img_align_celeba" / name)
    plain = {"list_eval_partition.txt": "0 0 0 1 2 2", "identity_CelebA.txt": "1 2 3 4 5 6"}
    for file, values in plain.items():
        lines = (f"{name} {value}" for name, value in zip(names, values.split(), strict=True))
        (base / file).write_text("\n".join(lines) + "\n")
    for file in ("list_attr_celeba.txt", "list_bbox_celeba.txt", "list_landmarks_align_celeba.txt"):
        (base / file).write_text("\n".join(["6", "one two", *(f"{name} 1 -1" for name in names)]) + "\n")
    listed = [("id", md5(file), file.name) for file in sorted(base.glob("*.txt"))]
    monkeypatch.setattr(datasets.CelebA, "file_list", [("id", "0" * 32, "img_align_celeba.zip"), *listed])


def test_celeba_s_files_put_there_by_hand_are_opened_with_its_own_split(tmp_path, monkeypatch):
    place_celeba(tmp_path / "root" / "celeba", monkeypatch)
    source = open_source("torchvision:CelebA", ImageConfig(image_size=16, root=tmp_path / "root"))
    assert isinstance(source.train, FileDataset)
    assert [file.name for file in source.train.files] == ["000001.jpg", "000002.jpg", "000003.jpg"]
    assert len(source.test) == 2
    assert source.test[0]["image"].shape == (3, 16, 16)
    assert "label" not in source.schema
