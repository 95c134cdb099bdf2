"""All of the data of a source, to score a trained model by: a user's own file needs no part for training then."""

from collections.abc import Callable

from torchworks.seq_models.data.jsonl_files import whole_jsonl
from torchworks.seq_models.data.pair_files import whole_pairs
from torchworks.seq_models.data.text_files import whole_text
from torchworks.shared.config import LoaderConfig
from torchworks.shared.data import Dataset, Field, Source, open_source
from torchworks.shared.data.text_tables import whole_text_table

OWN: dict[str, Callable[[str, LoaderConfig], Source]] = {
    "csv": whole_text_table,
    "jsonl": whole_jsonl,
    "text": whole_text,
    "tsv": whole_pairs,
}
"""Sources of a user's own files, by the names before their colons."""


def open_whole(spec: str, config: LoaderConfig, seed: int, *fields: str) -> tuple[list[Dataset], tuple[Field, ...]]:
    """The data sets that have all samples of the source `spec`, and the `fields` that they have. Raises `UserError` as
    `open_source` does, but not for a file of few rows, and if a field is missing."""
    kind, _, rest = spec.partition(":")
    if kind in OWN and rest:
        source = OWN[kind](rest, config)
        return [source.train], source.need(*fields)
    source = open_source(spec, config, seed)
    return [source.train, source.test], source.need(*fields)
