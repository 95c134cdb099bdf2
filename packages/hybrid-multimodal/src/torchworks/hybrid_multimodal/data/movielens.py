"""The data source `ml-100k`: 100,000 ratings of 1,682 films by 943 people (MovieLens 100K, GroupLens 1998).

The files lie in the package recbole, which is installed by the extra `hybrid-multimodal[recommend]`, and are read where
they lie: the package is never imported. Harper and Konstan 2015, "The MovieLens Datasets: History and Context".

Half of the neighboring events of a person bear the same second, so which film came last is half arbitrary: events of a
second keep the order of the file.
"""

from pathlib import Path

import numpy as np

from torchworks.hybrid_multimodal.data.interactions import Catalogue, Log, as_source, described, of_interactions
from torchworks.shared.config import LoaderConfig, UserError
from torchworks.shared.data import CheckedOpener, Report, Source
from torchworks.shared.data.findings import Finding, graded
from torchworks.shared.data.packaged import packaged_file

NAME = "ml-100k"
LICENCE = (
    "MovieLens 100K, GroupLens Research, University of Minnesota: for research only; no commercial use and no "
    "redistribution without permission; publications cite Harper and Konstan 2015 (doi 10.1145/2827872)"
)
FOLDER = "recbole/dataset_example/ml-100k"
WRONG_TITLES = {1412: ("Land Before Time III: The Time of the Great Giving", 1995), 267: ("unknown", 0)}
"""Items whose line is spoiled in the file."""


def open_ml100k(rest: str, config: LoaderConfig, seed: int) -> Source:
    """The source, for an entry point. Raises `UserError` if the extra is not installed."""
    if rest:
        raise UserError(f"The data source '{NAME}' takes nothing after a colon; '{NAME}:{rest}' was given.")
    of_interactions(config, NAME)
    return as_source(NAME, LICENCE, read_ml100k(), config)


def check_ml100k(spec: str, config: LoaderConfig, seed: int) -> Report:
    """What the files hold, and the terms of their use."""
    source = open_ml100k(spec.partition(":")[2], config, seed)
    found = [*described(read_ml100k(), source), Finding("warning", f"Licence: {LICENCE}.")]
    return Report(spec, graded(found), source)


def read_ml100k() -> Log:
    """All events; the number of a user and an item is its token."""
    rows = np.loadtxt(_file("inter"), skiprows=1, delimiter="\t", dtype=np.float64)
    users, items, ratings, times = rows.T
    return Log(users.astype(np.int64), items.astype(np.int64), times.astype(np.int64), ratings, _catalogue())


def _catalogue() -> Catalogue:
    lines = [line.split("\t") for line in _file("item").read_text(encoding="utf-8").splitlines()[1:]]
    lines.sort(key=lambda cells: int(cells[0]))
    titles, years = [], []
    for token, title, year, _ in lines:
        title, known = WRONG_TITLES.get(int(token), (title, int(year) if year.isdecimal() else 0))
        titles.append(title)
        years.append(known)
    genres = tuple(tuple(cells[3].split()) for cells in lines)
    people = _file("user").read_text(encoding="utf-8").splitlines()[1:]
    users = sorted((line.split("\t")[0] for line in people), key=int)
    return Catalogue(tuple(users), tuple(cells[0] for cells in lines), tuple(titles), genres, tuple(years))


def _file(kind: str) -> Path:
    """Raises `UserError` that names the extra if the package is not there."""
    return packaged_file(
        "recbole", f"{FOLDER}/{NAME}.{kind}", said=f"The data '{NAME}' lie", extra="hybrid-multimodal[recommend]",
        instead="a table of your own: --data ratings:FILE.csv", version="1.2.1",
    )  # fmt: skip


ML100K = CheckedOpener(open_ml100k, check_ml100k)
