"""Configuration of the recipes of speech synthesis. Imports no torch, so that `--help` is quick."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from torchworks.shared.config import Amount, Config, Count, CountOrZero, Limited, Share, TextConfig, limited


@dataclass(frozen=True)
class NetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    embed_dim: Annotated[int, *limited(4)] = 96
    """Numbers that a phoneme becomes; even."""
    depth: Count = 2
    """Layers of the encoder, and as many of the decoder (fastspeech); convolutions of the encoder (tacotron)."""
    num_heads: Count = 2
    """Heads of attention, which share embed_dim (fastspeech)."""
    filter_dim: Count = 192
    """Width within each layer (fastspeech), and of the postnet (tacotron)."""
    hidden_dim: Count = 128
    """Sizes of both LSTMs of the decoder (tacotron), and of the nets that predict durations, pitch and energy."""
    frames_per_step: Count = 4
    """Frames that the decoder makes at a time (tacotron)."""
    drop_rate: Share = 0.1
    """Dropout."""


@dataclass(frozen=True)
class SpeakConfig(Config):
    """A model that speaks."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.synthesis.build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "sentences or sentences:train=500,test=60,voices=1"

    data: str = "sentences"
    """Sentences, their sound, and when each phoneme is spoken how high: sentences, or
    sentences:train=500,test=60,voices=1."""
    loader: TextConfig = field(default_factory=TextConfig)
    model: Literal["fastspeech", "tacotron"] = "fastspeech"
    """Architecture: all frames at once by predicted durations, or frame by frame with attention."""
    valid_fraction: Share = 0.06
    """Share of the training sentences held out to select the best state; 0 keeps the last state and trains on all."""
    weight_decay: Amount = 0.01
    """Decoupled weight decay, not applied to biases and norms."""
    guided: Amount = 1.0
    """Weight of the loss on attention away from the phoneme that is spoken (tacotron)."""
    aligned_share: Share = 0.75
    """Share of the steps, the first ones, in which the decoder attends to the phoneme that is spoken, whatever its own
    attention says (tacotron)."""
    stop_weight: Amount = 15.0
    """How many times as much the steps at a sentence's end count for whether to stop (tacotron)."""
    iterations: Annotated[int, *limited(1, 200, below=False)] = 32
    """Griffin-Lim iterations that make sound of a spectrogram."""
    heard: CountOrZero = 40
    """Test sentences that pocketsphinx listens to at the end, if it is installed (0: none)."""
    pictured: CountOrZero = 2
    """Number of test sentences that are drawn and written as WAV files at each evaluation."""
    net: NetConfig = field(default_factory=NetConfig)


@dataclass(frozen=True)
class VocoderNetConfig(Limited):
    """The net."""

    group: ClassVar[str] = "net"

    embed_dim: Annotated[int, *limited(8)] = 128
    """Numbers that a frame becomes (vocos)."""
    depth: Count = 4
    """Layers (vocos)."""
    refinements: CountOrZero = 4
    """Iterations of Griffin-Lim that end it (vocos)."""
    channels: Annotated[int, *limited(16)] = 96
    """Width before the first of four stages, each of which halves it; a multiple of 16 (hifigan)."""
    stacks: Annotated[tuple[int, ...], *limited(1)] = (3, 7)
    """Kernel of each stack of dilated convolutions that a stage has; odd (hifigan)."""


@dataclass(frozen=True)
class VocodeConfig(Config):
    """A model that makes sound of log-mel spectrograms."""

    package: ClassVar[str] = "seq-models"
    build: ClassVar[str] = "torchworks.seq_models.synthesis.vocoder_build:build"
    convolutional: ClassVar[bool] = False
    known_data: ClassVar[str] = "sentences or sentences:train=500,test=60,voices=1"

    data: str = "sentences"
    """Sound with the sentences spoken in it: sentences, or sentences:train=500,test=60,voices=1."""
    loader: TextConfig = field(default_factory=TextConfig)
    valid_fraction: Share = 0.06
    """Share of the training sentences held out to select the best state; 0 keeps the last state and trains on all."""
    model: Literal["vocos", "hifigan"] = "vocos"
    """Architecture: magnitudes and phases of a source with the pitch of the spectrogram, or samples by transposed
    convolutions."""
    segment: Annotated[int, *limited(8)] = 48
    """Frames of each piece that is trained on."""
    mel_weight: Amount = 3.0
    """Weight of the loss on log-mels."""
    iterations: Annotated[int, *limited(1, 200, below=False)] = 32
    """Iterations of Griffin-Lim, the baseline."""
    heard: CountOrZero = 40
    """Test sentences that pocketsphinx listens to at the end, if it is installed (0: none)."""
    pictured: CountOrZero = 2
    """Number of test sentences that are drawn and written as WAV files at each evaluation."""
    net: VocoderNetConfig = field(default_factory=VocoderNetConfig)
