"""Configuration of the recipes of answering. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, Limited, Share, TextConfig, limited

Vocabulary = Annotated[int, *limited(300)]


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    depth: Count = 3
    """Blocks of the Transformer."""
    embed_dim: Count = 128
    """Numbers that a token becomes."""
    num_heads: Count = 4
    """Heads of attention; embed_dim is a multiple of it."""
    ff_dim: Count = 256
    """Width of each layer's two-layer net, where the text is pointed into; GPT's is four times embed_dim."""
    drop_rate: Share = 0.1
    """Dropout."""


@dataclass(frozen=True)
class SpanConfig(Config):
    """Answers that are cut out of the text."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.answering.span_build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "facts or jsonl:PATH"

    data: str = "facts"
    """Where the data come from: facts, or jsonl:PATH, a file with a text, a question and an answer in each line."""
    loader: TextConfig = field(default_factory=TextConfig)
    vocabulary: Vocabulary = 768
    """Most different byte pairs, which are parts of words."""
    longest: Count = 256
    """Tokens of a text that are read in training; the trained model refuses longer ones."""
    longest_question: Count = 64
    """Most tokens of a question."""
    longest_answer: Count = 16
    """Most tokens of an answer."""
    architecture: Literal["rotary", "bert"] = "rotary"
    """An encoder with rotary positions, or BERT, whose positions are learned and which learns later here."""
    matching: bool = True
    """Tell the net which tokens of the text are in the question."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to biases and norms."""
    valid_fraction: Share = 0.05
    """Share of the training texts held out to select the best state, and when to say that there is no answer."""
    net: NetConfig = field(default_factory=NetConfig)


@dataclass(frozen=True)
class WritingNetConfig(NetConfig):
    """The net."""

    decoder_depth: Count = 1
    """Blocks that write, of a pointer-generator; `depth` are those that read."""


@dataclass(frozen=True)
class WritingConfig(Config):
    """Answers or summaries that are written."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.answering.writing_build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "facts or jsonl:PATH"

    data: str = "facts"
    """Where the data come from: facts, or jsonl:PATH, a file with a text and a summary, or a text, a question and an
    answer, in each line."""
    loader: TextConfig = field(default_factory=TextConfig)
    written: Literal["answer", "summary", "reply"] = "summary"
    """What the model writes."""
    architecture: Literal["pointer-generator", "gpt"] = "pointer-generator"
    """A net that can copy out of the text, or a GPT, which has to learn how."""
    vocabulary: Vocabulary = 768
    """Most different byte pairs, which are parts of words."""
    context: Annotated[int, *limited(16)] = 256
    """Most tokens of a text, a question and what is written together; longer texts are left out of training."""
    text_weight: Share = 0.2
    """Weight of a token of the text in a GPT's training, beside 1 of a token that is to be written."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to biases and norms."""
    valid_fraction: Share = 0.05
    """Share of the training texts held out to select the best state."""
    most_written: Count = 1000
    """Most test texts for which answers, summaries or replies are written and scored."""
    net: WritingNetConfig = field(default_factory=WritingNetConfig)


@dataclass(frozen=True)
class ChatConfig(WritingConfig):
    """Replies that are found among those of the training conversations, and written where none fits."""

    build: ClassVar[str] = "torchworks.seq_models.answering.chat_build:build"
    known_data: ClassVar[str] = "conversations or jsonl:PATH"

    data: str = "conversations"
    """Where the data come from: conversations, or jsonl:PATH, a file with a text and the reply to it in each line."""
    written: Literal["answer", "summary", "reply"] = "reply"
    """What the model writes."""
    architecture: Literal["pointer-generator", "gpt"] = "gpt"
    """A reply has few words of its message, so a pointer-generator has no use here."""
    found_share: Annotated[float, *limited(0, 1, above=True)] = 0.95
    """Share of reworded training messages that must still get a reply that is found, and not written."""
