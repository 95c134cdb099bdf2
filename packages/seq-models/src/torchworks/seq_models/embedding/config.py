"""Configuration of the recipes of word vectors. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.seq_models.data.documents_config import LongTextConfig
from torchworks.shared.config import Amount, Config, Count, Positive, limited

Part = Annotated[float, *limited(0, 1, above=True)]


@dataclass(frozen=True)
class EmbeddingConfig(Config):
    """Word vectors."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.embedding.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "library, documentation, code or text:PATH (a file, or a folder of .txt files)"

    data: str = "library"
    """Where the text comes from: library (code and documentation together), code or documentation, which come with
    Python, or text:PATH, a text file or a folder of .txt files."""
    loader: LongTextConfig = field(default_factory=lambda: LongTextConfig(test_fraction=0.1))
    method: Literal["skip-gram", "cbow", "glove"] = "skip-gram"
    """skip-gram: predict the neighbors of a word. cbow: predict a word from its neighbors. glove: fit how often words
    stand near each other."""
    embed_dim: Count = 100
    """Size of a word's vector."""
    vocabulary: Annotated[int, *limited(100)] = 20_000
    """Most words that get a vector, the most frequent ones."""
    min_count: Count = 5
    """How often a word must occur to get a vector."""
    window: Count = 5
    """How many words away neighbors stand at most."""
    negatives: Count = 5
    """Random words that each pair is compared with (skip-gram, cbow)."""
    shared: Count = 64
    """Random words drawn for a batch; together they count as `negatives` for each pair (skip-gram, cbow)."""
    sample: Amount = 1e-3
    """Share of the text above which words are partly left out in training; 0 keeps all (skip-gram, cbow)."""
    length: Count = 32
    """Words of a row of a batch, without the windows beside them (skip-gram, cbow)."""
    x_max: Positive = 10.0
    """Number of occurrences from which on pairs count alike (glove)."""
    alpha: Positive = 0.75
    """Power by which rarer pairs count less (glove)."""
    valid_fraction: Part = 0.05
    """Share of the training text, its end, held out to select the best state."""
    questions: Count = 5000
    """Places of the test part, and of the held-out part, at which the missing word is to be found."""
