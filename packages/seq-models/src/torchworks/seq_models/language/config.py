"""Configuration of the recipes of language models. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.seq_models.data.documents_config import LongTextConfig
from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Share, UserError, limited

Part = Annotated[float, *limited(0, 1, above=True, below=False)]


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    depth: Count = 4
    """Blocks of a Transformer, layers of a recurrent net."""
    embed_dim: Count = 128
    """Numbers that a token becomes."""
    num_heads: Count = 4
    """Heads of attention, for gpt; embed_dim is a multiple of it."""
    hidden_dim: Count = 384
    """Numbers in the state of each layer, for lstm, gru and rnn."""
    drop_rate: Share = 0.1
    """Dropout."""


@dataclass(frozen=True)
class LanguageConfig(Config):
    """A language model."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.language.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "documentation, code or text:PATH (a file, or a folder of .txt files)"

    data: str = "documentation"
    """Where the text comes from: documentation or code, which come with Python, or text:PATH, a text file or a folder
    of .txt files."""
    loader: LongTextConfig = field(default_factory=LongTextConfig)
    model: Literal["gpt", "lstm", "gru", "rnn"] = "gpt"
    """Architecture: a Transformer, or one of three recurrent nets."""
    tokens: Literal["characters", "bpe"] = "characters"
    """What the text is cut into: characters, or byte pairs, which are parts of words."""
    vocabulary: Annotated[int, *limited(300)] = 1024
    """Most different byte pairs; characters are as many as there are."""
    context: Annotated[int, *limited(4)] = 128
    """Tokens of a window in training, and the most that gpt reads at once."""
    valid_fraction: Part = 0.05
    """Share of the training text, its end, held out to select the best state."""
    weight_decay: Amount = 0.1
    """Decoupled weight decay, not applied to biases and norms."""
    muon_lr: Amount = 0.0
    """Learning rate of Muon for the matrices between the layers; AdamW trains the rest with --optim.lr. 0: AdamW
    trains all."""
    order: Count = 5
    """Tokens of the longest n-gram that the model is compared with."""
    most_scored: Count = 1_000_000
    """Most tokens of the test part, and a tenth of it of the validation part, that are scored, from their beginning."""
    functions: CountOrZero = 0
    """For data of Python code: number of functions of the test part whose bodies are written anew, to see which share
    of them parses."""
    sample_length: Count = 400
    """Tokens of the sample that is shown at each evaluation."""
    temperature: Amount = 0.8
    """Temperature of the sample and of the functions: below 1 likely tokens become likelier, 0 takes the likeliest."""
    net: NetConfig = field(default_factory=NetConfig)

    def check_length(self, count: int, what: str) -> None:
        """Raise `UserError` if the training part, of `count` tokens (`what` says of which), is shorter than a window
        and what follows it."""
        if count <= self.context:
            short = f" or --context {count - 1} at most" if count > 4 else ""
            raise UserError(
                f"The text is too short: its part for training has {count:,} {what}, but a window of --context "
                f"{self.context} and what follows it take {self.context + 1}. Use a longer text{short}."
            )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.muon_lr and self.trainer.strategy == "fsdp":
            raise UserError(
                "Muon needs whole matrices, which --strategy fsdp shards. Use --muon-lr 0, so that AdamW trains "
                "all, or the strategy ddp."
            )
