"""Configuration of the recipes of classification. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, Limited, Positive, Share, TextConfig

Architecture = Literal["cnn", "lstm", "gru", "transformer", "bert", "sentence-bert"]
Splitting = Literal["words", "characters", "bytes", "wordpiece"]


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    architecture: Architecture = "cnn"
    """cnn: filters over neighboring tokens (Kim 2014). lstm, gru: read in both directions. transformer: an encoder, and
    the mean or maximum of its tokens. bert, sentence-bert: BERT, judged by [CLS] or by the mean of its tokens, for
    --tokenizer wordpiece."""
    embed_dim: Count = 64
    """Size of a token's embedding."""
    filters: Count = 64
    """Filters of each width (cnn)."""
    widths: tuple[Count, ...] = (1, 2, 3)
    """Numbers of neighboring tokens that filters look at (cnn)."""
    hidden_dim: Count = 64
    """Size of the state in each direction (lstm, gru)."""
    pooling: Literal["last", "max", "mean"] = "last"
    """What a text is judged by: the states at its two ends (lstm, gru; in a transformer last is mean), or the maximum
    or mean over all places."""
    depth: Count = 1
    """Layers (all but cnn)."""
    num_heads: Count = 4
    """Heads of attention (transformer, bert, sentence-bert); they share embed_dim."""
    ff_dim: Count = 256
    """Width of each layer's two-layer net (transformer, bert, sentence-bert)."""
    positions: Literal["sinusoidal", "rotary"] = "sinusoidal"
    """How attention knows the order of tokens (transformer): sines of their places are added to them, or it is turned
    by how far two are apart."""
    drop_rate: Share = 0.5
    """Dropout before the classifier; in an encoder, also within its layers."""


@dataclass(frozen=True)
class ClassifierConfig(Config):
    """A classifier of texts."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.classification.build:build"
    convolutional: ClassVar[bool] = False  # convolutions along a text gain nothing by bf16 on a CPU
    known_data: ClassVar[str] = "reviews, spam, languages, topics or csv:PATH"

    data: str = "reviews"
    """Where the data come from: reviews, spam, languages, topics, or csv:PATH, a .csv, .tsv or .jsonl file with text,
    label and perhaps split."""
    loader: TextConfig = field(default_factory=TextConfig)
    tokenizer: Splitting = "words"
    """What a text is split into: words, characters, byte pairs (bytes), or BERT's parts of words (wordpiece), learned
    from the training texts."""
    vocabulary: Count = 10_000
    """Most tokens that the tokenizer learns."""
    longest: Count = 256
    """Tokens of a text that are read in training; the trained model refuses longer ones."""
    unknown_rate: Share = 0.05
    """Share of the tokens in training that are hidden as unknown, so that words never seen do little harm."""
    weight_decay: Amount = 0.05
    """Decoupled weight decay, not applied to norms and biases."""
    valid_fraction: Share = 0.1
    """Share of the training texts held out to select the best state and to calibrate the probabilities; 0 keeps the
    last state and trains on all."""
    pretrained: Literal["none", "minilm"] = "none"
    """Begin with published weights: minilm, all-MiniLM-L6-v2, of the extra minilm. The recipe classify-minilm has a net
    of its sizes, and takes its tokenizer."""
    frozen: bool = False
    """Keep the published weights as they are, and train the last layer alone: the vectors of all texts are computed
    once."""
    head_rate: Positive = 1.0
    """Learning rate of the last layer, as a multiple of --optim.lr: above 1 for published weights, with a last layer
    that is new."""
    net: NetConfig = field(default_factory=NetConfig)
